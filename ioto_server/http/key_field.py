"""The key of a handshake in the bytes of a request header: where it stands, and the header without it."""

from __future__ import annotations

import re
from typing import Final

KEY_SIZE: Final = 24
"""16 bytes in base64 (RFC 6455 4.1)."""

# As almost everybody writes it.
_FIELDS: Final = (b"\r\nSec-WebSocket-Key: ", b"\r\nsec-websocket-key: ")
_FIELD_SIZE: Final = len(_FIELDS[0])
_KEY: Final = re.compile(rb"[A-Za-z0-9+/]{22}==\r\n")


def key_position(block: bytes) -> int:
    """Where the value of Sec-WebSocket-Key begins in a request header, if it has the form of one; else -1.

    Nothing but the value is between this and the end of its line: taken out, it leaves a header that is the
    same for all values, and for nothing else.
    """
    for field in _FIELDS:
        at = block.find(field)
        if at >= 0:
            at += _FIELD_SIZE
            return at if _KEY.match(block, at) else -1
    return -1


def without_key(block: bytes, at: int) -> bytes:
    """The header without the key that stands at `at`."""
    return block[:at] + block[at + KEY_SIZE :]


def copied(buffer: bytearray, size: int) -> bytes:
    """The first `size` bytes of a buffer that is lent."""
    return bytes(memoryview(buffer)[:size])
