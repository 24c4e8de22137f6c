"""UTF-8 of text messages, checked while they arrive (RFC 6455, 8.1).

The decoder is CPython's own: it knows every rule of RFC 3629 (no overlong forms, no surrogates, nothing above
U+10FFFF) and, asked to decode a part, it fails at the first byte that no continuation can make good.
"""

from __future__ import annotations

from codecs import utf_8_decode

#: The reason given with close code 1007, whichever way the bad text was found: whole, in part, or after
#: inflating.
INVALID_TEXT = "Text message is not valid UTF-8 (RFC 6455 8.1)"


def valid_end(data: bytearray, start: int) -> int:
    """Check ``data[start:]``, text that may end in the middle of a character.

    ``start`` is a character boundary. Returns the boundary behind the last whole character, or -1 where a
    byte stands that cannot be part of UTF-8 whatever follows. Costs one pass over the new bytes.
    """
    # A memoryview spares the copy; it must be gone when the caller grows the bytearray, and so it is never
    # bound.
    try:
        return start + utf_8_decode(memoryview(data)[start:], "strict", False)[1]
    except UnicodeDecodeError:
        return -1


def replaced(data: bytes | bytearray, final: bool) -> tuple[str, int]:
    """Decode text that is not checked (``webSockets.validateUTF: false``): bad sequences become U+FFFD.

    Returns the text and how many bytes it took: all of them when ``final``, else up to the last character
    boundary.
    """
    return utf_8_decode(data, "replace", final)


def decoded(data: bytes | bytearray, final: bool) -> str:
    """Decode text; unless ``final`` it may end inside a character, which is left out.

    Raises UnicodeDecodeError at the first byte that cannot be UTF-8.
    """
    return utf_8_decode(data, "strict", final)[0]


def sendable_end(data: bytes) -> int:
    """Like :func:`valid_end`, for text to be sent: the last character boundary, or -1 if it is not UTF-8."""
    if data.isascii():
        return len(data)
    try:
        return utf_8_decode(data, "strict", False)[1]
    except UnicodeDecodeError:
        return -1
