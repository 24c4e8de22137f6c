"""How a WebSocket lives and ends: its phase, what leads it on, and the outcome that everybody is told."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final

import structlog

from ioto_server.websocket import close_text

from .delivery import Delivery
from .ending import NO_CLOSE, NO_CODE, Cause, Ending, Handshake
from .errors import Closed
from .keepalive import KeepAlive
from .memory import SMALL
from .outbox import Outbox
from .pings import Pings
from .quick import monotonic
from .states import CLOSING, ENDED, FINISHING, LINGERING, OPEN, ROWS, Step

if TYPE_CHECKING:
    from ioto_server.config import Config
    from ioto_server.websocket.protocol import Protocol

    from .core import Core
    from .link import Link
    from .publication import Publication

# Causes after which nothing that is unsent may leave any more: it is what the connection failed for.
_OVERLOADS: Final = (Cause.SLOW_CONSUMER, Cause.OUT_OF_MEMORY)

# Looked up once, for what nearly every connection comes to.
_COMPLETE: Final = Handshake.COMPLETE
_UNANSWERED: Final = Handshake.UNANSWERED
_CONNECTION_LOST: Final = Cause.CONNECTION_LOST
_PEER_CLOSED: Final = Cause.PEER_CLOSED
_LOST: Final = Step.LOST
_PEER_CLOSES: Final = Step.PEER_CLOSES

_log = structlog.get_logger("ioto_server.websocket")


class Lifecycle(Delivery):
    """The state of one WebSocket, and every way to its end.

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
        host: Core,
        link: Link,
        codec: Protocol,
        keepalive: KeepAlive,
        protocol: str | None,
        path: str,
        peer: str,
        drop_when_slow: bool = False,
        config: Config | None = None,
    ) -> None:
        """Made at `Web.accept()`; authors never make one. `config` is its action's, where that has own."""
        self._begin_delivery(host, path, peer)
        self.protocol = protocol
        self.data: Any = None
        self.drop_when_slow = drop_when_slow
        self.keepalive = keepalive
        self.phase: int = OPEN
        self.latency: float | None = None
        self.messages_in = self.messages_out = self.bytes_in = self.bytes_out = self.dropped = 0
        # Bytes counted in limits.memory, written by the account; and at what `bytes_in` to count again.
        self.held = 0
        self._count_at = SMALL if codec.deflate is None else 0
        # A reload changes the host's configuration, not that of a connection that is open.
        self._config: Config = host.config if config is None else config
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

    # ---- the end --------------------------------------------------------------------------------------

    def stop(self, code: int, reason: str) -> None:
        """The server stops: tell the peer."""
        if self.phase == OPEN:
            self._close(Cause.SERVER_STOPPING, code, reason)

    def closed_by_operator(self, code: int, reason: str) -> None:
        """Somebody has asked the daemon for it. Raises ValueError for a code that may not be sent."""
        if self.phase == OPEN:
            self._close(Cause.OPERATOR_CLOSED, code, reason)

    def returned(self) -> None:
        """The action has returned: an orderly close, if nobody closed before."""
        if self.phase == OPEN:
            self._close(Cause.ACTION_RETURNED, 1000, "")

    def failed(self, error: BaseException) -> None:
        """The action raised `error`: its traceback to the log, 1011 to the peer."""
        _log.error("action failed", path=self.path, peer=self.peer, exc_info=error)
        if self.phase == OPEN:
            self._drop_messages()
            self._fail(Cause.ACTION_FAILED, 1011, "Internal error")

    def lost(self, error: Exception | None) -> None:
        """The link is gone."""
        self._advance(_LOST, _CONNECTION_LOST, str(error) if error else "")
        self._codec = self._host.spent_codec
        # Every one that opens is a Conversation.
        self._host.websockets.pop(self, None)  # type: ignore[call-overload]
        # What was read ahead is still there, for an action that has not noticed yet.
        self._recount()

    def relieve(self) -> None:
        """This is the largest holder while `limits.memory` is exceeded."""
        self._drop_messages()
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
        if cause is Cause.ACTION_CLOSED and self._callback is not None:
            # A callback that closes hears no more, whichever kind it is of; who asks still gets what is here.
            self._drop_messages()
        if self._held:
            # What is held came before our Close and is discarded; the peer's Close may be behind it.
            self._release()

    def _peer_closed(self, code: int, reason: str) -> None:
        if self.phase == OPEN:
            # RFC 6455, 5.5.1: the answer typically echoes the status code; an empty Close gets an empty one.
            answer = None if code == NO_CODE else code
            size = self._codec.send_close(answer, "", self._outbox.parts)
            self._ended_by = Ending(_PEER_CLOSED, code, reason, _COMPLETE)
            self.bytes_out += size
            self._outbox.queued += size
        self._advance(_PEER_CLOSES, _PEER_CLOSED)

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
        row = ROWS[self.phase]
        if step not in row:
            return
        self.phase = phase = row[step]
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
            if step is not _LOST:
                self._link.abort()
        self._end(step, cause, reason)
        self._link.touch()
        if phase == LINGERING and self._eof:
            # It came while reading was held, and nobody tells of it again.
            self._advance(Step.END_OF_STREAM, cause)

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
        self._outbox.end()
        self._have_end_told()

    def _outcome(self, step: Step, cause: Cause, reason: str) -> Ending:
        begun = self._ended_by
        if begun is None:
            return Ending(cause, NO_CLOSE, reason, Handshake.NONE)
        if begun.handshake is not _UNANSWERED or step is Step.OVERDUE:
            return begun
        if step is Step.DROPPED:
            return Ending(cause, begun.code, begun.reason, Handshake.CUT_OFF)
        handshake = {Step.PEER_CLOSES: Handshake.COMPLETE, Step.FAILURE: Handshake.FORGONE}
        return Ending(begun.cause, begun.code, begun.reason, handshake.get(step, Handshake.CUT_OFF))

    def _log_end(self, ending: Ending) -> None:
        self._host.note(
            "websocket close",
            {
                "peer": self.peer,
                "path": self.path,
                "protocol": self.protocol,
                "seconds": int((monotonic() - self.opened_at) * 1000 + 0.5) / 1000,
                "messages_in": self.messages_in,
                "messages_out": self.messages_out,
                "bytes_in": self.bytes_in,
                "bytes_out": self.bytes_out,
                "dropped": self.dropped,
                "close": close_text(ending.code),
                "reason": ending.reason,
                "by": ending.cause.who,
                "cause": ending.cause.words,
                "clean": ending.clean,
                "handshake": ending.handshake.words,
            },
        )

    # ---- memory ---------------------------------------------------------------------------------------

    @property
    def buffered(self) -> int:
        """Bytes held in memory for this connection: partial messages, read-ahead and backlog."""
        return self._buffered()

    def _buffered(self) -> int:
        read = self._codec.buffered + (self._inbox.size if self._inbox is not None else 0)
        if self.phase == ENDED:
            # The link is no more, whatever it says that it still holds.
            return read
        if self._held:
            read += self._link.unread()
        outbox = self._outbox
        return read + (outbox.queued + outbox.deferred_size if outbox.writable else outbox.backlog())

    def _emptied(self) -> None:
        if self.held:
            self._recount()

    def _recount(self) -> None:
        held = self._buffered()
        if held != self.held:
            self._host.memory.hold(self, held)

    # ---- from the other half --------------------------------------------------------------------------

    def _queued(self, size: int) -> None:
        """Frames of `size` bytes were appended to the outbox."""
        raise NotImplementedError

    def deliver(self, publication: Publication) -> bool:
        """Queue a message that is framed already, once for all of a topic's subscribers; False if not."""
        raise NotImplementedError
