"""All timers of a loop on one wheel: O(1) to set, to move and to drop, and nothing for a message (SPEC 5)."""

from __future__ import annotations

from math import inf
from typing import Final, Protocol

import structlog

from ioto_server.session.clock import Clock

TICK: Final = 0.1
_TICK: Final = TICK
_SLOTS: Final = 1024

# Time moves by at most this much in one turn, in seconds.
_MOST: Final = 2 * TICK

# The `slot` of what is being called in this turn.
_DUE: Final = -2

_log = structlog.get_logger("ioto_server.server")


class Timed(Protocol):
    """What the wheel turns for. `slot` belongs to the wheel; it is -1 outside of it."""

    slot: int

    def expire(self, now: float) -> float:
        """Do what is due at `now`, if anything is; return when to be asked again, `inf` for never.

        A deadline that is more than a hundred seconds off is asked on the way, too.
        """


class Wheel(Clock):
    """A ring of slots, each holding what is due within one tick.

    Two rules keep our own lateness from being blamed on a peer. Its time, `now`, moves by at most two ticks
    a turn, however late the turn comes: while an action blocks the loop, time stands still. And a turn calls
    what was due at the turn before: all that had arrived by then has been read in between.

    With `most` set, no more than so many are called in one go: while it is `late`, `go_on` is to be called.
    """

    def __init__(self, clock: float) -> None:
        """Begin at `clock`, in seconds of any monotonic clock."""
        super().__init__(clock)
        self.stalled = 0.0
        # How many are called in one go; 0 for all.
        self.most = 0
        self._clock = clock
        self._begun = clock
        self._done = 0
        # Dicts, which take half the memory of sets.
        self._slots: list[dict[Timed, None] | None] = [None] * _SLOTS
        self._count = 0
        # What is due and was not called yet, the next one last.
        self._due: list[Timed] = []

    def __len__(self) -> int:
        return self._count

    def schedule(self, timed: Timed, at: float) -> None:
        """Have `timed.expire` called once `at` is past, instead of when it was to be called before."""
        if timed.slot >= 0:
            self.cancel(timed)
        if at == inf:
            timed.slot = -1
            return
        # The tick at which it is due, unless that is on the next round.
        ends = min((at - self._begun) / _TICK, self._done + _SLOTS)
        tick = int(ends)
        if tick < ends:
            tick += 1
        tick = min(max(tick, self._done + 1), self._done + _SLOTS - 1)
        slot = tick % _SLOTS
        place = self._slots[slot]
        if place is None:
            place = self._slots[slot] = {}
        place[timed] = None
        timed.slot = slot
        self._count += 1

    def cancel(self, timed: Timed) -> None:
        """Take `timed` off the wheel, if it is there."""
        slot, timed.slot = timed.slot, -1
        if slot < 0:
            return
        place = self._slots[slot]
        assert place is not None
        del place[timed]
        if not place:
            self._slots[slot] = None
        self._count -= 1

    def resume(self, clock: float) -> None:
        """Go on at `clock` after a time in which nothing was on the wheel, and so nobody turned it."""
        self._clock = clock

    def turn(self, clock: float) -> None:
        """Call what was due when the wheel was last turned, `most` of it, then move on to `clock`."""
        due = int((self.now - self._begun) / TICK + 1e-6)
        while self._done < due:
            self._done += 1
            self._collect(self._done % _SLOTS)
        self.go_on()
        elapsed = clock - self._clock
        self._clock = clock
        self.stalled = elapsed if elapsed > _MOST else 0.0
        self.now += min(elapsed, _MOST)

    def _collect(self, slot: int) -> None:
        due = self._slots[slot]
        if due is None:
            return
        self._slots[slot] = None
        self._count -= len(due)
        for timed in due:
            timed.slot = _DUE
        self._due = [*due, *self._due]

    @property
    def late(self) -> bool:
        """Whether something is due that `go_on` has to be called for."""
        return bool(self._due)

    def go_on(self) -> None:
        """Call `most` of what is due."""
        left = self.most or len(self._due)
        while self._due and left:
            timed = self._due.pop()
            # One may have moved or dropped another that was due in the same turn.
            if timed.slot == _DUE:
                left -= 1
                timed.slot = -1
                try:
                    self.schedule(timed, timed.expire(self.now))
                except Exception:
                    # A mistake of ours in one connection must not stop the time of the others.
                    _log.exception("timer failed", timer=type(timed).__name__)
