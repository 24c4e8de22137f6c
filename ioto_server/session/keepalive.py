"""Deadlines and pings of one WebSocket: decisions only, the time is a parameter (SPEC 5)."""

from __future__ import annotations

from enum import Enum
from math import inf, isfinite


class Due(Enum):
    """What the passing of time asks of a connection."""

    NOTHING = 0
    PING = 1
    INACTIVITY = 2
    REQUEST = 3
    PONG = 4


class KeepAlive:
    """When to ping a peer and when to give it up.

    Nothing here is called for a message: a read stores two attributes, everything else happens when the
    timer wheel asks. All times are seconds of the wheel's clock, `inf` for never.
    """

    __slots__ = (
        "_paused",
        "_ping_at",
        "_pong_by",
        "_request_at",
        "heard",
        "inactivity",
        "last_io",
        "ping",
        "pong",
        "request",
    )

    def __init__(
        self, *, inactivity: float, request: float, ping: float, pong: float, now: float, phase: float
    ) -> None:
        """Begin at `now`; `phase` (0 to 1) places the first ping, so that many connections spread theirs."""
        self._begin(inactivity, request, ping, pong, now, phase)

    def another(self, now: float, phase: float) -> KeepAlive:
        """One of the same lengths that begins at `now`, with the first ping at its own `phase`."""
        made = KeepAlive.__new__(KeepAlive)
        made._begin(self.inactivity, self.request, self.ping, self.pong, now, phase)
        return made

    def _begin(
        self, inactivity: float, request: float, ping: float, pong: float, now: float, phase: float
    ) -> None:
        self.inactivity = inactivity
        self.request = request
        self.ping = ping
        self.pong = pong
        # Written by the reader on every read: any byte at all, a pong too, restarts inactivity.
        self.last_io = now
        self.heard = True
        self._request_at = now + request
        self._ping_at = now + ping * phase if ping != inf else inf
        self._pong_by = inf
        self._paused = False

    def restart(self, now: float, inactivity: float | None = None, request: float | None = None) -> None:
        """Begin both deadlines anew (`web.update_deadline`), with other lengths in seconds where given."""
        if inactivity is not None:
            self.inactivity = inactivity
        if request is not None:
            self.request = request
        self.last_io = now
        self._request_at = now + self.request

    def pause(self) -> None:
        """Reading has stopped on our side: nothing can be heard, so silence proves nothing."""
        self._paused = True

    def resume(self, now: float) -> None:
        """Reading goes on; the peer gets its whole time again."""
        self._paused = False
        self.last_io = now
        self.heard = True

    def progressed(self, now: float) -> None:
        """The peer has taken some of what waits for it: it lives, though it says nothing."""
        self.last_io = now
        self._pong_by = now + self.pong

    def due(self, now: float, can_ping: bool = True) -> Due:
        """What has to be done at `now`. A PING is taken as sent when it is returned.

        Where it `can_ping` not, a ping that is due waits: nobody is blamed for what we have not asked.
        """
        if now >= self._request_at:
            return Due.REQUEST
        if self._paused:
            return Due.NOTHING
        if not self.heard and now >= self._pong_by:
            return Due.PONG
        if now >= self.last_io + self.inactivity:
            return Due.INACTIVITY
        if can_ping and now >= self._ping_at:
            # A late tick sends one ping, not one for each interval that was missed.
            self._ping_at += self.ping * (1 + (now - self._ping_at) // self.ping)
            if self.heard:
                self.heard = False
                self._pong_by = now + self.pong
            return Due.PING
        return Due.NOTHING

    def next_at(self, can_ping: bool = True) -> float:
        """When `due` has to be asked again at the latest, if nothing changes."""
        if self._paused:
            return self._request_at
        pong_by = inf if self.heard else self._pong_by
        ping_at = self._ping_at if can_ping else inf
        return min(self._request_at, pong_by, self.last_io + self.inactivity, ping_at)


def check_lengths(inactivity: float | None, request: float | None) -> None:
    """Raise ValueError where one of them is no length in seconds: positive, or `math.inf`."""
    for name, value in (("inactivity", inactivity), ("request", request)):
        if value is not None and not (value > 0 and (isfinite(value) or value == inf)):
            raise ValueError(f"update_deadline({name}={value!r}): give seconds greater than 0, or math.inf")
