"""A socket that has become a WebSocket's: bytes up, bytes down, deadlines; no rule of the protocol."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ioto_server.session import WebSocket

if TYPE_CHECKING:
    from .server import Server


class WebSocketConnection(asyncio.BufferedProtocol):
    """The link of one WebSocket to its transport."""

    __slots__ = ("_discard", "_rest", "_server", "_transport", "_websocket", "address", "slot")

    def __init__(self, server: Server, transport: asyncio.Transport, address: str, rest: bytes) -> None:
        """Take over `transport`; `rest` are the bytes that came behind the handshake."""
        self.slot = -1
        self.address = address
        self._server = server
        self._transport = transport
        self._rest = rest
        self._discard = False
        self._websocket: WebSocket

    def begin(self, websocket: WebSocket, head: bytes) -> None:
        """Send the 101, tell the WebSocket that it is open, then hand it what the client sent early."""
        self._websocket = websocket
        self._transport.write(head)
        websocket.opened()
        rest, self._rest = self._rest, b""
        if rest and not self._discard:
            websocket.received(rest, len(rest))
        self.touch()

    def stop(self, code: int, reason: str) -> None:
        """The server stops: tell the peer."""
        self._websocket.stop(code, reason)

    # ---- from the transport ---------------------------------------------------------------------------

    def get_buffer(self, _sizehint: int) -> bytearray:
        """Lend the loop's one receive buffer: used up before the next read, so an idle peer holds none."""
        return self._server.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have arrived."""
        if not self._discard:
            self._websocket.received(self._server.buffer, nbytes)

    def eof_received(self) -> bool:
        """The peer has shut its side; ours stays open for what is still to be sent."""
        if self._discard:
            self._transport.close()
        else:
            self._websocket.received_eof()
        return True

    def pause_writing(self) -> None:
        """The transport holds enough."""
        self._websocket.paused_writing()

    def resume_writing(self) -> None:
        """The transport has room again."""
        self._websocket.resumed_writing()

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is closed."""
        self._server.wheel.cancel(self)
        self._server.forget(self)
        self._websocket.lost(error)

    # ---- from the wheel -------------------------------------------------------------------------------

    def expire(self, now: float) -> float:
        """A deadline may have come."""
        self._websocket.expire(now)
        return self._websocket.next_at()

    # ---- from the WebSocket (session.Link) ------------------------------------------------------------

    def write(self, parts: list[bytes]) -> None:
        """Hand bytes to the transport in one go."""
        transport = self._transport
        if len(parts) == 1:
            transport.write(parts[0])
        else:
            transport.writelines(parts)

    def unsent(self) -> int:
        """Bytes that the transport still holds."""
        return self._transport.get_write_buffer_size()

    def pause_reading(self) -> None:
        """Stop reading."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def finish(self) -> None:
        """Close TCP once everything has left."""
        self._discard = True
        self._transport.close()

    def linger(self) -> None:
        """Shut the write side once everything has left, discard input until the peer's end."""
        self._discard = True
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def touch(self) -> None:
        """The next deadline has changed."""
        if not self._rest:
            self._server.wheel.schedule(self, self._websocket.next_at())

    def abort(self) -> None:
        """Drop the connection."""
        self._transport.abort()
