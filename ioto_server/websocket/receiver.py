"""The receiving half of a conversation: bytes are lent, events are pulled (RFC 6455, 5 and 7).

Every rule is checked at the byte that decides it, in the order of the bytes, and nothing is checked at any
other moment. So the events, and the words of an error, cannot depend on how the network cut the bytes.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from .errors import ProtocolError
from .frames import VERDICTS, CloseCode, Opcode, first_byte_error, parse_close
from .masking import read_key, rotate_key, unmask
from .utf8 import INVALID_TEXT, replaced, valid_end


class Received(IntEnum):
    """What ``next_event()`` found."""

    NEED_DATA = 0
    MESSAGE = 1
    PIECE = 2
    PING = 3
    PONG = 4
    CLOSE = 5
    FAILED = 6


# Looked up once: an enum's member is an attribute of its class, a global is an index into an array when
# compiled.
NEED_DATA = Received.NEED_DATA
MESSAGE = Received.MESSAGE
PIECE = Received.PIECE
PING = Received.PING
PONG = Received.PONG
CLOSE = Received.CLOSE
FAILED = Received.FAILED
TEXT = Opcode.TEXT
BINARY = Opcode.BINARY

#: ``_left`` between two frames: a header is due.
NO_FRAME = -1


class Receiver:
    """Reads frames from lent buffers. Use it through :class:`~ioto_server.websocket.Protocol`.

    Memory: what is held of an unfinished message, never what a header promises. An idle conversation holds
    nothing.
    """

    __slots__ = (
        "_client",
        "_control",
        "_data",
        "_end",
        "_failed",
        "_first",
        "_fragments",
        "_head",
        "_key",
        "_left",
        "_max_fragments",
        "_max_frame",
        "_max_message",
        "_message",
        "_opcode",
        "_pos",
        "_short",
        "_size",
        "_stream",
        "_text_bytes",
        "_valid",
        "_validate",
        "close_code",
        "close_reason",
        "close_received",
        "close_sent",
        "data",
        "data_length",
        "error",
        "opcode",
    )

    def __init__(
        self,
        client: bool = False,
        *,
        max_message: int,
        max_frame: int,
        max_fragments: int,
        validate_utf: bool = True,
        text_bytes: bool = False,
        stream: bool = False,
    ) -> None:
        # What was agreed.
        self._client = client
        self._max_message = max_message
        self._max_frame = max_frame
        self._max_fragments = max_fragments
        self._validate = validate_utf
        self._text_bytes = text_bytes
        self._stream = stream
        # Lengths that need no look at the limits (only masked frames are that common).
        self._short = -1 if client else min(125, max_frame, max_message)
        # The lent buffer and what of it is still to be read.
        self._data: bytes | bytearray = b""
        self._pos = 0
        self._end = 0
        # The frame being read: a part of its header, or its first byte, payload bytes to come and key.
        self._head = b""
        self._first = 0
        self._left = NO_FRAME
        self._key = b""
        self._control = b""
        # The message being read: opcode (0: none), bytes and frames announced so far, payload held, and up to
        # where that payload is known to be whole characters.
        self._opcode = 0
        self._size = 0
        self._fragments = 0
        self._message = bytearray()
        self._valid = 0
        # The closing handshake, and what the last event brought.
        self._failed = False
        self.close_sent = False
        self.close_received = False
        self.opcode = TEXT
        self.data: Any = b""
        self.data_length = 0
        self.close_code = int(CloseCode.NO_STATUS)
        self.close_reason = ""
        self.error: ProtocolError | None = None

    @property
    def buffered(self) -> int:
        """Bytes held inside: the unfinished message or frame, and the rest of the lent buffer."""
        return len(self._message) + len(self._control) + len(self._head) + self._end - self._pos

    def receive(self, data: bytes | bytearray, start: int = 0, end: int | None = None) -> None:
        """Lend the bytes ``data[start:end]`` until ``next_event()`` returns NEED_DATA, or until ``hold()``.

        A bytearray may be unmasked in place. Bytes not yet consumed of an earlier buffer come first.
        """
        if self._failed or self.close_received:
            return
        stop = len(data) if end is None else end
        if self._pos < self._end:
            data = self._data[self._pos : self._end] + data[start:stop]
            start = 0
            stop = len(data)
        self._data = data
        self._pos = start
        self._end = stop

    def hold(self) -> None:
        """Copy what is not yet consumed, so that the lent buffer can be used again."""
        self._data = bytes(self._data[self._pos : self._end])
        self._end -= self._pos
        self._pos = 0

    def next_event(self) -> Received:
        """Return the next event of the bytes lent so far; its values stay put until the next call.

        MESSAGE and PIECE: ``opcode``, ``data`` (``str`` or ``bytes``) and ``data_length``, its length in
        bytes before decoding. PING and PONG: ``data`` (``bytes``). CLOSE: ``close_code``, ``close_reason``.
        FAILED: ``error``. NEED_DATA: the buffer is used up and given back. After CLOSE and FAILED everything
        received is discarded (RFC 6455, 1.4 and 7.1.7); after a Close was sent, everything but CLOSE and
        FAILED.
        """
        # The common case first: a whole short message in one frame, whose bytes can break no rule but
        # UTF-8's.
        pos = self._pos
        if self._end - pos >= 6 and self._left < 0 and not (self._opcode or self._head or self.close_sent):
            data = self._data
            size = data[pos + 1] - 0x80
            stop = pos + 6 + size
            if 0 <= size <= self._short and stop <= self._end and 0x81 <= data[pos] <= 0x82:
                self._pos = stop
                self._opcode = data[pos] & 0x0F
                return self._deliver(unmask(data, pos + 6, stop, read_key(data, pos + 2)))
        while True:
            if self._left < 0:
                began = self._read_header()
                if began < 0:
                    return FAILED
                if began == 0:
                    return self._need_data()
            event = self._read_control() if self._first & 0x08 else self._read_data()
            if event is not None:
                return event

    def _need_data(self) -> Received:
        self._data = b""
        self._pos = self._end = 0
        self.data = b""
        return NEED_DATA

    def _fail(self, code: int, reason: str) -> Received:
        self.error = ProtocolError(code, reason)
        self._failed = True
        self._drop_message()
        self._head = self._control = b""
        self._left = NO_FRAME
        self._need_data()
        return FAILED

    def _drop_message(self) -> None:
        self._opcode = 0
        self._size = 0
        self._fragments = 0
        self._valid = 0
        self._message = bytearray()

    # Headers

    def _read_header(self) -> int:
        """Read what is there of a header: 1 if a frame began, 0 if bytes are missing, -1 if it failed."""
        pos = self._pos
        end = self._end
        if pos >= end:
            return 0
        if self._head:
            held = len(self._head)
            head = self._head + self._data[pos : min(end, pos + 14 - held)]
            size = self._parse_header(head, 0, len(head))
            if size > 0:
                self._head = b""
                self._pos = pos + size - held
                return 1
            if size == 0:
                self._head = head
                self._pos = end
            return size
        size = self._parse_header(self._data, pos, end)
        if size > 0:
            self._pos = pos + size
            return 1
        if size == 0:
            self._head = bytes(self._data[pos:end])
            self._pos = end
        return size

    def _parse_header(self, data: bytes | bytearray, pos: int, end: int) -> int:
        """Check the header at ``data[pos:end]``, begin its frame; return its size, 0 if incomplete, or -1."""
        first = data[pos]
        inside = self._opcode != 0
        if VERDICTS[inside][first]:
            return self._refuse(1002, first_byte_error(first, inside, False))
        control = first & 0x08
        if not control and self._fragments >= self._max_fragments:
            return self._refuse(1009, f"Message over limits.maxFragments ({self._max_fragments})")
        if end - pos < 2:
            return 0
        second = data[pos + 1]
        if (second >= 0x80) == self._client:
            # "a client MUST mask all frames that it sends [...] A server MUST NOT mask any frames" (5.1)
            if self._client:
                return self._refuse(1002, "Frame from the server is masked (RFC 6455 5.1)")
            return self._refuse(1002, "Frame from the client is not masked (RFC 6455 5.1)")
        length = second & 0x7F
        size = 2
        if control:
            if length > 125:
                return self._refuse(1002, "Control frame is longer than 125 bytes (RFC 6455 5.5)")
            if length == 1 and first == 0x88:
                return self._refuse(1002, "Close frame has half a close code (RFC 6455 5.5.1)")
        else:
            # The tighter limit is the one that is reported, whichever length byte it was exceeded at.
            limit = self._max_message - self._size
            if limit > self._max_frame:
                limit = self._max_frame
            if length >= 126:
                size = 4 if length == 126 else 10
                length = self._extended_length(data, pos + 2, min(end, pos + size), size - 2)
                if length < 0:
                    return -1
            if length > limit:
                return self._over_limit()
        if not self._client:
            size += 4
        if end - pos < size:
            return 0
        if not self._client:
            self._key = read_key(data, pos + size - 4)
        self._first = first
        self._left = length
        if not control:
            self._fragments += 1
            self._size += length
            if first & 0x0F:
                self._opcode = first & 0x0F
        return size

    def _extended_length(self, data: bytes | bytearray, pos: int, end: int, width: int) -> int:
        """Return the length at ``data[pos:end]``, 2 or 8 bytes, zeros for those missing; -1 if refused."""
        known = end - pos
        length = 0
        for i in range(known):
            if i == 0 and width == 8 and data[pos] >= 0x80:
                # "the most significant bit MUST be 0" (5.2)
                self._refuse(1002, "Frame length has its most significant bit set (RFC 6455 5.2)")
                return -1
            length |= data[pos + i] << (8 * (width - 1 - i))
        # "the minimal number of bytes MUST be used to encode the length" (5.2): decided by the sixth byte of
        # eight, or by the second of two. What is known not to be zero earlier is long enough for its form.
        if (known >= 6 and length < 65536) or (known == width == 2 and length < 126):
            self._refuse(1002, "Frame length is not in its shortest form (RFC 6455 5.2)")
            return -1
        return length

    def _refuse(self, code: int, reason: str) -> int:
        self._fail(code, reason)
        return -1

    def _over_limit(self) -> int:
        if self._max_message - self._size < self._max_frame:
            return self._refuse(1009, f"Message over limits.maxMessage ({self._max_message})")
        return self._refuse(1009, f"Frame over limits.maxFrame ({self._max_frame})")

    # Payloads

    def _take(self, count: int) -> bytes:
        """Consume payload of the frame: ``count`` bytes, unmasked."""
        pos = self._pos
        stop = pos + count
        self._pos = stop
        self._left -= count
        if self._client:
            return bytes(self._data[pos:stop])
        payload = unmask(self._data, pos, stop, self._key)
        if self._left:
            self._key = rotate_key(self._key, count)
        return payload

    def _read_data(self) -> Received | None:
        """Read the payload of a data frame; None if the frame ended and brought no event."""
        left = self._left
        available = self._end - self._pos
        count = left if left < available else available
        if self.close_sent:
            return self._skip(count)
        payload = self._take(count)
        final = self._first & 0x80
        if final and count == left and not self._message:
            self._left = NO_FRAME
            return self._deliver(payload)
        self._message += payload
        if count < left:
            if self._opcode == TEXT and not self._check_text():
                return self._fail(1007, INVALID_TEXT)
            return self._need_data()
        self._left = NO_FRAME
        if final:
            return self._deliver(self._message)
        if self._opcode == TEXT and not self._check_text():
            return self._fail(1007, INVALID_TEXT)
        return self._deliver_piece() if self._stream else None

    def _skip(self, count: int) -> Received | None:
        """Discard payload that comes after our Close; the frames are still followed, for the peer's Close."""
        self._pos += count
        self._left -= count
        self._control = b""
        if self._left:
            return self._need_data()
        self._left = NO_FRAME
        if self._first & 0x80 and not self._first & 0x08:
            self._drop_message()
        return None

    def _check_text(self) -> bool:
        """Check what is new of a text message that is not complete."""
        if not self._validate:
            return True
        valid = valid_end(self._message, self._valid)
        if valid < 0:
            return False
        self._valid = valid
        return True

    def _deliver(self, payload: bytes | bytearray) -> Received:
        """Hand out a message, or the last piece of one, and be ready for the next."""
        self.data_length = len(payload)
        if self._opcode == BINARY:
            self.opcode = BINARY
            self.data = bytes(payload)
        else:
            self.opcode = TEXT
            if not self._validate:
                text = replaced(payload, True)[0]
                self.data = text.encode() if self._text_bytes else text
            else:
                try:
                    text = payload.decode()
                except UnicodeDecodeError:
                    return self._fail(1007, INVALID_TEXT)
                self.data = bytes(payload) if self._text_bytes else text
        self._opcode = 0
        self._size = 0
        self._fragments = 0
        self._valid = 0
        if self._message:
            self._message = bytearray()
        return MESSAGE

    def _deliver_piece(self) -> Received | None:
        """Hand out the payload of a frame that is not the last, of text the whole characters, if any."""
        message = self._message
        if self._opcode == BINARY:
            self.opcode = BINARY
            self.data = bytes(message)
            end = len(message)
        else:
            self.opcode = TEXT
            if self._validate:
                end = self._valid
                text = message[:end].decode()
            else:
                text, end = replaced(message, False)
            self.data = text.encode() if self._text_bytes else text
            self._valid = 0
        del message[:end]
        self.data_length = end
        return PIECE if end else None

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
            self._drop_message()
            self._need_data()
            return CLOSE
        self.data = payload
        return PING if self._first == 0x89 else PONG
