"""The masking of payloads (RFC 6455, 5.3): byte i is XORed with byte i mod 4 of the masking key."""

from __future__ import annotations


def read_key(data: bytes | bytearray, position: int) -> bytes:
    """Return the masking key that stands at ``position`` of a frame's header."""
    return bytes(data[position : position + 4])


def rotate_key(key: bytes, count: int) -> bytes:
    """Return the key as it applies behind ``count`` further bytes of the payload."""
    turn = count & 3
    return key[turn:] + key[:turn]


def unmask(data: bytes | bytearray, start: int, stop: int, key: bytes) -> bytes:
    """Return ``data[start:stop]`` XORed with the key; masking is the same operation.

    The payload is treated as one long number, which is as near to the processor as plain Python gets.
    """
    size = stop - start
    repeated = (key * ((size + 3) >> 2))[:size]
    number = int.from_bytes(data[start:stop], "little") ^ int.from_bytes(repeated, "little")
    return number.to_bytes(size, "little")
