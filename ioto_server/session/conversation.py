"""One open WebSocket between its handshake and the end of its TCP stream: what is read, and what is timed."""

from __future__ import annotations

import asyncio
from typing import Final

from ioto_server.websocket import Received

from .ending import VIOLATIONS, Cause
from .errors import Closed
from .events import Event
from .holding import NOTED
from .keepalive import Due
from .memory import SMALL
from .outbox import SENT
from .pings import Pings
from .quick import monotonic
from .sending import Sending
from .states import LINGERING, OPEN, Step

# While a peer does not take what is sent, this is how often, in seconds, it is looked whether it takes any.
_WATCH_EVERY: Final = 1.0

# A connection that keeps the loop busy with what it sends for longer than this, in seconds, goes on in the
# next turn, when the others have been read. The clock is looked at after so many events.
_FAIR_SHARE: Final = 0.005
_EVENTS_UNTIMED: Final = 64

# Looked up once: an enum's member is an attribute of its class.
_NEED_DATA: Final = Received.NEED_DATA
_MESSAGE: Final = Received.MESSAGE
_PIECE: Final = Received.PIECE
_INFLATING: Final = Received.INFLATING
_PING: Final = Received.PING
_PONG: Final = Received.PONG
_CLOSE: Final = Received.CLOSE
_WHOLE: Final = Event.MESSAGE
_PARTIAL: Final = Event.PARTIAL_MESSAGE


class Conversation(Sending):
    """The mechanics under `WebSocket`. The server calls it with bytes and time; it calls action and link."""

    __slots__ = ()

    def opened(self) -> None:
        """The 101 is sent: the connection is open."""
        self._host.note("websocket open", {"peer": self.peer, "path": self.path, "protocol": self.protocol})
        self._host.websockets[self] = None
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
            if self._codec.deflate is None:
                # What is small is not counted, so small reads need not be looked at one by one.
                self._count_at = self.bytes_in + SMALL
            self._recount()

    def _pump(self) -> None:
        """Deliver what has arrived until more is needed, the action lags, or it is the others' turn."""
        codec = self._codec
        callback = self._direct
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
            elif kind is _INFLATING:
                # That much takes its time, and memory that so few bytes do not show.
                event = None
                untimed = 1
                self._recount()
            else:
                event = None
                self._control(kind)
            direct = self._direct
            if event is None:
                pass
            elif direct is None:
                self._emit(event, codec.data)
                if self._inbox is not None and self._inbox.is_full():
                    self._hold()
                    break
            else:
                try:
                    result = direct(self, event, codec.data, self._arg)
                    if result is not None and result is not SENT:
                        self._check_result(result)
                except Closed:
                    pass
                except KeyboardInterrupt:
                    raise
                except BaseException as error:
                    self.failed(error)
            untimed -= 1
            if not untimed:
                untimed = _EVENTS_UNTIMED
                if monotonic() - begun > _FAIR_SHARE and self.phase < LINGERING:
                    self._hold()
                    self._host.turn.call_next(self.go_on)
                    break
        if monotonic() - begun > NOTED and callback is not None:
            self._took(callback, monotonic() - begun)

    def _control(self, kind: Received) -> None:
        codec = self._codec
        if kind is _PING:
            self._pong(codec.data)
        elif kind is _PONG:
            self._ponged(codec.data)
        elif kind is _CLOSE:
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
        if self._held and (self._inbox is None or self._inbox.is_low()):
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
        due = self.keepalive.due(now, outbox.writable)
        if due is Due.PING:
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
        writable = self._outbox.writable
        next_at = self.keepalive.next_at(writable)
        return next_at if writable else min(next_at, self._clock.now + _WATCH_EVERY)
