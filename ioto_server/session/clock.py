"""The time of the timers, as connections read it."""

from __future__ import annotations


class Clock:
    """`now`, in seconds. Whoever turns the timers writes it: it stands still while the loop is blocked."""

    __slots__ = ("now",)

    def __init__(self, now: float) -> None:
        """Begin at `now`, in seconds of any monotonic clock."""
        self.now = now
