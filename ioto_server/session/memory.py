"""`limits.memory`: one account of what all connections of a process hold for their peers (SPEC 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import structlog

_log = structlog.get_logger("ioto_server.memory")

# What one connection holds is not counted while it is less than this: most hold nothing between two reads,
# and small messages pass without a look at the account.
SMALL: Final = 1024

# The part of the limit that those may hold together who were closed for it and wait for their Close to leave.
_LEAVING_SHARE: Final = 4


class Holder(Protocol):
    """A connection that holds bytes. `held` belongs to the account."""

    held: int

    def relieve(self) -> None:
        """Give up what is held, and with it the connection; what is half sent may still leave."""

    def abandon(self) -> None:
        """Drop the connection with whatever it still holds."""


class Memory:
    """The bytes of partial messages, read-ahead and backlogs, and who holds them.

    A connection reports only when its share changes by more than what passes through; over the limit the
    largest holder is ended, then the next, until the rest fits.
    """

    def __init__(self, limit: int) -> None:
        """Allow `limit` bytes."""
        self.limit = limit
        self.total = 0
        # For who gives memory back to the system: bytes that were let go of, and what to call after a relief.
        self.released = 0
        self.relieved: Callable[[], None] | None = None
        self._holders: set[Holder] = set()
        self._leaving: set[Holder] = set()
        self._relieving = False

    def __len__(self) -> int:
        return len(self._holders)

    def hold(self, holder: Holder, held: int) -> None:
        """Note that `holder` holds `held` bytes now."""
        if held < SMALL:
            held = 0
        before = holder.held
        if held == before:
            return
        holder.held = held
        self.total += held - before
        if held < before:
            self.released += before - held
        if not before:
            self._holders.add(holder)
        elif not held:
            self._holders.discard(holder)
            self._leaving.discard(holder)
        if held > before and self.total > self.limit:
            self._relieve()

    def _relieve(self) -> None:
        # Who is relieved reports its new share from within: that must not begin another round.
        if self._relieving:
            return
        self._relieving = True
        try:
            while self.total > self.limit and self._holders:
                largest = max(self._holders, key=_held)
                self._holders.discard(largest)
                _log.warning(
                    "over limits.memory",
                    limit=self.limit,
                    held=self.total,
                    largest=largest.held,
                    hint="the largest holder is closed; raise limits.memory if such loads are meant",
                )
                self._end(largest)
        finally:
            self._relieving = False

    def _end(self, holder: Holder) -> None:
        holder.relieve()
        if holder.held:
            # A frame that is half sent cannot be dropped without its connection.
            self._leaving.add(holder)
            if sum(map(_held, self._leaving)) > self.limit // _LEAVING_SHARE:
                holder.abandon()
        if self.relieved is not None:
            self.relieved()


def _held(holder: Holder) -> int:
    return holder.held
