"""The mechanics of one open WebSocket: what is read, queued, timed, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import structlog

from ioto_server.websocket import Received, close_text

from .ending import NO_CLOSE, NO_CODE, VIOLATIONS, Cause, Ending
from .errors import Closed
from .events import Event
from .inbox import Inbox
from .keepalive import Due, KeepAlive
from .outbox import HIGH_WATER, Outbox

if TYPE_CHECKING:
    from ioto_server.websocket import Protocol

    from .host import Host
    from .link import Link


# A callback that holds the loop for longer than this, in seconds, is named in a warning (SPEC 6).
HOLDS_THE_LOOP: Final = 0.1

_log = structlog.get_logger("ioto_server.websocket")


class Phase:
    """Where a connection stands between its handshake and the end of its TCP stream.

    OPEN: both sides may speak. CLOSING: our Close is sent, the peer's is awaited. LINGERING: the connection
    failed; what is left to send leaves, input is discarded. ENDED: the outcome is known, no event follows.
    """

    OPEN: Final = 0
    CLOSING: Final = 1
    LINGERING: Final = 2
    ENDED: Final = 3


class Conversation:
    """What happens to a WebSocket between its handshake and the end of its TCP stream.

    The server calls it with bytes and with the time; it calls the action, and its link.
    """

    __slots__ = (
        "_arg",
        "_callback",
        "_close_by",
        "_close_timeout",
        "_closed",
        "_codec",
        "_consumer",
        "_deferred",
        "_direct",
        "_ended_by",
        "_held",
        "_host",
        "_inbox",
        "_link",
        "_opened_at",
        "_outbox",
        "_pings",
        "_pong_due",
        "_topics",
        "_waiter",
        "bytes_in",
        "bytes_out",
        "data",
        "ending",
        "keepalive",
        "latency",
        "messages_in",
        "messages_out",
        "path",
        "peer",
        "phase",
        "protocol",
    )

    def __init__(
        self,
        *,
        host: Host,
        link: Link,
        codec: Protocol,
        keepalive: KeepAlive,
        protocol: str | None,
        path: str,
        peer: str,
    ) -> None:
        """Made by the server at `Web.accept()`; authors never make one."""
        self.protocol = protocol
        self.path = path
        self.peer = peer
        self.data: Any = None
        self.keepalive = keepalive
        self.ending: Ending | None = None
        self.phase: int = Phase.OPEN
        self.latency: float | None = None
        self.messages_in = self.messages_out = self.bytes_in = self.bytes_out = 0
        self._host = host
        self._link = link
        self._codec = codec
        self._outbox = Outbox(link)
        self._close_timeout = host.config.timeouts.close
        self._close_by = inf
        self._ended_by: Ending | None = None
        self._opened_at = monotonic()
        self._callback: Callable[..., Any] | None = None
        self._direct: Callable[..., Any] | None = None
        self._arg: Any = None
        self._inbox: Inbox | None = None
        self._held = False
        self._deferred: list[tuple[list[bytes], int]] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._consumer: asyncio.Task[None] | None = None
        self._closed: asyncio.Future[None] | None = None
        self._pings: dict[bytes, tuple[float, asyncio.Future[float] | None]] | None = None
        self._pong_due: bytes | None = None
        self._topics: set[str] | None = None

    def deliver(self, parts: list[bytes], size: int) -> None:
        """Queue a message that is framed already, for a topic's subscribers."""
        if self.phase != Phase.OPEN:
            return
        if self._deferred is not None:
            self._deferred.append((parts, size))
            return
        self._outbox.parts.extend(parts)
        self.messages_out += 1
        self._queued(size)

    def _queued(self, size: int) -> bool:
        """Frames of `size` bytes were appended: let them leave, unless the peer is too slow for them.

        A message is accepted while the backlog before it is within `limits.maxBacklog`, whatever its size.
        """
        outbox = self._outbox
        self.bytes_out += size
        if not outbox.writable and outbox.backlog() > self._host.config.limits.max_backlog:
            outbox.queued += size
            self._fail(Cause.SLOW_CONSUMER, 1008, "Slow consumer")
            return False
        outbox.queued += size
        if not outbox.corked or outbox.queued > HIGH_WATER:
            outbox.flush()
            self.keepalive.last_io = self._host.now()
        return True

    def _check_open(self) -> None:
        if self.phase != Phase.OPEN:
            ending = self.ending or self._ended_by
            raise Closed(ending.code if ending else NO_CLOSE, ending.reason if ending else "")

    # ---- telling the action --------------------------------------------------------------

    def opened(self) -> None:
        """The 101 is sent: the connection is open."""
        _log.info("websocket open", peer=self.peer, path=self.path, protocol=self.protocol)
        self._host.websockets.add(self)
        self._emit(Event.OPEN, None)

    def _emit(self, event: Event, data: str | bytes | None) -> None:
        """Tell the action, at once where it has a plain callback, else through the inbox."""
        if self._direct is not None:
            self._call(event, data)
            return
        if self._inbox is None:
            self._inbox = Inbox()
        self._inbox.push(event, data)
        if self._callback is not None:
            self._consume()
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _call(self, event: Event, data: str | bytes | None) -> None:
        callback = self._callback
        assert callback is not None
        begun = monotonic()
        try:
            callback(self, event, data, self._arg)
        except Closed:
            pass
        except Exception:
            self.failed()
        if monotonic() - begun > HOLDS_THE_LOOP:
            self._holds_the_loop(monotonic() - begun)

    def _consume(self) -> None:
        """See to it that a task hands the inbox to the async callback, one event at a time, in order."""
        if self._consumer is None and self._inbox:
            self._consumer = self._host.create_task(self._consume_inbox())

    async def _consume_inbox(self) -> None:
        inbox = self._inbox
        callback = self._callback
        assert inbox is not None
        assert callback is not None
        try:
            while inbox:
                event, data = inbox.pop()
                if self._held and inbox.low:
                    self._release()
                try:
                    await callback(self, event, data, self._arg)
                except Closed:
                    pass
                except Exception:
                    self.failed()
        finally:
            self._consumer = None
        if self.ending is not None:
            self._tell_closed()

    def failed(self) -> None:
        """The action raised, the exception is being handled: its traceback to the log, 1011 to the peer."""
        _log.exception("action failed", path=self.path, peer=self.peer)
        self._fail(Cause.ACTION_FAILED, 1011, "Internal error")

    def _holds_the_loop(self, seconds: float) -> None:
        code = getattr(self._callback, "__code__", None)
        _log.warning(
            "callback held the loop",
            callback=getattr(self._callback, "__qualname__", repr(self._callback)),
            where=f"{code.co_filename}:{code.co_firstlineno}" if code else None,
            milliseconds=round(seconds * 1000),
            path=self.path,
            hint="every connection of this process waited; do less in it, or move the work to a thread",
        )

    # ---- what the server calls ------------------------------------------------------------------------

    def received(self, data: bytes | bytearray, end: int) -> None:
        """Take in the first `end` bytes of `data`, which a `bytearray` lends: it may be changed in place."""
        keepalive = self.keepalive
        keepalive.last_io = self._host.now()
        keepalive.heard = True
        self.bytes_in += end
        self._codec.receive(data, 0, end)
        if self._held:
            self._codec.hold()
            return
        outbox = self._outbox
        outbox.corked = True
        try:
            self._pump()
        finally:
            outbox.uncork()

    def _pump(self) -> None:
        """Deliver what has arrived until more is needed, or until the action lags too far behind."""
        codec = self._codec
        begun = monotonic()
        while True:
            kind = codec.next_event()
            if kind == Received.NEED_DATA:
                break
            if kind == Received.MESSAGE:
                self.messages_in += 1
                event = Event.MESSAGE
            elif kind == Received.PIECE:
                event = Event.PARTIAL_MESSAGE
            else:
                self._control(kind)
                continue
            direct = self._direct
            if direct is None:
                self._emit(event, codec.data)
                if self._inbox is not None and self._inbox.full:
                    self._hold()
                    break
                continue
            try:
                direct(self, event, codec.data, self._arg)
            except Closed:
                pass
            except Exception:
                self.failed()
        if monotonic() - begun > HOLDS_THE_LOOP and self._direct is not None:
            self._holds_the_loop(monotonic() - begun)

    def _control(self, kind: Received) -> None:
        codec = self._codec
        if kind == Received.PING:
            self._pong(codec.data)
        elif kind == Received.PONG:
            self._ponged(codec.data)
        elif kind == Received.CLOSE:
            self._peer_closed(codec.close_code, codec.close_reason)
        else:
            error = codec.error
            assert error is not None
            self._fail(VIOLATIONS[error.code], error.code, error.reason)

    def _hold(self) -> None:
        self._held = True
        self._codec.hold()
        self._link.pause_reading()
        self.keepalive.pause()

    def _release(self) -> None:
        """The action has caught up: go on with what is held here, then with the socket."""
        self._held = False
        self.keepalive.resume(self._host.now())
        outbox = self._outbox
        corked, outbox.corked = outbox.corked, True
        try:
            self._pump()
        finally:
            if not corked:
                outbox.uncork()
        if not self._held:
            self._link.resume_reading()
            self._link.touch()

    def received_eof(self) -> None:
        """The peer's stream has ended."""
        self._end(self._ended_by or Ending(Cause.PEER_VANISHED, NO_CLOSE, "", clean=False))
        self._close_by = self._host.now() + self._close_timeout
        self._link.finish()
        self._link.touch()

    def lost(self, error: Exception | None) -> None:
        """The link is gone."""
        reason = str(error) if error else ""
        self._end(self._ended_by or Ending(Cause.CONNECTION_LOST, NO_CLOSE, reason, clean=False))
        self._host.websockets.discard(self)

    def paused_writing(self) -> None:
        """The link is full."""
        self._outbox.paused()

    def resumed_writing(self) -> None:
        """The link has room again."""
        self.keepalive.last_io = self._host.now()
        if self._pong_due is not None and self.phase == Phase.OPEN:
            payload, self._pong_due = self._pong_due, None
            self._outbox.queued += self._codec.send_pong(payload, self._outbox.parts)
        self._outbox.resumed()

    def stop(self, code: int, reason: str) -> None:
        """The server stops: tell the peer."""
        if self.phase == Phase.OPEN:
            self._close(Cause.SERVER_STOPPING, code, reason)

    def returned(self) -> None:
        """The action has returned: an orderly close, if nobody closed before."""
        if self.phase == Phase.OPEN:
            self._close(Cause.ACTION_RETURNED, 1000, "")

    # ---- time -----------------------------------------------------------------------------------------

    def next_at(self) -> float:
        """When `expire` has to be called at the latest."""
        return self.keepalive.next_at() if self.phase == Phase.OPEN else self._close_by

    def expire(self, now: float) -> None:
        """Do what `now` asks for."""
        if self.phase != Phase.OPEN:
            if now >= self._close_by:
                self._close_by = inf
                self._end(self._ended_by or Ending(Cause.CLOSE_TIMEOUT, NO_CLOSE, "", clean=False))
                self._link.abort()
            return
        due = self.keepalive.due(now)
        if due is Due.PING:
            self._ping(self._host.ping_payload(), None)
        elif due is Due.INACTIVITY:
            self._close(Cause.INACTIVITY, 1001, "Inactivity timeout")
        elif due is Due.REQUEST:
            self._close(Cause.REQUEST_TIMEOUT, 1001, "Request timeout")
        elif due is Due.PONG:
            self._close(Cause.PONG_TIMEOUT, 1011, "Keep-alive timeout")

    # ---- control frames -------------------------------------------------------------------------------

    def _ping(self, payload: bytes, pong: asyncio.Future[float] | None) -> None:
        size = self._codec.send_ping(payload, self._outbox.parts)
        if self._pings is None:
            self._pings = {}
        self._pings[payload] = (monotonic(), pong)
        self._queued(size)

    def _pong(self, payload: bytes) -> None:
        if self.phase != Phase.OPEN:
            return
        if self._outbox.writable:
            self._queued(self._codec.send_pong(payload, self._outbox.parts))
        else:
            # RFC 6455, 5.5.3: of several pings, the most recent may be the only one answered.
            self._pong_due = payload

    def _ponged(self, payload: bytes) -> None:
        pings = self._pings
        if pings is None or payload not in pings:
            return
        now = monotonic()
        # A pong answers its ping and, as the peer may skip some, all that were sent before it.
        for sent in list(pings):
            sent_at, pong = pings.pop(sent)
            if pong is not None and not pong.done():
                pong.set_result(now - sent_at)
            if sent == payload:
                self.latency = now - sent_at
                break
        if not pings:
            self._pings = None

    # ---- the end --------------------------------------------------------------------------------------

    def _close(self, cause: Cause, code: int, reason: str) -> None:
        """Send our Close and wait for the peer's."""
        size = self._codec.send_close(code, reason, self._outbox.parts)
        self._ended_by = Ending(cause, code, reason, clean=False)
        self._enter(Phase.CLOSING)
        self._outbox.queued += size
        self.bytes_out += size
        self._outbox.pushed()
        if self._held:
            # What is held came before our Close and is discarded; the peer's Close may be behind it.
            self._release()

    def _peer_closed(self, code: int, reason: str) -> None:
        if self.phase == Phase.OPEN:
            # RFC 6455, 5.5.1: the answer typically echoes the status code; an empty Close gets an empty one.
            answer = None if code == NO_CODE else code
            size = self._codec.send_close(answer, "", self._outbox.parts)
            self._outbox.queued += size
            self.bytes_out += size
            ending = Ending(Cause.PEER_CLOSED, code, reason, clean=True)
        else:
            begun = self._ended_by
            assert begun is not None
            ending = Ending(begun.cause, begun.code, begun.reason, clean=True)
        self._outbox.flush()
        self._end(ending)
        self._close_by = self._host.now() + self._close_timeout
        self._link.finish()
        self._link.touch()

    def _fail(self, cause: Cause, code: int, reason: str) -> None:
        """End a connection that cannot go on (RFC 6455, 7.1.7): drop what is unsent, Close, linger."""
        if self.phase >= Phase.LINGERING:
            return
        outbox = self._outbox
        if self.phase == Phase.OPEN:
            if cause in VIOLATIONS.values():
                # What the action answered to the good messages before the bad frame still leaves.
                outbox.flush()
            outbox.drop()
            size = self._codec.send_close(code, reason, outbox.parts)
            outbox.queued += size
            self.bytes_out += size
        ending = self._ended_by or Ending(cause, code, reason, clean=False)
        self._enter(Phase.LINGERING)
        outbox.writable = True
        outbox.flush()
        self._link.linger()
        if self._held:
            self._link.resume_reading()
        self._end(ending)

    def _enter(self, phase: int) -> None:
        self.phase = phase
        self._close_by = self._host.now() + self._close_timeout
        self._link.touch()

    def _end(self, ending: Ending) -> None:
        """The outcome is known: tell everybody who waits for it, once."""
        if self.ending is not None:
            return
        self.ending = ending
        if self.phase != Phase.LINGERING:
            self.phase = Phase.ENDED
        for topic in self._topics or ():
            self._host.topics.unsubscribe(self, topic)
        self._topics = None
        self._log_end(ending)
        if self._callback is not None:
            if ending.error_message:
                self._emit(Event.ERROR, ending.error_message)
            self._emit(Event.CLOSE, ending.reason)
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        for _, pong in (self._pings or {}).values():
            if pong is not None and not pong.done():
                pong.set_exception(Closed(ending.code, ending.reason))
        self._pings = None
        self._outbox.wake()
        if self._consumer is None:
            self._tell_closed()

    def _tell_closed(self) -> None:
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)

    def _log_end(self, ending: Ending) -> None:
        _log.info(
            "websocket close",
            peer=self.peer,
            path=self.path,
            protocol=self.protocol,
            seconds=round(monotonic() - self._opened_at, 3),
            messages_in=self.messages_in,
            messages_out=self.messages_out,
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            close=close_text(ending.code),
            reason=ending.reason,
            by=ending.cause.by.value,
            cause=ending.cause.words,
            clean=ending.clean,
        )
