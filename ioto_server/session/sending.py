"""What an action sends: framed, gathered, counted, and handed over as the peer takes it (SPEC 5)."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from .ending import NO_CLOSE, Cause
from .errors import Closed
from .lifecycle import Lifecycle
from .outbox import HIGH_WATER, NEXT_TURN, SENT
from .states import OPEN

if TYPE_CHECKING:
    from .publication import Publication


class Sending(Lifecycle):
    """The way out of one WebSocket, from a message to its link."""

    __slots__ = ()

    # ---- sending --------------------------------------------------------------------------------------

    def _send(self, opcode: int, payload: str | bytes) -> Awaitable[None]:
        """Frame and queue one message, unless it is dropped for a slow peer. Raises Closed."""
        outbox = self._outbox
        if self.phase != OPEN or (not outbox.writable and self._is_too_slow()):
            self._check_open()
            # It was dropped: who awaits this is held back until the peer has caught up.
            return outbox
        size = self._codec.send_message(opcode, payload, outbox.parts)
        self.messages_out += 1
        if outbox.corked and outbox.writable and outbox.queued + size <= HIGH_WATER:
            # The common case of what follows: an answer in the midst of reading.
            self.bytes_out += size
            outbox.queued += size
            return SENT
        return self._queued_or_wait(size)

    def _queued_or_wait(self, size: int) -> Awaitable[None]:
        """Queue frames of `size` bytes; returns what the action may await."""
        outbox = self._outbox
        handed = outbox.handed
        self._queued(size)
        if not outbox.writable:
            return outbox
        return SENT if outbox.handed == handed else NEXT_TURN

    def deliver(self, publication: Publication) -> bool:
        """Queue a message that is framed already, once for all of a topic's subscribers; False if not."""
        outbox = self._outbox
        if self.phase != OPEN or ((not outbox.writable or outbox.mid_message) and self._is_too_slow()):
            return False
        self.messages_out += 1
        deflate = self._codec.deflate
        if deflate is None and not outbox.mid_message:
            # The codec has no say in it: open, between two messages, and nothing to compress.
            outbox.parts += publication.plain
            self._queued(publication.plain_size)
            return True
        frames = publication.frames(deflate)
        if outbox.mid_message:
            outbox.defer(frames)
            self._recount()
            return True
        self._queued(self._codec.send_framed(frames, outbox.parts))
        return True

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
            outbox.compact()
            self._recount()

    def uncork(self) -> None:
        """Let leave what was sent in this turn of the loop."""
        outbox = self._outbox
        if outbox.writable:
            # Else it only waits: the peer takes nothing.
            self.keepalive.last_io = self._clock.now
        outbox.uncork()

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
        """The link is full: that of some bytes which were just written to it."""
        self.keepalive.last_io = self._clock.now
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
