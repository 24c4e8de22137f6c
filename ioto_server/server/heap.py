"""Keep freed memory for the next message, and give it back in quiet (mallopt(3), malloc_trim(3), glibc)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Final

from ioto_server.session import Memory

# Bytes let go of that are worth the milliseconds of giving them back: while `limits.memory` is being kept,
# and when it has become quiet.
_WHEN_FULL: Final = 1024 * 1024
_WHEN_QUIET: Final = 16 * 1024 * 1024

# Turns of the wheel without any change in what is held that count as quiet.
_QUIET_TURNS: Final = 10

# Blocks smaller than this are taken from the heap, and its end is kept up to that size. By default both are
# 128 KiB at first, and large messages are made of pages that the kernel has to clear for each of them.
_FROM_HEAP: Final = 4 * 1024 * 1024
_KEPT: Final = _WHEN_QUIET

# Threads read configurations, plugins and files here, seldom and one at a time. By default each of them has a
# heap of its own, in which the pieces that it let go of wait for it: after a day, 2 MB for nothing.
_HEAPS: Final = 1

# <malloc.h>
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

_library: Final = ctypes.CDLL(None)
_trim: Final[Callable[[int], Any] | None] = getattr(_library, "malloc_trim", None)


def keep_freed() -> None:
    """Have this process keep what it frees, in one heap, until a `Heap` gives it back (with glibc alone)."""
    set_option: Callable[[int, int], int] | None = getattr(_library, "mallopt", None)
    if set_option is not None and _trim is not None:
        set_option(_M_MMAP_THRESHOLD, _FROM_HEAP)
        set_option(_M_TRIM_THRESHOLD, _KEPT)
        set_option(_M_ARENA_MAX, _HEAPS)


class Heap:
    """Decides when to give memory back; never in the midst of traffic, which would soon want it again."""

    def __init__(self, memory: Memory, give_back: Callable[[int], Any] | None = _trim) -> None:
        """Watch the account of `memory`."""
        self._memory = memory
        self._give_back = give_back
        self._released = 0
        self._quiet = 0
        memory.relieved = self.relieved

    def relieved(self) -> None:
        """A connection has been ended for `limits.memory`: what it held must leave before more comes."""
        if self._memory.released >= _WHEN_FULL:
            self._trim()

    @property
    def waits(self) -> bool:
        """Whether there is something to give back as soon as it is quiet."""
        return self._memory.released >= _WHEN_QUIET

    def turn(self) -> None:
        """The wheel has turned."""
        released = self._memory.released
        self._quiet = self._quiet + 1 if released == self._released else 0
        self._released = released
        if self._quiet >= _QUIET_TURNS and self.waits:
            self._trim()

    def _trim(self) -> None:
        self._memory.released = self._released = 0
        if self._give_back is not None:
            self._give_back(0)
