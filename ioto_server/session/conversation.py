"""One open WebSocket between its handshake and the end of its TCP stream: what is read, sent and timed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import structlog

from ioto_server.websocket import Received, close_text

from .delivery import HOLDS_THE_LOOP, Delivery
from .ending import NO_CLOSE, NO_CODE, VIOLATIONS, Cause, Ending, Handshake
from .errors import Closed
from .events import Event
from .keepalive import Due, KeepAlive
from .memory import SMALL
from .outbox import HIGH_WATER, SENT, Outbox
from .pings import Pings
from .states import CLOSING, FINISHING, LINGERING, OPEN, Step, after

if TYPE_CHECKING:
    from ioto_server.config import Config
    from ioto_server.websocket import Protocol

    from .host import Host
    from .link import Link
    from .publication import Publication

# While a peer does not take what is sent, this is how often, in seconds, it is looked whether it takes any.
_WATCH_EVERY: Final = 1.0

# A connection that keeps the loop busy with what it sends for longer than this, in seconds, goes on in the
# next turn, when the others have been read. The clock is looked at after so many events.
_FAIR_SHARE: Final = 0.005
_EVENTS_UNTIMED: Final = 64

# Causes after which nothing that is unsent may leave any more: it is what the connection failed for.
_OVERLOADS: Final = (Cause.SLOW_CONSUMER, Cause.OUT_OF_MEMORY)

# Looked up once: an enum's member is an attribute of its class.
_NEED_DATA: Final = Received.NEED_DATA
_MESSAGE: Final = Received.MESSAGE
_PIECE: Final = Received.PIECE
_WHOLE: Final = Event.MESSAGE
_PARTIAL: Final = Event.PARTIAL_MESSAGE

_log = structlog.get_logger("ioto_server.websocket")


class Conversation(Delivery):
    """The mechanics under `WebSocket`. The server calls it with bytes and time; it calls action and link.

    Where it stands is `phase`, and nothing but `states.TABLE` leads from one phase to another.
    """

    __slots__ = (
        "_clock",
        "_close_by",
        "_codec",
        "_config",
        "_count_at",
        "_ended_by",
        "_eof",
        "_link",
        "_outbox",
        "_pings",
        "_pong_due",
        "_topics",
        "bytes_in",
        "bytes_out",
        "data",
        "drop_when_slow",
        "dropped",
        "held",
        "keepalive",
        "latency",
        "messages_in",
        "messages_out",
        "number",
        "opened_at",
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
        drop_when_slow: bool = False,
    ) -> None:
        """Made at `Web.accept()`; authors never make one."""
        super().__init__(host, path, peer)
        self.protocol = protocol
        self.data: Any = None
        self.drop_when_slow = drop_when_slow
        self.keepalive = keepalive
        self.phase: int = OPEN
        self.latency: float | None = None
        self.messages_in = self.messages_out = self.bytes_in = self.bytes_out = self.dropped = 0
        # Bytes counted in limits.memory, written by the account; and at what `bytes_in` to count again.
        self.held = 0
        self._count_at = SMALL
        # A reload changes the host's configuration, not that of a connection that is open.
        self._config: Config = host.config
        self._clock = host.clock
        self._link = link
        self._codec = codec
        self._outbox = Outbox(link)
        self._close_by = inf
        self._ended_by: Ending | None = None
        self._eof = False
        self.opened_at = monotonic()
        self.number = host.next_number()
        self._pings: Pings | None = None
        self._pong_due: bytes | None = None
        self._topics: set[str] | None = None

    def opened(self) -> None:
        """The 101 is sent: the connection is open."""
        _log.info("websocket open", peer=self.peer, path=self.path, protocol=self.protocol)
        self._host.websockets.add(self)
        self._emit(Event.OPEN, None)

    # ---- receiving ------------------------------------------------------------------------------------

    def received(self, data: bytes | bytearray, end: int) -> None:
        """Take in the first `end` bytes of `data`, which a `bytearray` lends: it may be changed in place."""
        if self.phase >= LINGERING:
            return
        keepalive = self.keepalive
        keepalive.last_io = self._clock.now
        keepalive.heard = True
        self.bytes_in += end
        self._codec.receive(data, 0, end)
        if self._held:
            self._codec.hold()
        else:
            outbox = self._outbox
            outbox.corked = True
            try:
                self._pump()
            finally:
                outbox.corked = False
                if outbox.queued:
                    outbox.flush()
        if self.held or self.bytes_in >= self._count_at:
            # What is small is not counted, so small reads need not be looked at one by one.
            self._count_at = self.bytes_in + SMALL
            self._recount()

    def _pump(self) -> None:
        """Deliver what has arrived until more is needed, the action lags, or it is the others' turn."""
        codec = self._codec
        begun = monotonic()
        untimed = _EVENTS_UNTIMED
        while True:
            kind = codec.next_event()
            if kind is _NEED_DATA:
                break
            if kind is _MESSAGE:
                self.messages_in += 1
                event = _WHOLE
            elif kind is _PIECE:
                event = _PARTIAL
            else:
                event = None
                self._control(kind)
            direct = self._direct
            if event is None:
                pass
            elif direct is None:
                self._emit(event, codec.data)
                if self._inbox is not None and self._inbox.full:
                    self._hold()
                    break
            else:
                try:
                    result = direct(self, event, codec.data, self._arg)
                    if result is not None:
                        self._check_result(result)
                except Closed:
                    pass
                except (Exception, asyncio.CancelledError) as error:
                    self.failed(error)
            untimed -= 1
            if not untimed:
                untimed = _EVENTS_UNTIMED
                if monotonic() - begun > _FAIR_SHARE and self.phase < LINGERING:
                    self._hold()
                    self._host.turn.call_next(self.go_on)
                    break
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

    def go_on(self) -> None:
        """The others have had their turn."""
        if self._held and (self._inbox is None or self._inbox.low):
            self._release()

    def _release(self) -> None:
        """The action has caught up: go on with what is held here, then with the socket."""
        self._held = False
        self.keepalive.resume(self._clock.now)
        outbox = self._outbox
        corked, outbox.corked = outbox.corked, True
        try:
            self._pump()
        finally:
            if not corked:
                outbox.uncork()
        self._recount()
        if self._held:
            return
        self._link.resume_reading()
        self._link.touch()
        if self._eof:
            self.received_eof()

    def received_eof(self) -> None:
        """The peer's stream has ended."""
        if self._held:
            self._eof = True
            return
        self._advance(Step.END_OF_STREAM, Cause.PEER_VANISHED)

    # ---- sending --------------------------------------------------------------------------------------

    def _send(self, opcode: int, payload: bytes) -> Awaitable[None]:
        """Frame and queue one message, unless it is dropped for a slow peer. Raises Closed."""
        outbox = self._outbox
        if self.phase != OPEN or (not outbox.writable and self._is_too_slow()):
            self._check_open()
            return SENT
        size = self._codec.send_message(opcode, payload, outbox.parts)
        self.messages_out += 1
        if outbox.corked and outbox.writable and outbox.queued + size <= HIGH_WATER:
            # The common case of what follows: an answer in the midst of reading.
            self.bytes_out += size
            outbox.queued += size
            return SENT
        self._queued(size)
        return SENT if outbox.writable else outbox.room()

    def deliver(self, publication: Publication) -> None:
        """Queue a message that is framed already, once for all of a topic's subscribers."""
        outbox = self._outbox
        if self.phase != OPEN or ((not outbox.writable or outbox.mid_message) and self._is_too_slow()):
            return
        self.messages_out += 1
        frames = publication.frames(self._codec.deflate)
        if outbox.mid_message:
            outbox.defer(frames)
            self._recount()
            return
        self._queued(self._codec.send_framed(frames, outbox.parts))

    def _queued(self, size: int) -> None:
        """Frames of `size` bytes were appended: they leave at the end of this read, or of the loop's turn."""
        outbox = self._outbox
        self.bytes_out += size
        outbox.queued += size
        if not outbox.corked:
            outbox.corked = True
            self._host.turn.add(self)
        if outbox.queued > HIGH_WATER:
            outbox.flush()
        if not outbox.writable:
            self._recount()

    def uncork(self) -> None:
        """Let leave what was sent in this turn of the loop."""
        self.keepalive.last_io = self._clock.now
        self._outbox.uncork()

    def _is_too_slow(self) -> bool:
        """Whether the peer is too far behind for one more message: that is dropped, or the connection ends.

        A message is accepted while the backlog before it is within `limits.maxBacklog`, whatever its size.
        """
        if self._outbox.backlog() <= self._config.limits.max_backlog:
            return False
        if self.drop_when_slow:
            self.dropped += 1
        else:
            self._fail(Cause.SLOW_CONSUMER, 1008, "Slow consumer")
        return True

    def _check_backlog(self) -> None:
        """The same for what cannot be dropped. Raises Closed."""
        if not self._outbox.writable and self._outbox.backlog() > self._config.limits.max_backlog:
            self._fail(Cause.SLOW_CONSUMER, 1008, "Slow consumer")
        self._check_open()

    def _check_open(self) -> None:
        if self.phase != OPEN:
            ending = self.ending or self._ended_by
            raise Closed(ending.code if ending else NO_CLOSE, ending.reason if ending else "")

    def paused_writing(self) -> None:
        """The link is full."""
        self._outbox.paused()
        self._recount()
        self._link.touch()

    def resumed_writing(self) -> None:
        """The link has room again."""
        outbox = self._outbox
        self.keepalive.progressed(self._clock.now)
        if self._pong_due is not None and self.phase == OPEN:
            payload, self._pong_due = self._pong_due, None
            size = self._codec.send_pong(payload, outbox.parts)
            self.bytes_out += size
            outbox.queued += size
        outbox.resumed()
        self._recount()
        if self.phase != OPEN:
            # What came before our Close is out of the way: the peer's time to answer it begins.
            self._close_by = self._clock.now + self._config.timeouts.close
            self._link.touch()
            self._finish_when_sent()

    # ---- control frames -------------------------------------------------------------------------------

    def _ping(self, payload: bytes, pong: asyncio.Future[float] | None) -> None:
        size = self._codec.send_ping(payload, self._outbox.parts)
        if self._pings is None:
            self._pings = Pings()
        self._pings.sent(payload, monotonic(), pong)
        self._queued(size)

    def _pong(self, payload: bytes) -> None:
        if self.phase != OPEN:
            return
        if self._outbox.writable:
            self._queued(self._codec.send_pong(payload, self._outbox.parts))
        else:
            # RFC 6455, 5.5.3: of several pings, the most recent may be the only one answered.
            self._pong_due = payload

    def _ponged(self, payload: bytes) -> None:
        if self._pings is not None:
            trip = self._pings.answered(payload, monotonic())
            if trip is not None:
                self.latency = trip
            if not self._pings:
                self._pings = None

    # ---- time -----------------------------------------------------------------------------------------

    def expire(self, now: float) -> float:
        """Do what `now` asks for; returns when to be asked again."""
        outbox = self._outbox
        moving = not outbox.writable and outbox.progressed()
        if self.phase != OPEN:
            if now >= self._close_by:
                # A peer that still takes what was sent before our Close gets the time to read that far.
                if moving and self.phase != LINGERING:
                    self._close_by = now + self._config.timeouts.close
                else:
                    self._advance(Step.OVERDUE, Cause.CONNECTION_LOST)
            return self.next_at()
        if moving:
            self.keepalive.progressed(now)
        due = self.keepalive.due(now)
        if due is Due.PING:
            if outbox.writable:
                self._ping(self._host.ping_payload(), None)
        elif due is Due.INACTIVITY:
            self._close(Cause.INACTIVITY, 1001, "Inactivity timeout")
        elif due is Due.REQUEST:
            self._close(Cause.REQUEST_TIMEOUT, 1001, "Request timeout")
        elif due is Due.PONG:
            self._close(Cause.PONG_TIMEOUT, 1011, "Keep-alive timeout")
        return self.next_at()

    def next_at(self) -> float:
        """When `expire` has to be called at the latest."""
        if self.phase != OPEN:
            return self._close_by
        next_at = self.keepalive.next_at()
        return next_at if self._outbox.writable else min(next_at, self._clock.now + _WATCH_EVERY)

    # ---- the end --------------------------------------------------------------------------------------

    def stop(self, code: int, reason: str) -> None:
        """The server stops: tell the peer."""
        if self.phase == OPEN:
            self._close(Cause.SERVER_STOPPING, code, reason)

    def returned(self) -> None:
        """The action has returned: an orderly close, if nobody closed before."""
        if self.phase == OPEN:
            self._close(Cause.ACTION_RETURNED, 1000, "")

    def failed(self, error: BaseException) -> None:
        """The action raised `error`: its traceback to the log, 1011 to the peer."""
        _log.error("action failed", path=self.path, peer=self.peer, exc_info=error)
        if self.phase == OPEN:
            if self._inbox is not None:
                self._inbox.clear()
            self._fail(Cause.ACTION_FAILED, 1011, "Internal error")

    def lost(self, error: Exception | None) -> None:
        """The link is gone."""
        self._advance(Step.LOST, Cause.CONNECTION_LOST, str(error) if error else "")
        self._codec = self._host.spent_codec
        self._host.websockets.discard(self)
        self._recount()

    def relieve(self) -> None:
        """This is the largest holder while `limits.memory` is exceeded."""
        if self._inbox is not None:
            self._inbox.clear()
        if self.phase == OPEN:
            self._fail(Cause.OUT_OF_MEMORY, 1013, "Over limits.memory")
        else:
            # Our Close is behind what would have to be dropped, so there is no way to end this in order.
            self.abandon()
        self._recount()

    def abandon(self) -> None:
        """Too much is left of what was relieved: drop the connection with it."""
        self.drop(Cause.OUT_OF_MEMORY)

    def drop(self, cause: Cause) -> None:
        """End the connection at once, with whatever is unsent."""
        self._advance(Step.DROPPED, cause)
        self._recount()

    def _close(self, cause: Cause, code: int, reason: str) -> None:
        """Send our Close and wait for the peer's."""
        outbox = self._outbox
        size = self._codec.send_close(code, reason, outbox.parts)
        self._ended_by = Ending(cause, code, reason, Handshake.UNANSWERED)
        self._advance(Step.WE_CLOSE, cause)
        self._queued(size)
        if self._held:
            # What is held came before our Close and is discarded; the peer's Close may be behind it.
            self._release()

    def _peer_closed(self, code: int, reason: str) -> None:
        if self.phase == OPEN:
            # RFC 6455, 5.5.1: the answer typically echoes the status code; an empty Close gets an empty one.
            answer = None if code == NO_CODE else code
            size = self._codec.send_close(answer, "", self._outbox.parts)
            self._ended_by = Ending(Cause.PEER_CLOSED, code, reason, Handshake.COMPLETE)
            self.bytes_out += size
            self._outbox.queued += size
        self._advance(Step.PEER_CLOSES, Cause.PEER_CLOSED)

    def _fail(self, cause: Cause, code: int, reason: str) -> None:
        """End a connection that cannot go on (RFC 6455, 7.1.7): drop what is unsent, Close, linger."""
        outbox = self._outbox
        if self.phase == OPEN:
            if cause not in _OVERLOADS:
                # What the action answered to the good messages before still leaves.
                outbox.flush()
            outbox.drop()
            size = self._codec.send_close(code, reason, outbox.parts)
            outbox.queued += size
            self.bytes_out += size
            self._ended_by = Ending(cause, code, reason, Handshake.FORGONE)
        self._advance(Step.FAILURE, cause)

    def _advance(self, step: Step, cause: Cause, reason: str = "") -> None:
        """Take a step of the table, and do what comes with the phase that it leads to.

        `cause` and `reason` are what ended the connection, if nothing had before.
        """
        phase = after(self.phase, step)
        if phase is None:
            return
        self.phase = phase
        self._close_by = self._clock.now + self._config.timeouts.close
        if phase == CLOSING:
            self._link.touch()
            return
        outbox = self._outbox
        held, self._held = self._held, False
        if phase == LINGERING:
            # The Close follows the frame that is half sent, whether the link has room or not.
            outbox.writable = True
            outbox.flush()
            outbox.writable = self._link.unsent() == 0
            self._link.linger()
            if held:
                self._link.resume_reading()
        elif phase == FINISHING:
            outbox.uncork()
            self._finish_when_sent()
        else:
            self._close_by = inf
            outbox.drop()
            if step is not Step.LOST:
                self._link.abort()
        self._end(step, cause, reason)
        self._link.touch()

    def _finish_when_sent(self) -> None:
        if self.phase == FINISHING and not self._outbox.queued:
            self._link.finish()

    def _end(self, step: Step, cause: Cause, reason: str) -> None:
        """The outcome is known: tell everybody who waits for it, once."""
        if self.ending is not None:
            return
        self.ending = ending = self._outcome(step, cause, reason)
        for topic in self._topics or ():
            self._host.topics.unsubscribe(self, topic)
        self._topics = None
        self._log_end(ending)
        if self._pings is not None:
            for pong in self._pings.waiting():
                pong.set_exception(Closed(ending.code, ending.reason))
            self._pings = None
        self._outbox.wake()
        self._tell_end(ending)

    def _outcome(self, step: Step, cause: Cause, reason: str) -> Ending:
        begun = self._ended_by
        if begun is None:
            return Ending(cause, NO_CLOSE, reason, Handshake.NONE)
        if begun.handshake is not Handshake.UNANSWERED or step is Step.OVERDUE:
            return begun
        if step is Step.DROPPED:
            return Ending(cause, begun.code, begun.reason, Handshake.CUT_OFF)
        handshake = {Step.PEER_CLOSES: Handshake.COMPLETE, Step.FAILURE: Handshake.FORGONE}
        return Ending(begun.cause, begun.code, begun.reason, handshake.get(step, Handshake.CUT_OFF))

    def _log_end(self, ending: Ending) -> None:
        _log.info(
            "websocket close",
            peer=self.peer,
            path=self.path,
            protocol=self.protocol,
            seconds=round(monotonic() - self.opened_at, 3),
            messages_in=self.messages_in,
            messages_out=self.messages_out,
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            dropped=self.dropped,
            close=close_text(ending.code),
            reason=ending.reason,
            by=ending.cause.by.value,
            cause=ending.cause.words,
            clean=ending.clean,
            handshake=ending.handshake.value,
        )

    # ---- memory ---------------------------------------------------------------------------------------

    @property
    def buffered(self) -> int:
        """Bytes held in memory for this connection: partial messages, read-ahead and backlog."""
        read = self._codec.buffered + (self._inbox.size if self._inbox is not None else 0)
        outbox = self._outbox
        return read + (outbox.queued + outbox.deferred_size if outbox.writable else outbox.backlog())

    def _recount(self) -> None:
        held = self.buffered
        if held != self.held:
            self._host.memory.hold(self, held)
