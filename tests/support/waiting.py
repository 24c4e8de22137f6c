"""Wait for what will be so, however long a busy machine takes."""

from __future__ import annotations

import time
from collections.abc import Callable

from .daemon import DEADLINE

_PAUSE = 0.02


def until(condition: Callable[[], object], what: str, patience: float = DEADLINE) -> None:
    """Ask again until `condition()` holds; raises AssertionError of `what` after `patience` seconds."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {patience:g} s"
        time.sleep(_PAUSE)
