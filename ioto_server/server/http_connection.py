"""A socket that speaks HTTP: requests in order, each to its handler, then the next; until one is upgraded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Final, cast

import structlog

from ioto_server.http import Body, HttpError, Request, RequestParser, encode_head
from ioto_server.session import SENT, Cause

from .exchange import Exchange
from .peer import Peer, forwarded, is_trusted, local_name, peer_of, remote_name
from .settings import BODY_AHEAD
from .states import TABLE, Phase, Step
from .websocket_connection import WebSocketConnection

if TYPE_CHECKING:
    from .server import Server

# The answers to pipelined requests that keep the loop busy for longer than this, in seconds, go on in its
# next turn, when the others have been read.
_FAIR_SHARE: Final = 0.005

# A silent client is closed silently: browsers open connections that they may never use.
_LATE_HEADER: Final = HttpError(
    408, "The request header did not arrive within timeouts.parse: send it at once", close=True
)

_log = structlog.get_logger("ioto_server.http")

FRESH: Final = Phase.FRESH
HEADER: Final = Phase.HEADER
REQUEST: Final = Phase.REQUEST
IDLE: Final = Phase.IDLE
SHUT: Final = Phase.SHUT
GONE: Final = Phase.GONE


class HttpConnection(asyncio.BufferedProtocol):
    """One HTTP/1.1 connection. Where it stands is `phase`, and `states.TABLE` leads it on."""

    __slots__ = (
        "_advancing",
        "_deadline",
        "_eof",
        "_exchange",
        "_full",
        "_handed",
        "_last_io",
        "_parser",
        "_paused",
        "_requests",
        "_room",
        "_server",
        "_taken",
        "_transport",
        "address",
        "held",
        "peer",
        "phase",
        "scheme",
        "slot",
    )

    def __init__(self, server: Server, scheme: str) -> None:
        self.slot = -1
        self.held = 0
        self.scheme = scheme
        self.phase = FRESH
        self._server = server
        self._parser = RequestParser(server.config.limits.header, server.config.limits.body)
        self._exchange: Exchange | None = None
        self._requests = 0
        self._advancing = False
        self._eof = False
        # Reading is paused; writing is, as the kernel has not taken everything.
        self._paused = False
        self._full = False
        self._handed = 0
        self._taken = 0
        self._room: list[asyncio.Future[None]] = []
        self._last_io = server.wheel.now
        self._deadline = server.wheel.now + server.config.timeouts.parse
        self._transport: asyncio.Transport
        self.peer: Peer
        self.address = ""

    # ---- from the transport ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        # uvloop's transports are asyncio's by their methods only.
        self._transport = cast(asyncio.Transport, transport)
        self.peer = peer_of(remote_name(transport))
        # To be told at once when the kernel does not take everything: nothing waits here uncounted.
        self._transport.set_write_buffer_limits(high=1 if self.scheme == "https" else 0, low=0)
        server = self._server
        if not is_trusted(self.peer, server.config.trusted_proxies):
            self.address = self.peer.address
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
        self._last_io = self._server.wheel.now
        self._parser.feed(memoryview(self._server.buffer)[:nbytes])
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

    def pause_writing(self) -> None:
        """The kernel did not take all."""
        self._full = True
        self._is_taking()
        self._recount()
        self._arm()

    def resume_writing(self) -> None:
        """The kernel has taken all."""
        self._full = False
        self._last_io = self._server.wheel.now
        self._recount()
        waiting, self._room = self._room, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is closed."""
        server = self._server
        self._step(Step.LOST)
        server.wheel.cancel(self)
        server.clients.closed(self)
        exchange = self._exchange
        if exchange is not None:
            exchange.lost()
            server.outlived(exchange.task, exchange.action)
        self.resume_writing()

    # ---- phases and time ------------------------------------------------------------------------------

    def _step(self, step: Step) -> bool:
        """Take a step of the table; False where it means nothing any more."""
        phase = TABLE[self.phase].get(step)
        if phase is None:
            return False
        self.phase = phase
        return True

    def _set_deadline(self, seconds: float) -> None:
        self._deadline = self._server.wheel.now + seconds
        self._arm()

    def _arm(self) -> None:
        self._server.wheel.schedule(self, self._next_at())

    def _next_at(self) -> float:
        if self.phase is GONE:
            return inf
        if self.phase is REQUEST and self._awaits_client():
            return min(self._deadline, self._last_io + self._server.config.timeouts.inactivity)
        return self._deadline

    def _awaits_client(self) -> bool:
        """Whether it is the client who keeps this request from going on."""
        exchange = self._exchange
        return self._full or (exchange is not None and (exchange.wants_body or exchange.done))

    def expire(self, now: float) -> float:
        """A deadline may have come."""
        if self._full and self._is_taking():
            # A client that takes what was sent before is not late.
            self._last_io = now
            if self.phase is not REQUEST:
                timeouts = self._server.config.timeouts
                self._deadline = now + (timeouts.close if self.phase is SHUT else timeouts.inactivity)
        if now < self._next_at():
            return self._next_at()
        if self.phase is HEADER:
            self._refuse(_LATE_HEADER)
        elif self.phase is REQUEST:
            self._time_is_up("request" if now >= self._deadline else "inactivity")
        elif self.phase is SHUT:
            self.abort()
        else:
            self._leave(Step.OVERDUE)
        return self._next_at()

    def _is_taking(self) -> bool:
        """Whether the kernel has taken anything since this was last asked."""
        taken = self._handed - self._transport.get_write_buffer_size()
        before, self._taken = self._taken, taken
        return taken > before

    def _time_is_up(self, name: str) -> None:
        """A request has taken too long: say who was late, if anything can still be said."""
        exchange = self._exchange
        assert exchange is not None
        if exchange.answered:
            exchange.abandon()
            self.abort()
        elif not exchange.body_ended:
            exchange.refuse(
                HttpError(408, f"The request body did not arrive within timeouts.{name}", close=True)
            )
        else:
            exchange.refuse(HttpError(503, f"There was no answer within timeouts.{name}", close=True))

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
        if self.phase in (SHUT, GONE, Phase.UPGRADED):
            return False
        if exchange is not None and (
            exchange.body_ended or (not exchange.done and exchange.body_waiting >= BODY_AHEAD)
        ):
            return False
        event = self._parser.next_event()
        if event is None:
            self._wait_for_more()
            return False
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
        full = self.phase not in (SHUT, GONE) and self._ahead() >= BODY_AHEAD
        if full != self._paused and self.phase is not Phase.UPGRADED and not self._transport.is_closing():
            self._paused = full
            if full:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _ahead(self) -> int:
        """Bytes that were read and not used yet."""
        return self._parser.buffered + (self._exchange.body_waiting if self._exchange else 0)

    def _begin(self, request: Request) -> None:
        self._requests += 1
        config = self._server.config
        keep_alive = (
            request.keep_alive and self._requests < config.limits.requests and not self._server.stopping
        )
        self._step(Step.HEADER_READ)
        self._exchange = Exchange(self, request, keep_alive)
        self._set_deadline(300.0 if config.timeouts.request is None else config.timeouts.request)
        self._server.handle(self, self._exchange)

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
        self._shut(Step.REFUSED)

    def allow_body(self, size: int) -> None:
        """Take a body of up to `size` bytes in the current request."""
        self._parser.set_max_body(size)

    def wants_body(self, exchange: Exchange) -> None:
        """A handler waits for the body: a client that asked whether to send it is told (RFC 9110, 10.1.1)."""
        if exchange.request.expect_continue and not exchange.answered:
            exchange.request.expect_continue = False
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._last_io = self._server.wheel.now
        self._arm()

    # ---- the answer -----------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Hand bytes to the transport."""
        if not self._transport.is_closing():
            self._handed += len(data)
            self._last_io = self._server.wheel.now
            self._transport.write(data)
            if self._full:
                self._recount()

    def is_too_slow(self) -> bool:
        """Whether more waits for the client than `limits.maxBacklog`."""
        return self._full and self._transport.get_write_buffer_size() > self._server.config.limits.max_backlog

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

    @property
    def tls(self) -> dict[str, object] | None:
        """What TLS has agreed on; asked for when it is needed, as idle connections are many."""
        if self.scheme != "https":
            return None
        ask = self._transport.get_extra_info
        return {
            "version": ask("ssl_object").version(),
            "cipher": ask("cipher")[0],
            "peer": ask("peercert") or None,
        }

    @property
    def local(self) -> str:
        """The address that the client has connected to."""
        return peer_of(local_name(self._transport)).address

    def peer_name(self, request: Request) -> str:
        """The client as it stands in the log."""
        return forwarded(self.peer, request.headers, self._server.config.trusted_proxies).name

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
            self._arm()
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

    def _shut(self, step: Step) -> None:
        """Shut our side, then wait for the client's end: a reset could destroy the answer (RFC 9112, 9.6)."""
        if not self._step(step):
            return
        if self._eof or not self._transport.can_write_eof() or not self._server.clients.may_linger(self):
            # TLS waits by itself for the client's close_notify.
            self._transport.close()
        else:
            self._transport.write_eof()
        self._set_deadline(self._server.config.timeouts.close)
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def _leave(self, step: Step) -> None:
        """Close without a word more, when all has been sent."""
        if self._step(step):
            self._transport.close()
            self._set_deadline(self._server.config.timeouts.close)

    def abort(self) -> None:
        """Drop the connection."""
        self._step(Step.LOST)
        self._transport.abort()
        self._arm()

    def stop(self, _code: int, _reason: str) -> None:
        """The server stops: a connection without a request ends now, a busy one after its answer."""
        if self._exchange is not None:
            self._exchange.keep_alive = False
        elif not self._parser.started:
            self._leave(Step.END_OF_STREAM)

    def drop(self, cause: Cause) -> None:
        """End the connection at once, whatever it is doing."""
        if self.phase is REQUEST:
            _log.warning("request dropped", peer=self.peer.name, why=cause.words)
        if self._exchange is not None:
            self._exchange.abandon()
        self.abort()

    def switch(self, exchange: Exchange) -> WebSocketConnection:
        """Hand the transport over to a WebSocket."""
        server = self._server
        self._step(Step.ACCEPTED)
        server.wheel.cancel(self)
        link = WebSocketConnection(server, self._transport, self.address, self._parser.take_rest())
        link.task, link.action = exchange.task, exchange.action
        if self._paused:
            self._transport.resume_reading()
        self._transport.set_protocol(link)
        server.clients.upgraded(self)
        self._recount()
        self._exchange = None
        return link

    # ---- limits.memory --------------------------------------------------------------------------------

    def _recount(self) -> None:
        held = self._ahead()
        if self.phase is GONE or self.phase is Phase.UPGRADED:
            held = 0
        elif self._full:
            held += self._transport.get_write_buffer_size()
        if held != self.held:
            self._server.host.memory.hold(self, held)

    def relieve(self) -> None:
        """This is the largest holder while `limits.memory` is exceeded."""
        exchange = self._exchange
        if exchange is None or exchange.done or exchange.answered or self._full:
            self.drop(Cause.OUT_OF_MEMORY)
        else:
            exchange.refuse(HttpError(503, "The server is over limits.memory: try again later", close=True))
        self._recount()

    def abandon(self) -> None:
        """Too much is left of what was relieved: drop the connection with it."""
        self.drop(Cause.OUT_OF_MEMORY)
        self._recount()
