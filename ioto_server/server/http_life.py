"""How an HTTP connection lives and ends: its phase, its deadlines, and what it holds (SPEC 5)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from math import inf
from time import time
from typing import TYPE_CHECKING, Any, Final

import structlog

from ioto_server.http import HttpError, RequestParser, encode_comment, encode_head, http_date, with_common
from ioto_server.session import NEXT_TURN, Cause

from .peer import Peer
from .states import TABLE, Phase, Step

if TYPE_CHECKING:
    from .exchange import Exchange
    from .server import Server

# A silent client is closed silently: browsers open connections that they may never use.
_LATE_HEADER: Final = HttpError(
    408, "The request header did not arrive within timeouts.parse: send it at once", close=True
)

FRESH: Final = Phase.FRESH
HEADER: Final = Phase.HEADER
REQUEST: Final = Phase.REQUEST
SHUT: Final = Phase.SHUT
GONE: Final = Phase.GONE
UPGRADED: Final = Phase.UPGRADED

_log = structlog.get_logger("ioto_server.http")


class _Room:
    """The awaitable of a write that has to wait: only who awaits it costs anything."""

    __slots__ = ("_life",)

    def __init__(self, life: HttpLife) -> None:
        self._life = life

    def __await__(self) -> Generator[Any, None, None]:
        waiter = self._life._waiter()
        if waiter is None:
            yield
        else:
            yield from waiter


class HttpLife:
    """The state of one HTTP connection. Where it stands is `phase`, and `states.TABLE` leads it on.

    An asyncio.BufferedProtocol by what it can do: compiled, it can have no base that is written in Python.
    """

    __slots__ = (
        "_advancing",
        "_armed",
        "_deadline",
        "_eof",
        "_exchange",
        "_full",
        "_handed",
        "_inactivity",
        "_last_io",
        "_local",
        "_parser",
        "_paused",
        "_request_time",
        "_requests",
        "_room",
        "_server",
        "_taken",
        "_transport",
        "_wheel",
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
        config = self._server.config
        limits = config.limits
        self._parser = RequestParser(limits.header, limits.body)
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
        # Of the request that is being answered, in seconds.
        self._inactivity = self._request_time = inf
        self._wheel = self._server.wheel
        self._last_io = self._wheel.now
        self._deadline = self._last_io + config.timeouts.parse
        # When the wheel is to call, as long as it holds this.
        self._armed = inf
        self._transport: asyncio.Transport
        self.peer: Peer
        self.address = ""
        # The address of ours that the client has connected to, once somebody has asked for it.
        self._local: str | None = None

    # ---- phases and time ------------------------------------------------------------------------------

    def _step(self, step: Step) -> bool:
        """Take a step of the table; False where it means nothing any more."""
        row = TABLE[self.phase]
        phase = row.get(step)
        if phase is None:
            return False
        self.phase = phase
        return True

    def _set_deadline(self, seconds: float) -> None:
        self._deadline = self._wheel.now + seconds
        self._arm()

    def _arm(self) -> None:
        """Have the wheel call in time; where it will call earlier anyway, it is told the new time then."""
        at = self._next_at()
        if self.slot < 0 or at < self._armed:
            self._armed = at
            self._wheel.schedule(self, at)

    def _next_at(self) -> float:
        if self.phase is GONE:
            return inf
        if self.phase is REQUEST:
            inactive_at = self._last_io + self._inactivity if self._awaits_client() else inf
            return min(self._deadline, inactive_at, self._comment_at())
        return self._deadline

    def _awaits_client(self) -> bool:
        """Whether it is the client who keeps this request from going on; of a stream, whoever it is."""
        exchange = self._exchange
        return self._full or (
            exchange is not None and (exchange.wants_body or exchange.done or exchange.streaming)
        )

    def _comment_at(self) -> float:
        """When a stream of events has been silent for so long that a comment is due, as a ping would be."""
        exchange = self._exchange
        if exchange is None or not exchange.streaming or exchange.done or self._full:
            return inf
        return self._last_io + self._server.config.web_sockets.ping

    def begin_request(self) -> None:
        """The deadlines of a request begin to run."""
        timeouts = self._server.config.timeouts
        self._inactivity = timeouts.inactivity
        request_time = timeouts.request
        self._request_time = 300.0 if request_time is None else request_time
        self._set_deadline(self._request_time)

    def unhurry(self) -> None:
        """The answer is a stream of events or a file: no request timeout holds for it but one that was set.

        A file of any size reaches whoever goes on reading; who does not has `timeouts.inactivity`.
        """
        if self._server.config.timeouts.request is None:
            self._deadline = inf
        self._arm()

    def _hurry_body(self) -> None:
        """The answer is complete and the request's body is not: what `unhurry` took away holds again."""
        if self._deadline == inf:
            self._set_deadline(self._request_time)
        else:
            self._arm()

    def update_deadline(self, inactivity: float | None, request: float | None) -> None:
        """Restart the deadlines of the request, with other lengths in seconds where given."""
        if inactivity is not None:
            self._inactivity = inactivity
        if request is not None:
            self._request_time = request
        self._last_io = self._wheel.now
        self._set_deadline(self._request_time)

    def expire(self, now: float) -> float:
        """A deadline may have come."""
        self._armed = self._expire(now)
        return self._armed

    def _expire(self, now: float) -> float:
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
            self._request_expires(now)
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

    def _request_expires(self, now: float) -> None:
        exchange = self._exchange
        assert exchange is not None
        if now >= self._deadline:
            self._time_is_up(exchange, "request")
        elif now >= self._last_io + self._inactivity and self._awaits_client():
            self._time_is_up(exchange, "inactivity")
        else:
            exchange.write(encode_comment())

    def _time_is_up(self, exchange: Exchange, name: str) -> None:
        """A request has taken too long: say who was late, if anything can still be said."""
        if exchange.streaming and not self._full:
            # What was sent is whole, and the client will come back for more.
            exchange.keep_alive = False
            exchange.end()
        elif exchange.answered:
            exchange.abandon()
            self.abort()
        elif not exchange.body_ended:
            exchange.refuse(
                HttpError(408, f"The request body did not arrive within timeouts.{name}", close=True)
            )
        else:
            exchange.refuse(HttpError(503, f"There was no answer within timeouts.{name}", close=True))

    # ---- sending --------------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        """The kernel did not take all."""
        self._full = True
        self._is_taking()
        self._recount()
        self._arm()

    def resume_writing(self) -> None:
        """The kernel has taken all."""
        self._full = False
        self._last_io = self._wheel.now
        self._recount()
        waiting, self._room = self._room, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def send(self, data: bytes) -> None:
        """Hand bytes to the transport."""
        if not self._transport.is_closing():
            self._handed += len(data)
            self._last_io = self._wheel.now
            self._transport.write(data)
            if self._full:
                self._recount()

    def is_too_slow(self) -> bool:
        """Whether more waits for the client than `limits.maxBacklog`."""
        return self._full and self._transport.get_write_buffer_size() > self._server.config.limits.max_backlog

    def room(self) -> Awaitable[None]:
        """Wait while the transport is full, and for one turn of the loop at least, which is the others'."""
        return _Room(self) if self._full or self._transport.is_closing() else NEXT_TURN

    def _waiter(self) -> asyncio.Future[None] | None:
        """What to wait for until the transport has room, or is gone; None where that is so."""
        if self.phase is GONE or not (self._full or self._transport.is_closing()):
            return None
        future = asyncio.get_running_loop().create_future()
        self._room.append(future)
        return future

    # ---- the end --------------------------------------------------------------------------------------

    def _refuse(self, error: HttpError) -> None:
        """Answer and close, for a request that was never handed on."""
        body = error.text.encode() + b"\n"
        headers = [
            ("Date", http_date(time())),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
            *error.headers,
        ]
        self.send(encode_head(error.status, with_common(self._server.config.headers, headers)) + body)
        self._server.log_refusal(self.peer, error)
        self._shut(Step.REFUSED)

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
        """The server stops: a connection without a request ends now, a busy one after its answer.

        A stream of events never ends by itself: its client comes back to whoever serves then.
        """
        exchange = self._exchange
        if exchange is not None:
            exchange.keep_alive = False
            if exchange.streaming:
                exchange.end()
        elif not self._parser.started:
            self._leave(Step.END_OF_STREAM)

    def drop(self, cause: Cause) -> None:
        """End the connection at once, whatever it is doing."""
        if self.phase is REQUEST:
            _log.warning("request dropped", peer=self.peer.name, why=cause.words)
        if self._exchange is not None:
            self._exchange.abandon()
        self.abort()

    # ---- limits.memory --------------------------------------------------------------------------------

    def _ahead(self) -> int:
        """Bytes that were read and not used yet."""
        return self._parser.buffered + (self._exchange.body_waiting if self._exchange else 0)

    def _recount(self) -> None:
        held = self._ahead()
        if self.phase is GONE or self.phase is UPGRADED:
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
