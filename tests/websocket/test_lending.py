"""How a driver lends its buffer, and what it must not do."""

from __future__ import annotations

import re

import pytest

from ioto_server.websocket import Received

from .wire import TEXT, feed, make, masked, pull


@pytest.mark.parametrize(("start", "end"), [(-1, None), (4, 3), (0, 10), (10, None), (10, 10), (0, -1)])
def test_places_outside_of_the_data(start: int, end: int | None) -> None:
    for data in (bytes(9), bytearray(9)):
        with pytest.raises(ValueError, match=re.escape("is not within the 9 bytes lent")):
            make().receive(data, start, end)


def test_places_at_the_borders() -> None:
    protocol = make()
    wire = masked(TEXT, b"ab")
    for data in (wire, bytearray(wire)):
        protocol.receive(data, 8, 8)
        assert pull(protocol) == []
        protocol.receive(data, 0, 8)
        assert pull(protocol) == [("MESSAGE", "TEXT", "ab", 2)]


def test_nothing_lent() -> None:
    protocol = make()
    assert protocol.next_event() is Received.NEED_DATA
    assert feed(protocol, b"") == []


def test_bytes_are_never_changed() -> None:
    wire = masked(TEXT, "é".encode() * 100)
    copy = bytes(bytearray(wire))
    protocol = make()
    protocol.receive(wire)
    assert len(pull(protocol)) == 1
    assert wire == copy


def test_only_what_was_lent_is_changed() -> None:
    wire = masked(TEXT, "é".encode() * 100)
    shared = bytearray(b"before" + wire + b"behind")
    protocol = make()
    protocol.receive(shared, 6, 6 + len(wire))
    assert len(pull(protocol)) == 1
    assert shared[:6] == b"before"
    assert shared[-6:] == b"behind"


def test_lent_buffer_that_shrank() -> None:
    """A driver that breaks its word never sees what lies behind the buffer in memory."""
    text = "é" * 100
    for kept in range(200):
        protocol = make()
        shared = bytearray(masked(TEXT, text.encode()))
        protocol.receive(shared)
        del shared[kept:]
        try:
            kind = protocol.next_event()
        except IndexError:
            continue
        assert kind in (Received.NEED_DATA, Received.MESSAGE, Received.FAILED)
        assert text.startswith(protocol.data or "")
