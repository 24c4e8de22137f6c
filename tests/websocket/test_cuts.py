"""The events never depend on how the bytes were cut, nor on when the driver pauses."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ioto_server.websocket import Received

from .wire import Event, event_of, events, feed, make, masked

payloads = st.one_of(
    st.binary(max_size=30),
    st.text(max_size=20).map(str.encode),
    st.sampled_from([bytes(125), bytes(126), "€".encode() * 100, b"\xf0\x9f\x98", bytes(70000)]),
)
first_bytes = st.one_of(
    st.sampled_from([0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A]),
    st.sampled_from([0x88, 0x83, 0xC1, 0x09, 0xA2]),
)
frames = st.builds(masked, first_bytes, payloads, st.binary(min_size=4, max_size=4))
#: Mostly good, so that conversations become long; broken in one byte now and then.
wires = st.lists(frames, max_size=8).map(b"".join)
broken = st.builds(
    lambda wire, at, octet: wire[: at % (len(wire) + 1)] + bytes([octet]) + wire[at % (len(wire) + 1) + 1 :],
    wires,
    st.integers(0, 300),
    st.integers(0, 255),
)
options = st.fixed_dictionaries(
    {},
    optional={
        "stream": st.booleans(),
        "text_bytes": st.booleans(),
        "validate_utf": st.booleans(),
        "max_frame": st.sampled_from([0, 20, 130, 1 << 40]),
        "max_message": st.sampled_from([0, 25, 140, 1 << 40]),
        "max_fragments": st.integers(1, 4),
    },
)


def cut(wire: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(place % (len(wire) + 1) for place in cuts), len(wire)]
    return [wire[a:b] for a, b in pairwise(places)]


def with_pauses(chunks: list[bytes], pauses: list[bool], **options: Any) -> list[Event]:
    """Pull with ``hold()`` and ``receive()`` in between, as a driver does whose action lags."""
    protocol = make(**options)
    found = []
    turn = 0
    for chunk in chunks:
        lent = bytearray(chunk)
        protocol.receive(lent)
        pause = False
        while not pause and (kind := protocol.next_event()):
            if kind is not Received.INFLATING:
                found.append(event_of(protocol, kind))
            pause = pauses[turn % len(pauses)]
            turn += 1
        protocol.hold()
        lent[:] = b"\xee" * len(lent)
    while kind := protocol.next_event():
        if kind is not Received.INFLATING:
            found.append(event_of(protocol, kind))
    assert protocol.buffered < len(b"".join(chunks)) + 1
    return found


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(wires, broken),
    st.lists(st.integers(0, 80000), max_size=6),
    st.lists(st.booleans(), min_size=1),
    options,
)
def test_any_cut_gives_the_same_events(
    wire: bytes, cuts: list[int], pauses: list[bool], options: dict[str, Any]
) -> None:
    expected = feed(make(**options), wire)
    assert feed(make(**options), *cut(wire, cuts)) == expected
    assert with_pauses(cut(wire, cuts), pauses, **options) == expected
    if len(wire) < 2000:
        assert events(wire, **options) == expected
