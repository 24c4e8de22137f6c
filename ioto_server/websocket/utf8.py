"""UTF-8 of text messages, checked while they arrive (RFC 6455, 8.1).

The decoder is CPython's own, which knows every rule of RFC 3629 (no overlong forms, no surrogates, nothing
above U+10FFFF) and, asked to decode a part, fails at the first byte that no continuation can make good. All
but one: the second byte of a surrogate it lets wait for the third.
"""

from __future__ import annotations

from codecs import utf_8_decode

#: The reason given with close code 1007, whichever way the bad text was found: whole, or in part.
INVALID_TEXT = "Text message is not valid UTF-8 (RFC 6455 8.1)"


def decoded(data: bytes | bytearray | memoryview, final: bool) -> tuple[str, int]:
    """Decode text that, unless ``final``, may end inside a character: the text, and how many bytes it took.

    Raises UnicodeDecodeError at the first byte that cannot be UTF-8, whatever follows.
    """
    text, taken = utf_8_decode(data, "strict", final)
    if len(data) - taken == 2 and data[taken] == 0xED and data[taken + 1] >= 0xA0:
        raise UnicodeDecodeError("utf-8", bytes(data[taken:]), 0, 2, "surrogates not allowed")
    return text, taken


def replaced(data: bytes | bytearray, final: bool) -> tuple[str, int]:
    """Decode as :func:`decoded`, for ``webSockets.validateUTF: false``: bad sequences become U+FFFD."""
    return utf_8_decode(data, "replace", final)
