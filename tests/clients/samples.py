"""The messages that every client sends to the echo: each side of each length encoding (RFC 6455 5.2)."""

import hashlib

SIZES = (0, 1, 125, 126, 65_535, 65_536, 1 << 20)

# A prime number of bytes, so that no cut falls on the same place of the pattern twice.
_PATTERN = b"".join(hashlib.sha512(bytes([seed])).digest() for seed in range(17))[:1021]
_LETTERS = "aé€😀"


def binary(size: int) -> bytes:
    return (_PATTERN * (size // len(_PATTERN) + 1))[:size]


def text(size: int) -> str:
    """A text of exactly `size` bytes of UTF-8, with characters of one to four bytes."""
    body = _LETTERS * (size // len(_LETTERS.encode()))
    return body + "z" * (size - len(body.encode()))
