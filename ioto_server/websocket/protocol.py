"""One WebSocket conversation, sans-I/O: bytes in, events out; calls in, bytes out."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from os import urandom

from .compression import Deflater
from .deflate import MIN_WINDOW_BITS, Deflate
from .errors import MessageTooBig, StateError
from .frames import MAX_CONTROL_PAYLOAD, close_payload, header
from .octets import framed, framed_text, mask, plain_header, text_end
from .receiver import Receiver

#: Payloads up to this many bytes are joined with their header into one item: a copy is cheaper than another
#: item.
JOINED = 16 * 1024

TEXT = 0x1
BINARY = 0x2

CLOSE = 0x8
PING = 0x9
PONG = 0xA

#: The bit of a frame's first byte that says "compressed" (RFC 7692, 6).
RSV1 = 0x40


class State(IntEnum):
    """RFC 6455, 7.1.3-4, as the codec sees it: CLOSED when there is nothing left to send or receive."""

    OPEN = 0
    CLOSING = 1
    CLOSED = 2


class Protocol(Receiver):
    """Both directions of a conversation, in the role of the server or, with ``client``, of the client.

    ``max_message``, ``max_frame`` in bytes and ``max_fragments`` in frames are the directives of ``limits``,
    both for what is received and for what is sent. ``validate_utf``: false replaces bad sequences in received
    text. ``text_bytes``: text is handed out as UTF-8 ``bytes``. ``stream``: a message is handed out frame by
    frame, as PIECE and a last MESSAGE. ``deflate``: what was agreed of permessage-deflate (RFC 7692).

    Receiving is described at :class:`Receiver`. Sending: each method appends finished wire bytes to ``out``
    and returns how many bytes those are; it raises before it appends anything.
    """

    __slots__ = (
        "_begun",
        "_begun_compressed",
        "_begun_size",
        "_begun_tail",
        "_deflater",
        "_plain",
        "_plain_text",
        "deflate",
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
        deflate: Deflate | None = None,
    ) -> None:
        self._begin(client, max_message, max_frame, max_fragments, validate_utf, text_bytes, stream, deflate)

    def another(self) -> Protocol:
        """Return a new conversation in this one's role, with its limits and all else it was made with."""
        made = Protocol.__new__(Protocol)
        made._begin(
            self._client,
            self._max_message,
            self._max_frame,
            self._max_fragments,
            self._validate,
            self._text_bytes,
            self._stream,
            self.deflate,
        )
        return made

    def _begin(
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
        self._begin_receiving(
            client, max_message, max_frame, max_fragments, validate_utf, text_bytes, stream, deflate
        )
        self.deflate = deflate
        self._deflater = (
            None if deflate is None or deflate.send_window_bits < MIN_WINDOW_BITS else Deflater(deflate)
        )
        # Payload bytes of a message that goes out in one frame, just as it is; characters of one in one item.
        self._plain = -1 if client else min(max_frame, max_message)
        if self._deflater is not None:
            self._plain = min(self._plain, self._deflater.threshold - 1)
        self._plain_text = min(JOINED, self._plain) // 4
        # The message that send_block() has begun: opcode (0: none), compressed or not, bytes so far,
        # unfinished character at its end.
        self._begun = 0
        self._begun_compressed = False
        self._begun_size = 0
        self._begun_tail = b""

    @property
    def state(self) -> State:
        """OPEN; CLOSING once one side sent its Close or the peer failed; CLOSED once we answered that."""
        if self.close_sent and (self.close_received or self._failed):
            return State.CLOSED
        if self.close_sent or self.close_received or self._failed:
            return State.CLOSING
        return State.OPEN

    def send_message(
        self, opcode: int, payload: str | bytes | bytearray | memoryview, out: list[bytes]
    ) -> int:
        """Send one message, in as many frames as ``max_frame`` asks for.

        Raises MessageTooBig over ``max_message``; ValueError for text that is not UTF-8; StateError after our
        Close and while :meth:`send_block` has begun a message.
        """
        if self.close_sent or self._begun:
            self._refuse_data()
        # The common cases first: a message that no limit, mask or compression concerns.
        if type(payload) is str:
            if opcode == TEXT and len(payload) <= self._plain_text:
                frame = framed_text(0x81, payload)
                out.append(frame)
                return len(frame)
        elif type(payload) is bytes and opcode == BINARY and len(payload) <= self._plain:
            return self._send_frame(0x82, payload, out)
        data = self._payload(opcode, payload)
        size = len(data)
        if size > self._max_message:
            raise _too_big(size, self._max_message)
        if opcode == TEXT and not isinstance(payload, str) and not self._is_text(data):
            raise _not_text()
        deflater = self._deflater
        if deflater is not None and size >= deflater.threshold:
            return self._send_frames(opcode | RSV1, deflater.compress(data, True), True, out)
        return self._send_frames(opcode, data, True, out)

    def send_block(
        self, opcode: int, payload: str | bytes | bytearray | memoryview, fin: bool, out: list[bytes]
    ) -> int:
        """Send one block of a message; the first call begins it, the one with ``fin`` ends it.

        ``opcode`` is that of the message, for every block. Blocks of text may end inside a character, the
        message may not. Raises as :meth:`send_message` does; StateError too if a message of the other opcode
        is unfinished.
        """
        data = self._payload(opcode, payload)
        if self.close_sent or (self._begun and self._begun != opcode):
            self._refuse_data()
        size = self._begun_size + len(data)
        if size > self._max_message:
            raise _too_big(size, self._max_message)
        tail = b""
        if opcode == TEXT:
            text = self._begun_tail + data
            end = text_end(text)
            tail = text[end:]
            if end < 0 or (tail and fin):
                raise _not_text()
        first = 0
        if not self._begun:
            first = opcode
            # How long the message will be is not known, unless this is all of it.
            deflater = self._deflater
            self._begun_compressed = deflater is not None and (not fin or size >= deflater.threshold)
            if self._begun_compressed:
                first |= RSV1
        if self._begun_compressed:
            assert self._deflater is not None
            data = self._deflater.compress(data, fin)
        self._begun = 0 if fin else opcode
        self._begun_size = 0 if fin else size
        self._begun_tail = tail
        return self._send_frames(first, data, fin, out)

    def send_framed(self, frames: Sequence[bytes], out: list[bytes]) -> int:
        """Send one message that another Protocol in the server's role has framed, once for many receivers.

        If it is compressed, that was with nothing but its own bytes in the window, and the next message here
        begins with an empty one, since the peer's window is no longer what ours was. Raises StateError as
        send_message().
        """
        if self.close_sent or self._begun:
            self._refuse_data()
        if self._deflater is not None and frames[0][0] & RSV1:
            self._deflater.reset()
        out += frames
        return sum(map(len, frames))

    def send_ping(self, payload: bytes, out: list[bytes]) -> int:
        """Send a Ping of up to 125 bytes (RFC 6455, 5.5.2).

        Raises ValueError over that, StateError after our Close.
        """
        return self._send_control(PING, payload, out)

    def send_pong(self, payload: bytes, out: list[bytes]) -> int:
        """Send a Pong: the answer to a Ping, or unasked (RFC 6455, 5.5.3). Raises as send_ping()."""
        return self._send_control(PONG, payload, out)

    def send_close(self, code: int | None, reason: str, out: list[bytes]) -> int:
        """Send the Close frame, the last thing this side sends (RFC 6455, 5.5.1); ``None``: an empty one.

        It may cut off a message that send_block() began. Raises ValueError for a code that may not be sent or
        a reason over 123 bytes, StateError if a Close was sent already.
        """
        size = self._send_control(CLOSE, close_payload(code, reason), out)
        self.close_sent = True
        self._message = None
        self._inflater = None
        self._deflater = None
        return size

    def _payload(self, opcode: int, payload: str | bytes | bytearray | memoryview) -> bytes:
        if opcode != TEXT and opcode != BINARY:
            raise ValueError(f"A message cannot have opcode {opcode}: use Opcode.TEXT or Opcode.BINARY")
        if isinstance(payload, str):
            return payload.encode()
        # Bytes are not copied by that.
        return bytes(payload)

    def _is_text(self, data: bytes) -> bool:
        # What was received as text need not be checked again to be sent on.
        return (data is self.data and self.opcode == TEXT) or text_end(data) == len(data)

    def _refuse_data(self) -> None:
        if self.close_sent:
            raise StateError(
                "Nothing can be sent after the Close frame: check the state first (RFC 6455 5.5.1)"
            )
        raise StateError(
            "A message begun by send_block() is unfinished: end it with fin first (RFC 6455 5.4)"
        )

    def _send_frames(self, opcode: int, data: bytes, fin: bool, out: list[bytes]) -> int:
        """Append a block as one frame, or as several of at most ``max_frame`` bytes."""
        size = len(data)
        limit = self._max_frame
        if size <= limit:
            return self._send_frame(opcode | 0x80 if fin else opcode, data, out)
        total = 0
        for start in range(0, size, limit):
            last = fin and start + limit >= size
            total += self._send_frame(opcode | 0x80 if last else opcode, data[start : start + limit], out)
            opcode = 0
        return total

    def _send_frame(self, first: int, data: bytes, out: list[bytes]) -> int:
        size = len(data)
        if self._client:
            # "a fresh masking key [...] MUST be chosen [...] derived from a strong source of entropy" (5.3)
            key = urandom(4)
            head = header(first, size, True) + key
            data = mask(data, key)
            if size <= JOINED:
                out.append(head + data)
                return len(head) + size
        elif size <= JOINED:
            frame = framed(first, data)
            out.append(frame)
            return len(frame)
        else:
            head = plain_header(first, size)
        out.append(head)
        out.append(data)
        return len(head) + size

    def _send_control(self, opcode: int, payload: bytes, out: list[bytes]) -> int:
        if self.close_sent:
            self._refuse_data()
        if len(payload) > MAX_CONTROL_PAYLOAD:
            raise ValueError(
                f"Control payload is {len(payload)} bytes long: shorten it to 125 (RFC 6455 5.5)"
            )
        return self._send_frame(0x80 | opcode, payload if type(payload) is bytes else bytes(payload), out)


def _too_big(size: int, limit: int) -> MessageTooBig:
    return MessageTooBig(
        f"Message of {size} bytes is over limits.maxMessage ({limit}): send less or raise it"
    )


def _not_text() -> ValueError:
    return ValueError("Text payload is not valid UTF-8: encode it, or send it as binary (RFC 6455 5.6)")
