"""What each message costs a little of, so that it is worth a form of its own when compiled: quick.pyx."""

from __future__ import annotations

from enum import EnumType
from time import monotonic as monotonic


class QuickEnum(EnumType):
    """The metaclass of enums whose members are looked up as quickly as any attribute of a class.

    Python 3.11 tries three ways where `Event.MESSAGE` is written; compiled, it is one, as from 3.12 on.
    """
