"""A socket that speaks HTTP: requests in order, each to its handler, then the next; until one is upgraded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from math import inf
from typing import TYPE_CHECKING, cast

from ioto_server.http import Body, HttpError, Request, RequestParser, encode_head
from ioto_server.session import SENT

from .exchange import Exchange
from .peer import Peer, forwarded, peer_of
from .settings import BODY_AHEAD
from .websocket_connection import WebSocketConnection

if TYPE_CHECKING:
    from .server import Server

# A silent client is closed silently: browsers open connections that they may never use.
_TIMEOUT = HttpError(408, "The request header did not arrive within timeouts.parse", close=True)


class HttpConnection(asyncio.BufferedProtocol):
    """One HTTP/1.1 connection."""

    __slots__ = (
        "_closing",
        "_deadline",
        "_exchange",
        "_full",
        "_idle_since",
        "_parser",
        "_paused",
        "_requests",
        "_room",
        "_server",
        "_transport",
        "address",
        "local",
        "peer",
        "scheme",
        "slot",
        "tls",
    )

    def __init__(self, server: Server, scheme: str) -> None:
        self.slot = -1
        self.scheme = scheme
        self._server = server
        self._parser = RequestParser(server.config.limits.header, server.config.limits.body)
        self._exchange: Exchange | None = None
        self._requests = 0
        self._closing = False
        self._paused = False
        self._full = False
        self._room: list[asyncio.Future[None]] = []
        self._deadline = inf
        self._transport: asyncio.Transport
        self.peer: Peer
        self.local = ""
        self.address = ""
        self.tls: dict[str, object] | None = None

    # ---- from the transport ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        # uvloop's transports are asyncio's by their methods only.
        self._transport = cast(asyncio.Transport, transport)
        self.peer = peer_of(transport.get_extra_info("peername"))
        self.address = self.peer.address
        self.local = peer_of(transport.get_extra_info("sockname")).address
        if self.scheme == "https":
            self.tls = {
                "version": transport.get_extra_info("ssl_object").version(),
                "peer": transport.get_extra_info("peercert"),
            }
        self._server.prepare(self._transport)
        refusal = self._server.admit(self)
        if refusal is not None:
            self._refuse(refusal)
            return
        self._expect_header()

    def get_buffer(self, _sizehint: int) -> bytearray:
        """Lend the loop's one receive buffer; the parser copies what it keeps."""
        return self._server.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have arrived."""
        if self._closing:
            return
        fresh = self._exchange is None and not self._parser.started
        self._parser.feed(memoryview(self._server.buffer)[:nbytes])
        if fresh and self._requests:
            # The next request on a kept connection: its header has timeouts.parse from its first byte on.
            self._expect_header()
        self.advance()

    def eof_received(self) -> bool:
        """The client has shut its side: what it asked for is still answered."""
        if self._exchange is None or self._closing:
            self._transport.close()
            return True
        self._exchange.keep_alive = False
        if not self._exchange.body_ended:
            self._exchange.lost()
            self._transport.close()
        return True

    def pause_writing(self) -> None:
        """The transport holds enough."""
        self._full = True

    def resume_writing(self) -> None:
        """The transport has room again."""
        self._full = False
        self._deadline = self._server.wheel.now + self._server.config.timeouts.inactivity
        waiting, self._room = self._room, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is closed."""
        self._server.wheel.cancel(self)
        self._server.forget(self)
        self.resume_writing()
        if self._exchange is not None:
            self._exchange.lost()

    # ---- time -----------------------------------------------------------------------------------------

    def _expect_header(self) -> None:
        self._set_deadline(self._server.config.timeouts.parse)

    def _set_deadline(self, seconds: float) -> None:
        self._deadline = self._server.wheel.now + seconds
        self._server.wheel.schedule(self, self._deadline)

    def expire(self, now: float) -> float:
        """A deadline may have come."""
        if now < self._deadline:
            return self._deadline
        if self._closing:
            self._transport.abort()
        elif self._exchange is not None:
            self._exchange.abandon()
        elif self._parser.started:
            self._refuse(_TIMEOUT)
            return self._deadline
        else:
            self._transport.close()
        return inf

    # ---- requests -------------------------------------------------------------------------------------

    def advance(self) -> None:
        """Take from the parser what the connection is ready for."""
        while not self._closing:
            exchange = self._exchange
            if exchange is not None and exchange.body_ended:
                break
            if exchange is not None and not exchange.done and exchange.body_waiting >= BODY_AHEAD:
                break
            try:
                event = self._parser.next_event()
            except HttpError as error:
                self._broken(error)
                return
            if event is None:
                break
            if isinstance(event, Request):
                self._begin(event)
            elif isinstance(event, Body):
                assert exchange is not None
                if not exchange.done:
                    exchange.push(event.data)
            else:
                assert exchange is not None
                exchange.end_of_body()
                if exchange.done:
                    self._next()
        self._throttle()

    def _throttle(self) -> None:
        """Read on only while little is waiting here: pipelined requests and bodies wait in the kernel."""
        ahead = self._parser.buffered + (self._exchange.body_waiting if self._exchange else 0)
        full = self._exchange is not None and ahead >= BODY_AHEAD and not self._closing
        if full != self._paused and not self._transport.is_closing():
            self._paused = full
            if full:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _begin(self, request: Request) -> None:
        self._requests += 1
        config = self._server.config
        keep_alive = (
            request.keep_alive and self._requests < config.limits.requests and not self._server.stopping
        )
        exchange = Exchange(self, request, keep_alive)
        self._exchange = exchange
        self._set_deadline(300.0 if config.timeouts.request is None else config.timeouts.request)
        self._server.handle(self, exchange)

    def _broken(self, error: HttpError) -> None:
        """The parser refuses: in a body this is its reader's business as long as nothing was answered."""
        exchange = self._exchange
        if exchange is not None and not exchange.done:
            exchange.body_failed(error)
            if exchange.answered or exchange.task is None:
                exchange.abandon()
            return
        self._refuse(error)

    def _refuse(self, error: HttpError) -> None:
        """Answer and close, for a request that was never handed on."""
        body = error.text.encode() + b"\n"
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
            *error.headers,
        ]
        self.send(encode_head(error.status, headers) + body)
        self._server.log_refusal(self.peer, error)
        self._close()

    def wants_body(self, exchange: Exchange) -> None:
        """A handler waits for the body: a client that asked whether to send it is told (RFC 9110, 10.1.1)."""
        if exchange.request.expect_continue and not exchange.answered:
            exchange.request.expect_continue = False
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    # ---- the answer -----------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Hand bytes to the transport."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def room(self) -> Awaitable[None]:
        """Wait while the transport is full."""
        if not self._full or self._transport.is_closing():
            return SENT
        future = asyncio.get_running_loop().create_future()
        self._room.append(future)
        return future

    def common_headers(self, headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """The `headers` directive's fields that this answer does not have of its own."""
        own = {name.lower() for name, _ in headers}
        return [
            (name, value) for name, value in self._server.config.headers.items() if name.lower() not in own
        ]

    def peer_name(self, request: Request) -> str:
        """The client as it stands in the log."""
        return forwarded(self.peer, request.headers, self._server.config.trusted_proxies).name

    def answered(self, exchange: Exchange) -> None:
        """The answer to the current request is complete."""
        if not exchange.keep_alive:
            self._close()
        elif exchange.body_ended:
            self._next()
            asyncio.get_running_loop().call_soon(self.advance)
        elif exchange.request.expect_continue:
            # The client may or may not send its body now: only a new connection is unambiguous.
            self._close()
        else:
            self.advance()

    def _next(self) -> None:
        """Ready for another request."""
        if self._exchange is not None and not self._exchange.keep_alive:
            self._close()
            return
        self._exchange = None
        self._set_deadline(self._server.config.timeouts.inactivity)

    def _close(self) -> None:
        """Shut our side, then wait for the client's end: a reset could destroy the answer (RFC 9112, 9.6)."""
        self._closing = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
            self._set_deadline(self._server.config.timeouts.close)
        else:
            self._transport.close()
            self._set_deadline(self._server.config.timeouts.close)
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def abort(self) -> None:
        """Drop the connection."""
        self._closing = True
        self._transport.abort()

    def stop(self, _code: int, _reason: str) -> None:
        """The server stops: an idle connection ends now, a busy one after its answer."""
        if self._exchange is None:
            self._transport.close()
        else:
            self._exchange.keep_alive = False

    def switch(self) -> WebSocketConnection:
        """Hand the transport over to a WebSocket."""
        self._server.wheel.cancel(self)
        link = WebSocketConnection(self._server, self._transport, self.address, self._parser.take_rest())
        if self._paused:
            self._transport.resume_reading()
        self._transport.set_protocol(link)
        self._server.replace(self, link)
        self._exchange = None
        return link
