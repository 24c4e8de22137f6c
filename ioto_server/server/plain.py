"""Connections without TLS: accepted, read and written. The compiled build has its own way, in plain.pyx.

Here they are the loop's own transports. There, one epoll descriptor for all of these connections is read by
the loop, so that a message goes from the kernel to its action and back without a stop.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from ioto_server.session.link import Link

from .settings import LISTEN_BACKLOG

# Parts that are smaller than this on average are joined: copying them costs less than a vector of them.
_JOINED: Final = 4096


class Taker(Link, asyncio.BufferedProtocol):
    """A link whose transport reads into a buffer that it lends; it takes the bytes in that same stack."""

    __slots__ = ("buffer",)

    def __init__(self, buffer: bytearray) -> None:
        self.buffer = buffer

    def get_buffer(self, _sizehint: int) -> bytearray:
        """Lend the buffer to the transport."""
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes have arrived in the buffer."""
        self.take(nbytes)

    def take(self, nbytes: int) -> None:
        """Use up the first `nbytes` of the buffer: it is everybody's."""
        raise NotImplementedError


class Plain:
    """The connections without TLS of one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Serve them on `loop`."""
        self._loop = loop

    async def serve(
        self, listener: socket.socket, protocol: Callable[[], asyncio.BaseProtocol]
    ) -> asyncio.AbstractServer:
        """Accept at a socket that is bound already, until the result is closed, and `listener` with it.

        What was accepted lives on.
        """
        if listener.family == socket.AF_UNIX:
            return await self._loop.create_unix_server(protocol, sock=listener, backlog=LISTEN_BACKLOG)
        return await self._loop.create_server(protocol, sock=listener, backlog=LISTEN_BACKLOG)


def write_parts(transport: asyncio.Transport, parts: list[bytes], size: int) -> bool:
    """Write `parts`, `size` bytes together, in one go; False if the transport takes nothing any more."""
    if transport.is_closing():
        return False
    count = len(parts)
    if count == 1:
        transport.write(parts[0])
    elif size < count * _JOINED:
        transport.write(b"".join(parts))
    else:
        transport.writelines(parts)
    return True


def count_unread(_transport: asyncio.BaseTransport) -> int:
    """Bytes that a transport of ours took from the kernel and keeps while it is paused.

    Without TLS there are none; what the loop's own TLS keeps, it does not say.
    """
    return 0


def is_own(_transport: asyncio.BaseTransport) -> bool:
    """Whether a transport is ours, and not the loop's."""
    return False


def is_lost(_transport: asyncio.BaseTransport) -> bool:
    """Whether a transport of this module's own making is about to say that its connection is lost."""
    return False
