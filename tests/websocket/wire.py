"""Frames written by hand, and what the codec makes of them, whichever way they are cut.

The frames are built here byte by byte from RFC 6455, section 5.2, without the code under test.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ioto_server.websocket import Protocol, Received

KEY = bytes.fromhex("37fa213d")  # the one of the examples in RFC 6455, 5.7

TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A
CONTINUATION = 0x00
FIN = 0x80

MAX_MESSAGE = 1 << 20
MAX_FRAME = 1 << 17

Event = tuple[Any, ...]


class Headers:
    """Headers as the HTTP parser hands them over."""

    def __init__(self, *pairs: tuple[str, str]) -> None:
        self.pairs = pairs

    def get_all(self, name: str) -> Sequence[str]:
        return [value for key, value in self.pairs if key.lower() == name.lower()]


def xor(payload: bytes, key: bytes = KEY) -> bytes:
    """Mask as 5.3 says it: octet i of the data with octet i modulo 4 of the key."""
    return bytes(octet ^ key[i % 4] for i, octet in enumerate(payload))


def length(size: int, mask_bit: int = 0x80) -> bytes:
    if size < 126:
        return bytes([mask_bit | size])
    if size < 65536:
        return bytes([mask_bit | 126]) + size.to_bytes(2, "big")
    return bytes([mask_bit | 127]) + size.to_bytes(8, "big")


def masked(first: int, payload: bytes = b"", key: bytes = KEY) -> bytes:
    """A client's frame."""
    return bytes([first]) + length(len(payload)) + key + xor(payload, key)


def plain(first: int, payload: bytes = b"") -> bytes:
    """A server's frame."""
    return bytes([first]) + length(len(payload), 0) + payload


def make(**settings: Any) -> Protocol:
    defaults: dict[str, Any] = {"max_message": MAX_MESSAGE, "max_frame": MAX_FRAME, "max_fragments": 1000}
    return Protocol(**{**defaults, **settings})


def event_of(protocol: Protocol, kind: Received) -> Event:
    """An event with all its values, to compare."""
    if kind in (Received.MESSAGE, Received.PIECE):
        return kind.name, protocol.opcode.name, protocol.data, protocol.data_length
    if kind in (Received.PING, Received.PONG):
        return kind.name, protocol.data
    if kind == Received.CLOSE:
        return kind.name, protocol.close_code, protocol.close_reason
    assert protocol.error is not None
    return kind.name, protocol.error.code, protocol.error.reason


def pull(protocol: Protocol) -> list[Event]:
    """All events of what was lent, but for INFLATING, which depends on the cuts."""
    found: list[Event] = []
    while (kind := protocol.next_event()) is not Received.NEED_DATA:
        assert type(kind) is Received
        if kind is Received.INFLATING:
            continue
        found.append(event_of(protocol, kind))
        if kind in (Received.MESSAGE, Received.PIECE, Received.PING, Received.PONG):
            assert type(protocol.data) in (str, bytes)
    return found


def feed(protocol: Protocol, *chunks: bytes) -> list[Event]:
    """Lend the chunks one after the other in one buffer that is overwritten each time, as a server's is."""
    shared = bytearray(max(map(len, chunks), default=0) + 8)
    found = []
    for chunk in chunks:
        shared[3 : 3 + len(chunk)] = chunk
        protocol.receive(shared, 3, 3 + len(chunk))
        found += pull(protocol)
        shared[:] = b"\xee" * len(shared)
    return found


def bytewise(wire: bytes) -> Iterable[bytes]:
    return (wire[i : i + 1] for i in range(len(wire)))


def held(wire: bytes, protocol: Protocol) -> list[Event]:
    """All events, with a pause after each, as a driver makes when the action lags."""
    shared = bytearray(wire)
    protocol.receive(shared)
    found: list[Event] = []
    while (kind := protocol.next_event()) is not Received.NEED_DATA:
        if kind is not Received.INFLATING:
            found.append(event_of(protocol, kind))
        protocol.hold()
        shared[:] = b"\xee" * len(shared)
    return found


def events(wire: bytes, **settings: Any) -> list[Event]:
    """The events of a wire; they are the same for every way of cutting it that is tried here."""
    whole = feed(make(**settings), wire)
    immutable = make(**settings)
    immutable.receive(wire)
    assert pull(immutable) == whole
    assert held(wire, make(**settings)) == whole
    assert feed(make(**settings), *bytewise(wire)) == whole
    for cut in range(1, min(len(wire), 40)):
        assert feed(make(**settings), wire[:cut], wire[cut:]) == whole, f"cut at {cut}"
    for size in (3, 7, 1000, 65536):
        if size < len(wire):
            assert feed(make(**settings), *(wire[i : i + size] for i in range(0, len(wire), size))) == whole
    return whole


def failure(wire: bytes, **settings: Any) -> tuple[int, str, int]:
    """Close code and reason of a wire that fails, and how many of its bytes it took to know."""
    found = events(wire, **settings)
    assert found, "no event"
    assert found[-1][0] == "FAILED", found
    protocol = make(**settings)
    for count, byte in enumerate(bytewise(wire), 1):
        last = feed(protocol, byte)
        if last and last[-1][0] == "FAILED":
            return last[-1][1], last[-1][2], count
    raise AssertionError("it failed whole, but not byte by byte")
