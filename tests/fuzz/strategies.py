"""Conversations for hypothesis: mostly good, so that they become long, and broken now and then."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from zlib import DEFLATED, Z_FINISH, Z_SYNC_FLUSH, compressobj

from hypothesis import strategies as st

from tests.websocket.wire import masked, plain

from .conversation import Conversation

texts = st.one_of(
    st.text(max_size=20).map(str.encode),
    st.sampled_from(["€".encode() * 60, "😀".encode() * 40, b"a" * 125, b"a" * 126, b"ascii" * 400]),
)
binaries = st.one_of(
    st.binary(max_size=40), st.sampled_from([bytes(125), bytes(126), bytes(65535), bytes(65536)])
)
bad_texts = st.sampled_from(
    [b"\x80", b"\xc0\xaf", b"\xe2\x82", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"a\xffb", b"\xf0\x9f\x98"]
)
payloads = st.one_of(texts, texts, binaries, bad_texts)
closes = st.one_of(
    st.just(b""),
    st.builds(
        lambda code, reason: code.to_bytes(2, "big") + reason,
        st.sampled_from([1000, 1001, 1005, 1006, 1011, 1015, 1016, 2999, 3000, 4999, 5000]),
        st.one_of(st.text(max_size=20).map(str.encode), bad_texts),
    ),
    st.just(b"\x03"),
)
first_bytes = st.one_of(
    st.sampled_from([0x81, 0x82, 0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x80, 0x89, 0x8A]),
    st.sampled_from([0x83, 0xC1, 0x41, 0xC0, 0x09, 0xA2, 0x91, 0xC9, 0x0F]),
)


def compressed(payload: bytes, level: int, final: bool) -> bytes:
    """As RFC 7692, 7.2.1, or with a final block (7.2.3.4)."""
    stream = compressobj(level, DEFLATED, -15)
    data = stream.compress(payload)
    if final:
        return data + stream.flush(Z_FINISH) + b"\0"
    return (data + stream.flush(Z_SYNC_FLUSH))[:-4]


def damaged(payload: bytes, place: int, octet: int) -> bytes:
    place %= len(payload) + 1
    return payload[:place] + bytes([octet]) + payload[place + 1 :]


deflated = st.builds(compressed, payloads, st.sampled_from([0, 1, 9]), st.booleans())
inflatable = st.one_of(
    deflated, deflated, st.builds(damaged, deflated, st.integers(0, 60), st.integers(0, 255))
)


def framed(client: bool, parts: tuple[int, bytes], key: bytes) -> bytes:
    # To a server frames come masked, to a client plain.
    return plain(*parts) if client else masked(*parts, key)


def fragmented(
    opcode: int, payload: bytes, places: list[int], between: tuple[int, bytes] | None
) -> list[Any]:
    """One message in several frames, with a control frame in the middle."""
    borders = [0, *sorted(place % (len(payload) + 1) for place in places), len(payload)]
    pieces = [payload[a:b] for a, b in pairwise(borders)]
    frames: list[tuple[int, bytes]] = [(opcode if i == 0 else 0, piece) for i, piece in enumerate(pieces)]
    frames[-1] = (frames[-1][0] | 0x80, frames[-1][1])
    if between is not None:
        frames.insert(len(frames) // 2, between)
    return frames


controls = st.one_of(
    st.tuples(st.sampled_from([0x89, 0x8A]), st.binary(max_size=125)),
    st.tuples(st.just(0x88), closes),
)
units = st.one_of(
    st.tuples(first_bytes, payloads).map(lambda one: [one]),
    st.tuples(st.just(0x81), texts).map(lambda one: [one]),
    controls.map(lambda one: [one]),
    st.tuples(st.sampled_from([0xC1, 0xC2]), inflatable).map(lambda one: [one]),
    st.builds(
        fragmented,
        st.sampled_from([1, 2]),
        payloads,
        st.lists(st.integers(0, 300), min_size=1, max_size=4),
        st.one_of(st.none(), controls),
    ),
    st.builds(
        fragmented,
        st.sampled_from([0x41, 0x42]),
        inflatable,
        st.lists(st.integers(0, 60), min_size=1, max_size=4),
        st.one_of(st.none(), controls),
    ),
)

agreements = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {
            "send_window_bits": st.integers(8, 15),
            "receive_window_bits": st.integers(8, 15),
            "send_takeover": st.booleans(),
            "receive_takeover": st.booleans(),
            "threshold": st.sampled_from([0, 1, 30]),
        }
    ),
)
settings_of = st.fixed_dictionaries(
    {"client": st.booleans()},
    optional={
        "stream": st.booleans(),
        "text_bytes": st.booleans(),
        "validate_utf": st.booleans(),
        "max_frame": st.sampled_from([0, 1, 20, 130, 65536, (1 << 63) - 1]),
        "max_message": st.sampled_from([0, 1, 25, 140, 65536, (1 << 63) - 1]),
        "max_fragments": st.integers(1, 4),
    },
)

sendable = st.one_of(
    st.text(max_size=40),
    st.binary(max_size=40),
    st.sampled_from(
        ["a" * 200, "é" * 9000, bytes(20000), "\ud800", bytearray(b"abc"), memoryview(b"abcd")[::2]]
    ),
)
calls = st.one_of(
    st.tuples(st.just("send_message"), st.sampled_from([1, 2, 1, 2, 0, 9]), sendable),
    st.tuples(st.just("send_block"), st.sampled_from([1, 2]), sendable, st.booleans()),
    st.tuples(st.sampled_from(["send_ping", "send_pong"]), st.binary(max_size=130)),
    st.tuples(
        st.just("send_close"),
        st.sampled_from([None, 1000, 1005, 3000, 5000]),
        st.sampled_from(["", "x", "é" * 62]),
    ),
)


def assembled(
    settings: dict[str, Any],
    agreed: dict[str, Any] | None,
    units: list[list[tuple[int, bytes]]],
    keys: list[bytes],
    spoil: tuple[int, int] | None,
    calls: dict[int, list[tuple[Any, ...]]],
) -> Conversation:
    frames = [frame for unit in units for frame in unit]
    wire = b"".join(framed(settings["client"], frame, keys[i % len(keys)]) for i, frame in enumerate(frames))
    if spoil is not None:
        wire = damaged(wire, *spoil)
    return Conversation(wire, settings, agreed, calls)


conversations = st.builds(
    assembled,
    settings_of,
    agreements,
    st.lists(units, max_size=7),
    st.lists(st.one_of(st.binary(min_size=4, max_size=4), st.just(bytes(4))), min_size=1, max_size=3),
    st.one_of(st.none(), st.none(), st.tuples(st.integers(0, 400), st.integers(0, 255))),
    st.dictionaries(st.integers(0, 6), st.lists(calls, min_size=1, max_size=3), max_size=3),
)
places = st.lists(st.integers(0, 70000), max_size=6)
