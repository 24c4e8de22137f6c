"""A socket that speaks HTTP: requests in order, each to its handler, then the next; until one is upgraded."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from sys import intern
from time import monotonic
from typing import Final

from structlog.typing import FilteringBoundLogger

from ioto_server.http import Body, HttpError, Request

from .exchange import Exchange
from .http_life import HttpLife
from .peer import forwarded, is_trusted, local_name, peer_of, remote_name
from .plain import is_own
from .secure import server_name
from .settings import BODY_AHEAD
from .states import Phase, Step
from .websocket_connection import WebSocketConnection

# The answers to pipelined requests that keep the loop busy for longer than this, in seconds, go on in its
# next turn, when the others have been read.
_FAIR_SHARE: Final = 0.005

IDLE: Final = Phase.IDLE
SHUT: Final = Phase.SHUT
UPGRADED: Final = Phase.UPGRADED
GONE: Final = Phase.GONE
HEADER_READ: Final = Step.HEADER_READ
ACCEPTED: Final = Step.ACCEPTED


class HttpConnection(HttpLife):
    """One HTTP/1.1 connection."""

    __slots__ = ()

    # ---- from the transport ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        # uvloop's transports are asyncio's by their methods only.
        self._transport = transport  # type: ignore[assignment]
        self.peer = peer_of(remote_name(transport))
        # To be told at once when the kernel does not take everything: nothing waits here uncounted.
        # The loop's TLS takes 0 for its default.
        by_loop = self.scheme == "https" and not is_own(transport)
        self._transport.set_write_buffer_limits(1 if by_loop else 0, 0)
        server = self._server
        if not is_trusted(self.peer, server.config.trusted_proxies):
            self.address = self.peer.address
        if server.stopping:
            # Its TLS was agreed on meanwhile: what it asks for is served, a silence is not waited for.
            self._deadline = min(self._deadline, self._wheel.now + server.config.timeouts.close)
        refusal = server.admit(self)
        if refusal is not None:
            self._refuse(refusal)
        self._arm()

    def get_buffer(self, _sizehint: int) -> bytearray:
        """Lend the loop's one receive buffer; the parser copies what it keeps."""
        return self._server.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have arrived."""
        if self.phase is SHUT or self.phase is GONE:
            return
        if not self._full:
            # Who owes us the reading of an answer is not active by sending on.
            self._last_io = self._wheel.now
        self._parser.feed_lent(self._server.buffer, nbytes)
        self.advance()

    def eof_received(self) -> bool:
        """The client has shut its side: what it asked for is still answered, but over TLS only at once."""
        self._eof = True
        if self.phase is SHUT:
            self._transport.close()
        else:
            self.advance()
        # TLS has no half-close here: the transport ends itself.
        return self.scheme != "https"

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is closed."""
        server = self._server
        self._step(Step.LOST)
        server.wheel.cancel(self)
        server.clients.closed(self)
        exchange = self._exchange
        if exchange is not None:
            exchange.lost()
            server.outlived((exchange.task,), exchange.action)
        self.resume_writing()

    def resume_writing(self) -> None:
        """The kernel has taken all: requests that waited for that go on."""
        HttpLife.resume_writing(self)
        if self._exchange is None and self.phase not in (SHUT, GONE, UPGRADED):
            asyncio.get_running_loop().call_soon(self.advance)

    # ---- requests -------------------------------------------------------------------------------------

    def advance(self) -> None:
        """Take from the parser what the connection is ready for."""
        if self._advancing:
            return
        self._advancing = True
        begun = monotonic()
        try:
            while self._pull():
                if self._exchange is None and monotonic() - begun > _FAIR_SHARE:
                    asyncio.get_running_loop().call_soon(self.advance)
                    break
        except HttpError as error:
            self._broken(error)
        finally:
            self._advancing = False
        self._throttle()
        self._recount()

    def _pull(self) -> bool:
        """Take one event of the parser; False when there is none that could be handled now."""
        exchange = self._exchange
        phase = self.phase
        if phase is UPGRADED or phase is SHUT or phase is GONE:
            return False
        if exchange is None and self._full:
            # Who does not take the answers gets no more of them; the requests wait here and in the kernel.
            if self._eof and not self._parser.buffered:
                self._wait_for_more()
            return False
        if exchange is not None and (
            exchange.body_ended or (not exchange.done and exchange.body_waiting >= BODY_AHEAD)
        ):
            return False
        event = self._parser.next_event()
        if event is None:
            self._wait_for_more()
            return False
        if type(event) is Request:
            self._begin(event)
        elif type(event) is Body:
            assert exchange is not None
            if not exchange.done:
                exchange.push(event.data)
        else:
            assert exchange is not None
            exchange.end_of_body()
            if exchange.done:
                self._next()
        return True

    def _wait_for_more(self) -> None:
        if self._eof:
            # It will not come. A client that left in the midst of its body cannot be answered.
            if self._exchange is not None:
                self._exchange.lost()
            self._leave(Step.END_OF_STREAM)
        elif self._exchange is None and self._parser.started:
            kept = self.phase is IDLE
            if self._step(Step.BYTES) and kept:
                # A header has timeouts.parse from its first byte on; the first one from the connection on.
                self._set_deadline(self._server.config.timeouts.parse)

    def _throttle(self) -> None:
        """Read on only while little is waiting here: pipelined requests and bodies wait in the kernel."""
        phase = self.phase
        if phase is UPGRADED:
            return
        full = phase is not SHUT and phase is not GONE and self._ahead() >= BODY_AHEAD
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
        self._step(HEADER_READ)
        self._exchange = Exchange(self, request, keep_alive)
        self.begin_request()
        self._server.handle(self, self._exchange)

    def _broken(self, error: HttpError) -> None:
        """The parser refuses: in a body this is its reader's business as long as nothing was answered."""
        exchange = self._exchange
        if exchange is None:
            self._refuse(error)
        elif exchange.done:
            # A second answer would be taken for that to the next request.
            self._shut(Step.LAST_ANSWERED)
        else:
            exchange.body_failed(error)
            if exchange.answered or exchange.task is None:
                exchange.abandon()

    def allow_body(self, size: int) -> None:
        """Take a body of up to `size` bytes in the current request."""
        self._parser.set_max_body(size)

    def wants_body(self, exchange: Exchange) -> None:
        """A handler waits for the body: a client that asked whether to send it is told (RFC 9110, 10.1.1)."""
        if exchange.request.expect_continue and not exchange.answered:
            exchange.request.expect_continue = False
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._last_io = self._wheel.now
        self._arm()

    # ---- the answer -----------------------------------------------------------------------------------

    def answered(self, exchange: Exchange) -> None:
        """The answer to the current request is complete."""
        if not exchange.keep_alive:
            self._shut(Step.LAST_ANSWERED)
        elif exchange.body_ended:
            self._next()
            asyncio.get_running_loop().call_soon(self.advance)
        elif exchange.request.expect_continue:
            # The client may or may not send its body now: only a new connection is unambiguous.
            self._shut(Step.LAST_ANSWERED)
        else:
            self._hurry_body()
            self.advance()

    def _next(self) -> None:
        """Ready for another request."""
        exchange = self._exchange
        assert exchange is not None
        if not exchange.keep_alive:
            self._shut(Step.LAST_ANSWERED)
        elif self._step(Step.ANSWERED):
            self._exchange = None
            self._set_deadline(self._server.config.timeouts.inactivity)

    def switch(self, exchange: Exchange) -> WebSocketConnection:
        """Hand the transport over to a WebSocket."""
        server = self._server
        self._step(ACCEPTED)
        server.wheel.cancel(self)
        link = WebSocketConnection(server, self._transport, self.address, self._parser.take_rest())
        link.task, link.action = exchange.task, exchange.action
        if self._paused:
            self._transport.resume_reading()
        self._transport.set_protocol(link)
        link.ended_early = self._eof
        server.clients.upgraded(self)
        self._recount()
        self._exchange = None
        return link

    # ---- what is known of the client ------------------------------------------------------------------

    @property
    def request_log(self) -> FilteringBoundLogger:
        """Where the lines of requests go."""
        return self._server.request_log

    @property
    def common_headers(self) -> Mapping[str, str]:
        """The `headers` directive."""
        return self._server.config.headers

    @property
    def tls(self) -> dict[str, object] | None:
        """What TLS has agreed on; asked for when it is needed, as idle connections are many."""
        if self.scheme != "https":
            return None
        ask = self._transport.get_extra_info
        name = server_name(self._transport)
        return {
            "version": ask("ssl_object").version(),
            "cipher": ask("cipher")[0],
            "peer": ask("peercert") or None,
            # One text for all who have asked for the same.
            "server_name": name and intern(name),
        }

    @property
    def local(self) -> str:
        """The address that the client has connected to."""
        if self._local is None:
            name = local_name(self._transport)
            # One text for all who have connected to the same address; a unix socket has none.
            self._local = intern(name[0]) if isinstance(name, tuple) else ""
        return self._local

    def peer_name(self, request: Request) -> str:
        """The client as it stands in the log."""
        return forwarded(self.peer, request.headers, self._server.config.trusted_proxies).name
