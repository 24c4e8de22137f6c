"""What waits to be sent on one connection: counted in bytes, handed over in frames, never without a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any, Final

from .link import Link

# Bytes handed to the link before it has to say that they left; also what `await ws.send()` waits for.
HIGH_WATER: Final = 65536

# A frame whose payload is a part of its own has a header of at most ten bytes (RFC 6455, 5.2, no mask),
# and a whole frame with a 16- or 64-bit length is longer than that.
_LONGEST_HEADER: Final = 10


class _Sent:
    """The awaitable of a send that need not wait: no coroutine, no future, one object for all."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


SENT: Final[Awaitable[None]] = _Sent()


def _is_bare_header(part: bytes) -> bool:
    return len(part) <= _LONGEST_HEADER and part[1] & 0x7F >= 126


class Outbox:
    """Finished frames on their way out.

    While it is corked, frames gather and leave together at the uncorking: everything said in answer to one
    read costs one system call. Frames stay here, where they can still be dropped, until the link has room.
    """

    __slots__ = ("_link", "_waiters", "corked", "parts", "queued", "writable")

    def __init__(self, link: Link) -> None:
        self._link = link
        self._waiters: list[asyncio.Future[None]] | None = None
        self.corked = False
        self.writable = True
        # The codec appends to `parts`; whoever called it adds the size to `queued` and calls `pushed()`.
        self.parts: list[bytes] = []
        self.queued = 0

    def backlog(self) -> int:
        """Bytes not yet taken by the kernel, here and in the link."""
        return self.queued + self._link.unsent()

    def pushed(self) -> None:
        """Frames were appended: send them, or leave them to the uncorking while little has gathered."""
        if not self.corked or self.queued > HIGH_WATER:
            self.flush()

    def uncork(self) -> None:
        """Send what has gathered."""
        self.corked = False
        if self.queued:
            self.flush()

    def flush(self) -> None:
        """Hand frames to the link as long as it has room for more."""
        while self.queued and self.writable:
            self._link.write(self._take())

    def _take(self) -> list[bytes]:
        """The next parts, up to about `HIGH_WATER` bytes and never ending within a frame."""
        parts = self.parts
        if self.queued <= HIGH_WATER:
            self.parts = []
            self.queued = 0
            return parts
        taken = size = 0
        while taken < len(parts) and size < HIGH_WATER:
            size += len(parts[taken])
            taken += 1
            if _is_bare_header(parts[taken - 1]):
                size += len(parts[taken])
                taken += 1
        head = parts[:taken]
        del parts[:taken]
        self.queued -= size
        return head

    def drop(self) -> None:
        """Forget every frame that the link does not have yet; what it has ends at a frame's end."""
        self.parts = []
        self.queued = 0

    def paused(self) -> None:
        """The link is full."""
        self.writable = False

    def resumed(self) -> None:
        """The link has room again: fill it, and let those go on who waited for it."""
        self.writable = True
        self.flush()
        if self.writable:
            self.wake()

    def room(self) -> Awaitable[None]:
        """Wait until at most `HIGH_WATER` bytes are queued; costs nothing when that holds already."""
        if self.writable:
            return SENT
        waiter = asyncio.get_running_loop().create_future()
        if self._waiters is None:
            self._waiters = []
        self._waiters.append(waiter)
        return waiter

    def wake(self) -> None:
        """Let everybody go on who waits for room; at the end of the connection, too."""
        waiters, self._waiters = self._waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)
