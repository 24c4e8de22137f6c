"""Frames out of lent bytes: the headers of RFC 6455, 5.2, and every rule and limit that a header decides.

Each rule is checked at the byte that decides it, in the order of the bytes, and nothing is checked at any
other moment. So the events, and the words of an error, cannot depend on how the network cut the bytes.
"""

from __future__ import annotations

from .errors import ProtocolError
from .frames import VERDICTS, first_byte_error
from .octets import read_key, rotate_key, unmask

#: ``_left`` between two frames: a header is due.
NO_FRAME = -1

#: The longest header: two bytes, eight of length, four of masking key.
MAX_HEADER = 14

#: The masking key before the first frame.
NO_KEY = read_key(bytearray(4), 0)

#: The buffer when none is lent.
EMPTY = bytearray()


class FrameReader:
    """The lent buffer, the frame that is being read, and as much of its message as headers depend on."""

    __slots__ = (
        "_client",
        "_compressed",
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
        "_opcode",
        "_pos",
        "_size",
        "_verdicts",
        "close_received",
        "close_sent",
        "error",
    )

    def _begin_reading(
        self, client: bool, max_message: int, max_frame: int, max_fragments: int, compressible: bool
    ) -> None:
        self._client = client
        self._max_message = max_message
        self._max_frame = max_frame
        self._max_fragments = max_fragments
        self._verdicts = 2 if compressible else 0
        # The lent buffer and what of it is still to be read.
        self._data = EMPTY
        self._pos = 0
        self._end = 0
        # The frame being read: a part of its header, or its first byte, payload bytes to come and key.
        self._head = EMPTY
        self._first = 0
        self._left = NO_FRAME
        self._key = NO_KEY
        # The message being read: opcode (0: none), bytes (inflated ones) and frames so far, compressed or
        # not.
        self._opcode = 0
        self._size = 0
        self._fragments = 0
        self._compressed = False
        # How the conversation stands.
        self._failed = False
        self.close_sent = False
        self.close_received = False
        self.error: ProtocolError | None = None

    def receive(self, data: bytes | bytearray, start: int = 0, end: int | None = None) -> None:
        """Lend the bytes ``data[start:end]`` until ``next_event()`` returns NEED_DATA, or until ``hold()``.

        A bytearray is read, and may be unmasked, in place: it must not shrink meanwhile. Bytes are copied.
        Bytes not yet consumed of an earlier buffer come first. Raises ValueError for places outside of the
        data.
        """
        stop = len(data) if end is None else end
        if not 0 <= start <= stop <= len(data):
            raise ValueError(
                f"data[{start}:{stop}] is not within the {len(data)} bytes lent: give places in them"
            )
        if self._failed or self.close_received:
            return
        if self._pos < self._end:
            self._data = self._data[self._pos : self._end]
            self._data += memoryview(data)[start:stop]
            self._pos = 0
            self._end = len(self._data)
        elif isinstance(data, bytearray):
            self._data = data
            self._pos = start
            self._end = stop
        else:
            self._data = bytearray(memoryview(data)[start:stop])
            self._pos = 0
            self._end = stop - start

    def hold(self) -> None:
        """Copy what is not yet consumed, so that the lent buffer can be used again."""
        self._data = self._data[self._pos : self._end]
        self._end -= self._pos
        self._pos = 0

    def _give_back(self) -> None:
        """Let go of the lent buffer: it is used up, or what is left of it is discarded."""
        self._data = EMPTY
        self._pos = 0
        self._end = 0

    def _refuse(self, code: int, reason: str) -> int:
        """Fail the connection (RFC 6455, 7.1.7): input is discarded from now on. Returns -1."""
        self.error = ProtocolError(code, reason)
        self._failed = True
        self._head = EMPTY
        self._left = NO_FRAME
        self._give_back()
        return -1

    def _too_big(self) -> int:
        return self._refuse(1009, f"Message over limits.maxMessage ({self._max_message})")

    def _read_header(self) -> int:
        """Read what is there of a header: 1 if a frame began, 0 if bytes are missing, -1 if it failed."""
        pos = self._pos
        end = self._end
        if pos >= end:
            return 0
        if self._head:
            held = len(self._head)
            head = self._head + self._data[pos : min(end, pos + MAX_HEADER - held)]
            size = self._parse_header(head, 0, len(head))
            if size > 0:
                self._head = EMPTY
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
            self._head = self._data[pos:end]
            self._pos = end
        return size

    def _parse_header(self, data: bytearray, pos: int, end: int) -> int:
        """Check the header at ``data[pos:end]``, begin its frame; return its size, 0 if incomplete, or -1."""
        first = data[pos]
        inside = self._opcode != 0
        if VERDICTS[self._verdicts + inside][first]:
            return self._refuse(1002, first_byte_error(first, inside, self._verdicts != 0))
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
        compressed = self._compressed if inside else first & 0x40 != 0
        if control:
            if length > 125:
                return self._refuse(1002, "Control frame is longer than 125 bytes (RFC 6455 5.5)")
            if length == 1 and first == 0x88:
                return self._refuse(1002, "Close frame has half a close code (RFC 6455 5.5.1)")
        else:
            if length >= 126:
                size = 4 if length == 126 else 10
                length = self._extended_length(data, pos + 2, min(end, pos + size), size - 2)
                if length < 0:
                    return -1
            # The tighter limit is the one that is reported, whichever length byte it was exceeded at. How
            # long a compressed message is shows only while inflating.
            room = self._max_message - self._size
            if room < self._max_frame and length > room and not compressed:
                return self._too_big()
            if length > self._max_frame:
                return self._refuse(1009, f"Frame over limits.maxFrame ({self._max_frame})")
        if not self._client:
            size += 4
        if end - pos < size:
            return 0
        if not self._client:
            self._key = read_key(data, pos + size - 4)
        self._first = first
        self._left = length
        if not control:
            self._begin_fragment(first & 0x0F, compressed, length)
        return size

    def _begin_fragment(self, opcode: int, compressed: bool, length: int) -> None:
        self._fragments += 1
        if opcode:
            self._opcode = opcode
            self._compressed = compressed
        if not compressed:
            self._size += length

    def _extended_length(self, data: bytearray, pos: int, end: int, width: int) -> int:
        """Return the length at ``data[pos:end]``, 2 or 8 bytes, zeros for those missing; -1 if refused."""
        known = end - pos
        if known <= 0:
            return 0
        if width == 8 and data[pos] >= 0x80:
            # "the most significant bit MUST be 0" (5.2)
            return self._refuse(1002, "Frame length has its most significant bit set (RFC 6455 5.2)")
        length = 0
        for i in range(known):
            length = length << 8 | data[pos + i]
        length <<= 8 * (width - known)
        # "the minimal number of bytes MUST be used to encode the length" (5.2): decided by the sixth byte of
        # eight, or by the second of two. What is known not to be zero earlier is long enough for its form.
        if (known >= 6 and length < 65536) or (known == width == 2 and length < 126):
            return self._refuse(1002, "Frame length is not in its shortest form (RFC 6455 5.2)")
        return length

    def _take(self, count: int) -> bytes:
        """Consume ``count`` bytes of the frame's payload and return them unmasked."""
        pos = self._pos
        stop = pos + count
        self._pos = stop
        self._left -= count
        payload = unmask(self._data, pos, stop, self._key)
        if self._left:
            self._key = rotate_key(self._key, count)
        return payload
