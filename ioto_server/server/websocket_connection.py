"""A socket that has become a WebSocket's: bytes up, bytes down, deadlines; no rule of the protocol."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ioto_server.session.websocket import WebSocket

from .plain import Taker, count_unread, is_lost, write_parts

if TYPE_CHECKING:
    from ioto_server.session import Action

    from .server import Server


class WebSocketConnection(Taker):
    """The link of one WebSocket to its transport."""

    __slots__ = (
        "_rest",
        "_server",
        "_transport",
        "_websocket",
        "action",
        "address",
        "ended_early",
        "slot",
        "task",
    )

    def __init__(self, server: Server, transport: asyncio.Transport, address: str, rest: bytes) -> None:
        """Take over `transport`; `rest` are the bytes that came behind the handshake."""
        # The loop's one receive buffer: used up before the next read, so an idle peer holds none.
        super().__init__(server.buffer)
        self.slot = -1
        self.address = address
        self.task: asyncio.Task[Any] | None = None
        self.action: Action | None = None
        # The peer had shut its side before it was accepted.
        self.ended_early = False
        self._server = server
        self._transport = transport
        self._rest = rest
        self._websocket: WebSocket

    def begin(self, websocket: WebSocket, head: bytes) -> None:
        """Send the 101, tell the WebSocket that it is open, then hand it what the client sent early."""
        self._websocket = websocket
        self._transport.write(head)
        if self._transport.get_write_buffer_size():
            # Answers to pipelined requests are still on their way: the transport tells of that only once.
            websocket.paused_writing()
        websocket.opened()
        rest, self._rest = self._rest, b""
        if rest:
            websocket.received(rest, len(rest))
        if self.ended_early:
            websocket.received_eof()
        self.touch()
        if self._server.stopping:
            websocket.stop(*self._server.stopping)

    # ---- from the transport ---------------------------------------------------------------------------

    def take(self, nbytes: int) -> None:
        """Bytes have arrived."""
        self._websocket.received(self.buffer, nbytes)

    def eof_received(self) -> bool:
        """The peer has shut its side; ours stays open for what is still to be sent."""
        self._websocket.received_eof()
        # TLS has no half-close here: the transport ends itself.
        return self._transport.can_write_eof()

    def pause_writing(self) -> None:
        """The kernel did not take all."""
        self._websocket.paused_writing()

    def resume_writing(self) -> None:
        """The kernel has taken all."""
        self._websocket.resumed_writing()

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is closed."""
        self._websocket.lost(error)
        self._server.wheel.cancel(self)
        self._server.clients.websocket_closed(self.address)
        # The callback first: the action may wait for it.
        self._server.outlived((self._websocket.consumer, self.task), self.action)
        # The two would keep each other until the garbage collector comes by, which takes long where much is.
        self._websocket = None  # type: ignore[assignment]

    # ---- from the wheel -------------------------------------------------------------------------------

    def expire(self, now: float) -> float:
        """A deadline may have come."""
        return self._websocket.expire(now)

    # ---- from the WebSocket (session.Link) ------------------------------------------------------------

    def write(self, parts: list[bytes], size: int) -> None:
        """Hand bytes to the transport in one go; one that has failed takes none, and is full from then on."""
        if not write_parts(self._transport, parts, size):
            self._websocket.paused_writing()

    def unsent(self) -> int:
        """Bytes that the transport still holds."""
        return self._transport.get_write_buffer_size()

    def unread(self) -> int:
        """Bytes that the transport keeps back."""
        return count_unread(self._transport)

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
        self._transport.close()

    def linger(self) -> None:
        """Shut the write side once everything has left; the peer's end is still read."""
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            # TLS: its close says so to the peer, and waits for the peer to say the same.
            self._transport.close()

    def touch(self) -> None:
        """The next deadline has changed. One who is about to go needs none."""
        if not self._rest and not is_lost(self._transport):
            self._server.wheel.schedule(self, self._websocket.next_at())

    def abort(self) -> None:
        """Drop the connection."""
        self._transport.abort()
