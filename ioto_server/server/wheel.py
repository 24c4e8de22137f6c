"""All timers of a loop on one wheel: O(1) to set, to move and to drop, and nothing for a message (SPEC 5)."""

from __future__ import annotations

from math import inf
from typing import Final, Protocol

TICK: Final = 0.1
_SLOTS: Final = 1024

# The `slot` of what is being called in this turn.
_DUE: Final = -2


class Timed(Protocol):
    """What the wheel turns for. `slot` belongs to the wheel; it is -1 outside of it."""

    slot: int

    def expire(self, now: float) -> float:
        """Do what is due at `now`; return when to be asked again, `inf` for never."""


class Wheel:
    """A ring of slots, each holding what is due within one tick.

    Its time, `now`, moves by at most two ticks a turn, however late the turn comes: while an action blocks
    the loop, time stands still for the peers, who could not be heard. Nobody is blamed for our own stall.
    A deadline beyond the ring waits in its farthest slot and is then placed again.
    """

    def __init__(self, clock: float) -> None:
        """Begin at `clock`, in seconds of any monotonic clock."""
        self.now = clock
        self.stalled = 0.0
        self._clock = clock
        self._turn = 0
        self._slots: list[set[Timed] | None] = [None] * _SLOTS
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def schedule(self, timed: Timed, at: float) -> None:
        """Have `timed.expire` called in the first turn at or after `at`, and at no other time."""
        self.cancel(timed)
        if at == inf:
            return
        ticks = int((at - self.now) / TICK) + 1
        slot = (self._turn + min(max(ticks, 1), _SLOTS - 1)) % _SLOTS
        place = self._slots[slot]
        if place is None:
            place = self._slots[slot] = set()
        place.add(timed)
        timed.slot = slot
        self._count += 1

    def cancel(self, timed: Timed) -> None:
        """Take `timed` off the wheel, if it is there."""
        if timed.slot < 0:
            timed.slot = -1
            return
        place = self._slots[timed.slot]
        assert place is not None
        place.remove(timed)
        if not place:
            self._slots[timed.slot] = None
        timed.slot = -1
        self._count -= 1

    def resume(self, clock: float) -> None:
        """Go on at `clock` after a time in which nothing was on the wheel, and so nobody turned it."""
        self._clock = clock

    def turn(self, clock: float) -> None:
        """Move on to `clock`, calling what is due on the way."""
        elapsed = clock - self._clock
        self._clock = clock
        self.stalled = max(0.0, elapsed - 2 * TICK)
        until = self.now + min(elapsed, 2 * TICK)
        while self.now + TICK <= until + 1e-9:
            self.now += TICK
            self._turn = (self._turn + 1) % _SLOTS
            self._expire(self._turn)

    def _expire(self, slot: int) -> None:
        due = self._slots[slot]
        if due is None:
            return
        self._slots[slot] = None
        self._count -= len(due)
        for timed in due:
            timed.slot = _DUE
        for timed in due:
            # One may have moved or dropped another that was due in the same turn.
            if timed.slot == _DUE:
                timed.slot = -1
                self.schedule(timed, timed.expire(self.now))
