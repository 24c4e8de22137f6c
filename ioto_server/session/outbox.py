"""What waits to be sent on one connection: counted in bytes, handed over in frames, never without a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any, Final

from .link import Link
from .stepping import Stepping, hands_over

# Bytes handed to the link before it has to say that they left; also what `await ws.send()` waits for.
HIGH_WATER: Final = 65536
_HIGH_WATER: Final = HIGH_WATER


# Waiting frames shorter than this are joined, so many at once.
_SMALL: Final = 1024
_JOINED_AT_ONCE: Final = 64


class _Sent(Stepping):
    """The awaitable of a send that need not wait: no coroutine, no future, one object for all."""

    __slots__ = ()

    def step(self) -> None:
        """Go on at once."""
        self.returned = True


hands_over(_Sent)
SENT: Final[Awaitable[None]] = _Sent()


class _NextTurn:
    """The awaitable of a send that filled a system call: the loop has a turn before the next one.

    A peer that reads as fast as an action sends would otherwise keep the loop from everybody else, and from
    hearing that the peer is gone.
    """

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, None]:
        yield


NEXT_TURN: Final[Awaitable[None]] = _NextTurn()


def _frame_size(part: bytes) -> int:
    """Bytes of the whole frame that `part` begins (RFC 6455, 5.2; ours are not masked)."""
    size = part[1] & 0x7F
    if size < 126:
        return 2 + size
    if size == 126:
        return 4 + int.from_bytes(part[2:4], "big")
    return 10 + int.from_bytes(part[2:10], "big")


class Outbox:
    """Finished frames on their way out.

    While it is corked, frames gather and leave together at the uncorking: everything said in answer to one
    read costs one system call. Frames stay here, where they can still be dropped, until the link has room.
    """

    __slots__ = (
        "_deferred",
        "_ended",
        "_link",
        "_loose",
        "_taken",
        "_waiters",
        "corked",
        "deferred_size",
        "handed",
        "mid_message",
        "parts",
        "queued",
        "writable",
    )

    def __init__(self, link: Link) -> None:
        self._link = link
        self._ended = False
        # In the order in which they came.
        self._waiters: dict[asyncio.Future[None], None] | None = None
        self._deferred: list[list[bytes]] | None = None
        self._taken = 0
        # Whether a message sent in blocks is unfinished: no other may come between (RFC 6455, 5.4).
        self.mid_message = False
        self.corked = False
        # Whether everything handed over has left: the link says so, and says when it no longer holds.
        self.writable = True
        # The codec appends to `parts`; whoever called it adds the size to `queued`, then flushes or corks.
        self.parts: list[bytes] = []
        self._loose = 0
        self.queued = 0
        self.handed = 0
        self.deferred_size = 0

    # ---- counting -------------------------------------------------------------------------------------

    def backlog(self) -> int:
        """Bytes not yet taken by the kernel, here and in the link."""
        return self.queued + self.deferred_size + self._link.unsent()

    def progressed(self) -> bool:
        """Whether the kernel has taken anything since this was last asked."""
        taken = self.handed - self._link.unsent()
        before, self._taken = self._taken, taken
        return taken > before

    # ---- handing over ---------------------------------------------------------------------------------

    def uncork(self) -> None:
        """Send what has gathered."""
        self.corked = False
        if self.queued:
            self.flush()

    def flush(self) -> None:
        """Hand frames to the link as long as it has room for more."""
        while self.queued and self.writable:
            size = self.queued
            if size <= _HIGH_WATER:
                parts, self.parts = self.parts, []
                self._loose = 0
            else:
                parts, size = self._take()
            self.queued -= size
            self.handed += size
            self._link.write(parts, size)

    def _take(self) -> tuple[list[bytes], int]:
        """Some parts, up to about `HIGH_WATER` bytes and never ending within a frame, and their size."""
        parts = self.parts
        taken = size = 0
        while taken < len(parts) and size < HIGH_WATER:
            end = size + _frame_size(parts[taken])
            while size < end:
                size += len(parts[taken])
                taken += 1
        head = parts[:taken]
        del parts[:taken]
        self._loose = max(0, self._loose - taken)
        return head, size

    def compact(self) -> None:
        """Join small frames that will have to wait: each by itself takes many times its bytes in memory."""
        if len(self.parts) - self._loose < _JOINED_AT_ONCE:
            return
        loose = self.parts[self._loose :]
        if all(len(part) < _SMALL and _frame_size(part) == len(part) for part in loose):
            self.parts[self._loose :] = [b"".join(loose)]
        self._loose = len(self.parts)

    def drop(self) -> None:
        """Forget every frame that the link does not have yet; what it has ends at a frame's end."""
        self.parts = []
        self._loose = 0
        self.queued = 0
        self.mid_message = False
        self._deferred = None
        self.deferred_size = 0

    # ---- messages in blocks ---------------------------------------------------------------------------

    def begin_blocks(self) -> None:
        """A block was appended, and its message goes on."""
        self.mid_message = True
        if self._deferred is None:
            self._deferred = []

    def defer(self, frames: list[bytes]) -> None:
        """Keep a message until the one in blocks is complete."""
        assert self._deferred is not None
        self._deferred.append(frames)
        self.deferred_size += sum(map(len, frames))

    def end_blocks(self) -> list[list[bytes]]:
        """The message in blocks is complete; returns the messages that waited for it."""
        self.mid_message = False
        deferred, self._deferred = self._deferred, None
        self.deferred_size = 0
        return deferred or []

    # ---- from the link --------------------------------------------------------------------------------

    def paused(self) -> None:
        """The link is full."""
        self.writable = False
        self.progressed()

    def resumed(self) -> None:
        """The link has room again: fill it, and let those go on who waited for it."""
        self.writable = True
        self.flush()
        if self.writable or self.backlog() <= HIGH_WATER:
            self.wake()

    # ---- waiting for room -----------------------------------------------------------------------------

    def __await__(self) -> Generator[Any, None, None]:
        """Wait until at most `HIGH_WATER` bytes are unsent; one turn of the loop at least.

        An outbox is what a send returns that may have to wait: only who awaits it costs anything.
        """
        if self._ended:
            return
        if self.writable or self.backlog() <= HIGH_WATER:
            yield
            return
        waiter = asyncio.get_running_loop().create_future()
        if self._waiters is None:
            self._waiters = {}
        self._waiters[waiter] = None
        try:
            yield from waiter
        finally:
            # It may have been cancelled, over and over while the peer is stuck.
            if self._waiters is not None:
                self._waiters.pop(waiter, None)

    def wake(self) -> None:
        """Let everybody go on who waits for room."""
        waiters, self._waiters = self._waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)

    def end(self) -> None:
        """The connection has ended: nobody waits for room any more."""
        self._ended = True
        self.wake()
