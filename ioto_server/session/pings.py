"""Pings that wait for their pongs, and the round trips that they measure (RFC 6455, 5.5.2 and 5.5.3)."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Iterator
from typing import Final

# Unanswered pings of ours that are remembered. A peer may be slower than our pings follow each other, but one
# that never answers any must not cost memory for ever.
MOST_REMEMBERED: Final = 16


class Pings:
    """The pings of one connection, the oldest first. Times are seconds of any one monotonic clock."""

    __slots__ = ("_sent",)

    def __init__(self) -> None:
        self._sent: list[tuple[bytes, float, Future[float] | None]] = []

    def sent(self, payload: bytes, now: float, pong: Future[float] | None) -> None:
        """Remember a ping; `pong`, if somebody waits for it, gets its round trip."""
        if len(self._sent) >= MOST_REMEMBERED:
            self._forget_one()
        self._sent.append((payload, now, pong))

    def _forget_one(self) -> None:
        """Forget the oldest for which nobody waits, or no longer does."""
        for place, (_, _, pong) in enumerate(self._sent):
            if pong is None or pong.done():
                del self._sent[place]
                return

    def answered(self, payload: bytes, now: float) -> float | None:
        """Take in a pong; returns the round trip of the ping that it answers, None if it answers none.

        A pong answers all pings before its own, too: "a Pong frame in response to only the most recently
        processed Ping frame" will do (5.5.3).
        """
        for place in range(len(self._sent) - 1, -1, -1):
            if self._sent[place][0] == payload:
                for _, sent_at, pong in self._sent[: place + 1]:
                    if pong is not None and not pong.done():
                        pong.set_result(now - sent_at)
                trip = now - self._sent[place][1]
                del self._sent[: place + 1]
                return trip
        return None

    def waiting(self) -> Iterator[Future[float]]:
        """Those who wait for a pong that will not come any more."""
        return (pong for _, _, pong in self._sent if pong is not None and not pong.done())

    def __len__(self) -> int:
        return len(self._sent)
