"""The receiving half of a conversation: bytes are lent, events are pulled (RFC 6455, 5, 7; RFC 7692, 7)."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from .compression import InflateError, Inflater
from .deflate import Deflate
from .errors import ProtocolError
from .frames import CloseCode, Opcode, parse_close
from .octets import Assembly, read_key, rotate_key, unmask, unmask_text, unmask_utf8
from .reader import NO_FRAME, FrameReader
from .utf8 import INVALID_TEXT


class Received(IntEnum):
    """What ``next_event()`` found."""

    NEED_DATA = 0
    MESSAGE = 1
    PIECE = 2
    PING = 3
    PONG = 4
    CLOSE = 5
    FAILED = 6
    INFLATING = 7


# Looked up once: an enum's member is an attribute of its class.
NEED_DATA = Received.NEED_DATA
MESSAGE = Received.MESSAGE
PIECE = Received.PIECE
PING = Received.PING
PONG = Received.PONG
CLOSE = Received.CLOSE
FAILED = Received.FAILED
INFLATING = Received.INFLATING
TEXT = Opcode.TEXT
BINARY = Opcode.BINARY
# What a header's four bits are compared with: to compare them with the enum's member costs a call, compiled.
BINARY_BITS = int(Opcode.BINARY)
TEXT_BITS = int(Opcode.TEXT)
NO_STATUS = int(CloseCode.NO_STATUS)

#: Bytes that are inflated in one go: what a message may be over its limit, in memory, for a moment.
INFLATE_STEP = 64 * 1024

#: Inflated bytes after which whoever pulls events may look up: a frame may hold a thousand times its length.
INFLATED_AT_ONCE = 1024 * 1024


class Receiver(FrameReader):
    """Makes messages of frames. Use it through :class:`~ioto_server.websocket.Protocol`.

    Memory: what is held of an unfinished message; of what a header promises at most three times that (see
    :class:`~ioto_server.websocket.octets.Assembly`). An idle conversation holds nothing but, with context
    takeover, the window of the last messages.
    """

    __slots__ = (
        "_control",
        "_inflated",
        "_inflater",
        "_inflating",
        "_message",
        "_short",
        "_stream",
        "_text_bytes",
        "_validate",
        "close_code",
        "close_reason",
        "data",
        "data_length",
        "opcode",
    )

    def _begin_receiving(
        self,
        client: bool,
        max_message: int,
        max_frame: int,
        max_fragments: int,
        validate_utf: bool,
        text_bytes: bool,
        stream: bool,
        deflate: Deflate | None,
    ) -> None:
        self._begin_reading(client, max_message, max_frame, max_fragments, deflate is not None)
        self._validate = validate_utf
        self._text_bytes = text_bytes
        self._stream = stream
        # Lengths that need no look at the limits (only masked frames are that common).
        self._short = -1 if client else min(125, max_frame, max_message)
        # What is held of a control frame's payload, and of a message.
        self._control = b""
        self._message: Assembly | None = None
        # Compressed bytes of a message go through the inflater; it may have some still.
        self._inflater = None if deflate is None else Inflater(deflate)
        self._inflating = False
        # How much was inflated since we last said so.
        self._inflated = 0
        # What the last event brought.
        self.opcode = TEXT
        self.data: Any = b""
        self.data_length = 0
        self.close_code = NO_STATUS
        self.close_reason = ""

    @property
    def buffered(self) -> int:
        """Bytes held inside: the unfinished message or frame, and the rest of the lent buffer."""
        held = len(self._control) + len(self._head) + self._end - self._pos
        if self._message is not None:
            held += len(self._message)
        if self._inflater is not None:
            held += self._inflater.pending()
        return held

    def next_event(self) -> Received:
        """Return the next event of the bytes lent so far; its values stay put until the next call.

        MESSAGE and PIECE: ``opcode``, ``data`` (``str`` or ``bytes``) and ``data_length``, its length in
        bytes before decoding. PING and PONG: ``data`` (``bytes``). CLOSE: ``close_code``, ``close_reason``.
        FAILED: ``error``. INFLATING: nothing is complete yet, but about a megabyte was inflated since this
        was last said, wherever the cuts let that come: call again, at once or later. NEED_DATA: the buffer
        is used up and given back. After CLOSE and FAILED everything received is discarded (RFC 6455, 1.4 and
        7.1.7); after a Close was sent, everything but CLOSE and FAILED.
        """
        # The common case first: a whole short message in one frame. Its bytes can break no rule but UTF-8's.
        pos = self._pos
        if self._end - pos >= 6 and self._left < 0 and not (self._opcode or self._head or self.close_sent):
            data = self._data
            size = data[pos + 1] - 0x80
            if 0 <= size <= self._short and pos + 6 + size <= self._end and 0x81 <= data[pos] <= 0x82:
                self._opcode = data[pos] & 0x0F
                self._compressed = False
                self._key = read_key(data, pos + 2)
                self._pos = pos + 6
                return self._deliver_at_once(size)
        while True:
            if self._left < 0:
                began = self._read_header()
                if began < 0:
                    self._forget()
                    return FAILED
                if began == 0:
                    return self._need_data()
            event = self._read_control() if self._first & 0x08 else self._read_data()
            if event is not None:
                return event

    def _need_data(self) -> Received:
        self._give_back()
        self.data = b""
        return NEED_DATA

    def _fail(self, code: int, reason: str) -> Received:
        self._refuse(code, reason)
        self._forget()
        return FAILED

    def _forget(self) -> None:
        """Drop everything that is held."""
        self._end_message()
        self._control = b""
        self._inflater = None
        self.data = b""

    def _end_message(self) -> None:
        self._opcode = 0
        self._size = 0
        self._fragments = 0
        self._message = None

    # Messages

    def _read_data(self) -> Received | None:
        """Read the payload of a data frame; None if the frame ended and brought no event."""
        left = self._left
        available = self._end - self._pos
        count = left if left < available else available
        if self.close_sent:
            return self._skip(count)
        if self._compressed:
            return self._read_compressed()
        final = self._first & 0x80 != 0
        message = self._message
        if message is None:
            if final and count == left:
                self._left = NO_FRAME
                return self._deliver_at_once(count)
            self._message = message = Assembly()
        pos = self._pos
        message.add(self._data, pos, pos + count, self._key, left - count)
        self._pos = pos + count
        if count == left:
            self._left = NO_FRAME
            if final:
                return self._deliver()
        if self._opcode == TEXT_BITS and self._validate and not message.is_text():
            return self._bad_text()
        if count < left:
            self._left = left - count
            self._key = rotate_key(self._key, count)
            return self._need_data()
        return self._deliver_piece() if self._stream else None

    def _deliver_at_once(self, size: int) -> Received:
        """Hand out a message that is one frame and lies whole in the lent buffer."""
        pos = self._pos
        stop = pos + size
        self._pos = stop
        self.data_length = size
        if self._opcode == BINARY_BITS:
            self.opcode = BINARY
            self.data = unmask(self._data, pos, stop, self._key)
        else:
            self.opcode = TEXT
            if not self._validate:
                text = unmask(self._data, pos, stop, self._key).decode(errors="replace")
                self.data = text.encode() if self._text_bytes else text
            else:
                try:
                    if self._text_bytes:
                        self.data = unmask_utf8(self._data, pos, stop, self._key)
                    else:
                        self.data = unmask_text(self._data, pos, stop, self._key)
                except UnicodeDecodeError:
                    return self._bad_text()
        self._opcode = 0
        self._size = 0
        self._fragments = 0
        return MESSAGE

    def _deliver(self) -> Received:
        """Hand out a message that came in parts, or the last piece of one."""
        message = self._message
        assert message is not None
        self.data_length = len(message)
        if self._opcode == BINARY_BITS:
            self.opcode = BINARY
            self.data = message.take()
        else:
            self.opcode = TEXT
            if not self._validate:
                text = message.take_replaced(True)[0]
                self.data = text.encode() if self._text_bytes else text
            else:
                try:
                    self.data = message.take_utf8() if self._text_bytes else message.take_text()
                except UnicodeDecodeError:
                    return self._bad_text()
        self._end_message()
        return MESSAGE

    def _deliver_piece(self) -> Received | None:
        """Hand out what is held of a message, of text the whole characters, if any."""
        message = self._message
        assert message is not None
        if self._opcode == BINARY_BITS:
            self.opcode = BINARY
            self.data = message.take()
            size = len(self.data)
        else:
            self.opcode = TEXT
            if self._validate:
                data = message.take_characters()
                size = len(data)
                self.data = data if self._text_bytes else data.decode()
            else:
                text, size = message.take_replaced(False)
                self.data = text.encode() if self._text_bytes else text
        self.data_length = size
        return PIECE if size else None

    def _bad_text(self) -> Received:
        return self._bad_data() if self._compressed else self._fail(1007, INVALID_TEXT)

    def _skip(self, count: int) -> Received | None:
        """Discard payload that comes after our Close; the frames are still followed, for the peer's Close."""
        self._pos += count
        self._left -= count
        self._control = b""
        if self._left:
            return self._need_data()
        self._left = NO_FRAME
        if self._first & 0x80 and not self._first & 0x08:
            self._end_message()
        return None

    # Compressed messages

    def _read_compressed(self) -> Received | None:
        """Read the payload of a compressed message's frame; None if the frame ended and brought no event."""
        inflater = self._inflater
        assert inflater is not None
        if self._message is None:
            self._message = Assembly()
        try:
            while True:
                if not self._inflating:
                    available = self._end - self._pos
                    if self._left and not available:
                        return self._need_data()
                    inflater.feed(self._take(self._left if self._left < available else available))
                    self._inflating = True
                while self._inflating:
                    event = self._inflate(inflater, self._message)
                    if event is not None:
                        return event
                if not self._left:
                    break
            self._left = NO_FRAME
            if not self._first & 0x80:
                return self._deliver_piece() if self._stream else None
            inflater.finish()
        except InflateError:
            return self._bad_data()
        return self._deliver()

    def _inflate(self, inflater: Inflater, message: Assembly) -> Received | None:
        """Inflate some of what was fed and check it; a piece when one is full, FAILED when it is bad.

        INFLATING when it was much; None when it was not, or nothing.
        """
        # One byte over the limit is enough to know. There, and at the end of a piece, the inflater must be
        # exact, or it would depend on the cuts whether that is met first, or bad data behind it.
        limit = INFLATE_STEP
        exact = False
        room = self._max_message - self._size
        if room < limit:
            limit = room + 1
            exact = True
        if self._stream:
            space = self._max_frame - len(message)
            if space <= limit:
                limit = space if space > 0 else 1
                exact = True
        data = inflater.read(limit, exact)
        if not data:
            self._inflating = False
            return None
        self._size += len(data)
        message.extend(data)
        if self._opcode == TEXT_BITS and self._validate and not message.is_text():
            return self._bad_text()
        if len(data) > room:
            self._too_big()
            self._forget()
            return FAILED
        self._inflated += len(data)
        if self._stream and len(message) >= self._max_frame:
            return self._deliver_piece()
        if self._inflated >= INFLATED_AT_ONCE:
            self._inflated = 0
            self.data = b""
            self.data_length = 0
            return INFLATING
        return None

    def _bad_data(self) -> Received:
        # One reason for both faults of a compressed text: which is met first depends on how far zlib got in
        # one go.
        if self._opcode == TEXT_BITS and self._validate:
            return self._fail(1007, "Compressed text does not inflate to valid UTF-8 (RFC 7692 7.2.2)")
        return self._fail(1007, "Compressed message cannot be inflated (RFC 7692 7.2.2)")

    # Control frames

    def _read_control(self) -> Received | None:
        """Read the payload of a control frame, which may stand between the fragments of a message (5.4)."""
        left = self._left
        available = self._end - self._pos
        count = left if left < available else available
        closing = self._first == 0x88
        if self.close_sent and not closing:
            return self._skip(count)
        payload = self._take(count)
        if self._control:
            payload = self._control + payload
        if closing:
            try:
                self.close_code, self.close_reason = parse_close(payload, count == left)
            except ProtocolError as error:
                return self._fail(error.code, error.reason)
        if count < left:
            self._control = payload
            return self._need_data()
        self._control = b""
        self._left = NO_FRAME
        if closing:
            self.close_received = True
            self._give_back()
            self._forget()
            return CLOSE
        self.data = payload
        if self._first == 0x89:
            self.opcode = Opcode.PING
            return PING
        self.opcode = Opcode.PONG
        return PONG
