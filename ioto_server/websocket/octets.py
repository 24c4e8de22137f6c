"""What is done to every octet: unmasking (RFC 6455, 5.3), collecting a message, checking text, framing.

This is the plain form. Where a compiler was at hand, octets.pyx takes its place, with the same names and
results.
"""

from __future__ import annotations

from .frames import header
from .utf8 import decoded, replaced

#: The key that changes nothing: of frames that are not masked.
NO_KEY = b"\0\0\0\0"


def read_key(data: bytearray, position: int) -> bytes:
    """Return the masking key that stands at ``position`` of a frame."""
    return bytes(data[position : position + 4])


def rotate_key(key: bytes, count: int) -> bytes:
    """Return the key as it applies behind ``count`` further bytes of the payload."""
    turn = count & 3
    return key[turn:] + key[:turn]


def mask(payload: bytes | bytearray, key: bytes) -> bytes:
    """Return the payload masked: byte i XORed with byte i mod 4 of the key. Masking twice is unmasking."""
    size = len(payload)
    repeated = (key * ((size + 3) >> 2))[:size]
    # One long number each, which is as near to the processor as plain Python gets.
    number = int.from_bytes(payload, "little") ^ int.from_bytes(repeated, "little")
    return number.to_bytes(size, "little")


def unmask(data: bytearray, start: int, stop: int, key: bytes) -> bytes:
    """Return ``data[start:stop]`` unmasked."""
    if key == NO_KEY:
        return bytes(memoryview(data)[start:stop])
    return mask(data[start:stop], key)


def unmask_text(data: bytearray, start: int, stop: int, key: bytes) -> str:
    """Return ``data[start:stop]`` unmasked and decoded; it may be unmasked in place.

    Raises UnicodeDecodeError.
    """
    return unmask(data, start, stop, key).decode()


def unmask_utf8(data: bytearray, start: int, stop: int, key: bytes) -> bytes:
    """Return ``data[start:stop]`` unmasked, which is known then to be UTF-8.

    Raises UnicodeDecodeError.
    """
    payload = unmask(data, start, stop, key)
    if not payload.isascii():
        payload.decode()
    return payload


def text_end(data: bytes | bytearray, start: int = 0) -> int:
    """Check ``data[start:]``, text that may end inside a character.

    ``start`` is a character boundary. Returns the boundary behind the last whole character, or -1 where a
    byte stands that cannot be UTF-8. Costs one pass over the new bytes.
    """
    # A memoryview spares the copy; it must be gone when the caller grows a bytearray, and so it is never
    # bound.
    try:
        return start + decoded(memoryview(data)[start:], False)[1]
    except UnicodeDecodeError:
        return -1


def plain_header(first: int, size: int) -> bytes:
    """Return the header of a frame that is not masked; ``first`` is its whole first byte."""
    return header(first, size)


def framed(first: int, payload: bytes) -> bytes:
    """Return a frame that is not masked, in one piece; ``first`` is the whole first byte of its header."""
    return header(first, len(payload)) + payload


def framed_text(first: int, text: str) -> bytes:
    """Return such a frame for text. Raises UnicodeEncodeError for surrogates."""
    return framed(first, text.encode())


class Assembly:
    """A message while it arrives: the bytes, and up to where they are known to be text.

    It takes memory for what has arrived. Of what a header has announced it may set aside up to three times as
    much, so that a long message need not be moved while it grows.
    """

    __slots__ = ("_data", "_valid")

    def __init__(self) -> None:
        self._data = bytearray()
        self._valid = 0

    def __len__(self) -> int:
        return len(self._data)

    def add(self, data: bytearray, start: int, stop: int, key: bytes, announced: int = 0) -> None:
        """Append ``data[start:stop]``, unmasked; ``announced`` is how many bytes are to come behind it."""
        self._data += unmask(data, start, stop, key)

    def extend(self, data: bytes) -> None:
        """Append bytes as they are."""
        self._data += data

    def is_text(self) -> bool:
        """Tell whether it is UTF-8 so far; it may end inside a character. Looks at what is new only."""
        valid = text_end(self._data, self._valid)
        if valid < 0:
            return False
        self._valid = valid
        return True

    # Each of these takes what it returns out of the assembly.

    def take(self) -> bytes:
        """Return all of it."""
        data = bytes(self._data)
        self._data.clear()
        return data

    def take_text(self) -> str:
        """Return all of it as text. Raises UnicodeDecodeError."""
        text = self._data.decode()
        self._data.clear()
        self._valid = 0
        return text

    def take_utf8(self) -> bytes:
        """Return all of it, which is known then to be UTF-8. Raises UnicodeDecodeError."""
        decoded(memoryview(self._data)[self._valid :], True)
        self._valid = 0
        return self.take()

    def take_characters(self) -> bytes:
        """Return what :meth:`is_text` found to be whole characters."""
        data = bytes(self._data[: self._valid])
        del self._data[: self._valid]
        self._valid = 0
        return data

    def take_replaced(self, final: bool) -> tuple[str, int]:
        """Return text, bad sequences as U+FFFD, and its size; up to a character boundary unless ``final``."""
        text, size = replaced(self._data, final)
        del self._data[:size]
        return text, size
