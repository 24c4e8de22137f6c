"""Compressed messages (RFC 7692, 6, 7.2), received and sent."""

from __future__ import annotations

import random
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ioto_server.websocket import Deflate, Opcode, Protocol, Received, StateError

from .test_cuts import cut, with_pauses
from .wire import BINARY, PING, TEXT, bytewise, events, failure, feed, make, masked, plain

AGREED = Deflate()
NO_TAKEOVER = Deflate(send_takeover=False, receive_takeover=False)

BAD_TEXT = "Compressed text does not inflate to valid UTF-8 (RFC 7692 7.2.2)"
BAD_DATA = "Compressed message cannot be inflated (RFC 7692 7.2.2)"

COMPRESSED_TEXT = 0xC1
COMPRESSED_BINARY = 0xC2

# RFC 7692, 7.2.3, the message "Hello"
HELLO = bytes.fromhex("f248cdc9c90700")


def deflated(*messages: bytes, bits: int = 15, level: int = 6) -> list[bytes]:
    """Payloads as 7.2.1 makes them, with context takeover."""
    stream = zlib.compressobj(level, zlib.DEFLATED, -bits)
    return [(stream.compress(message) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4] for message in messages]


def inflate(*payloads: bytes, **options: Any) -> list[tuple[Any, ...]]:
    options.setdefault("deflate", AGREED)
    return events(b"".join(masked(COMPRESSED_BINARY, payload) for payload in payloads), **options)


def binary(*messages: bytes) -> list[tuple[Any, ...]]:
    return [("MESSAGE", "BINARY", message, len(message)) for message in messages]


# The examples of RFC 7692, 7.2.3


def test_one_compressed_block() -> None:
    """7.2.3.1."""
    wire = bytes.fromhex("c107f248cdc9c90700")
    assert events(wire, client=True, deflate=AGREED) == [("MESSAGE", "TEXT", "Hello", 5)]


def test_two_fragments() -> None:
    """7.2.3.1: "a fragmented message"."""
    wire = bytes.fromhex("4103f248cd 8004c9c90700")
    assert events(wire, client=True, deflate=AGREED) == [("MESSAGE", "TEXT", "Hello", 5)]


def test_shared_window() -> None:
    """7.2.3.2: "Sharing LZ77 Sliding Window"."""
    assert inflate(HELLO, bytes.fromhex("f200110000")) == binary(b"Hello", b"Hello")


def test_unshared_window() -> None:
    """7.1.1: a message that needs the window which it was agreed not to take over."""
    assert inflate(HELLO, HELLO, deflate=NO_TAKEOVER) == binary(b"Hello", b"Hello")
    found = inflate(HELLO, bytes.fromhex("f200110000"), deflate=NO_TAKEOVER)
    assert found == [*binary(b"Hello"), ("FAILED", 1007, BAD_DATA)]


def test_block_without_compression() -> None:
    """7.2.3.3: "Using a DEFLATE Block with No Compression"."""
    assert inflate(bytes.fromhex("000500faff48656c6c6f00")) == binary(b"Hello")


def test_final_block() -> None:
    """7.2.3.4: "Using a DEFLATE Block with "BFINAL" Set to 1"."""
    final = bytes.fromhex("f348cdc9c9070000")
    assert inflate(final, final, HELLO) == binary(b"Hello", b"Hello", b"Hello")


def test_two_blocks() -> None:
    """7.2.3.5: "Two DEFLATE Blocks in One Message"."""
    assert inflate(bytes.fromhex("f24805000000ffffcac9c90700")) == binary(b"Hello")


def test_empty_message() -> None:
    """7.2.3.6: "Compressed Empty Message"."""
    assert inflate(b"\x00", b"\x00", HELLO) == binary(b"", b"", b"Hello")
    assert events(masked(COMPRESSED_TEXT, b"\x00"), deflate=AGREED) == [("MESSAGE", "TEXT", "", 0)]


# Final blocks (7.2.3.4)


def test_final_block_keeps_the_window() -> None:
    """Nothing in 7.2 says that a final block empties the window: what follows may refer to before it."""
    final = bytes.fromhex("f348cdc9c907")
    again = bytes.fromhex("f200110000")
    assert inflate(final + b"\x00" + again) == binary(b"HelloHello")
    assert inflate(final + b"\x00" + b"\x00", again, again) == binary(b"Hello", b"Hello", b"Hello")
    assert inflate(HELLO, final + b"\x00" + again, deflate=NO_TAKEOVER) == binary(b"Hello", b"HelloHello")


def test_final_block_may_be_the_end() -> None:
    final = bytes.fromhex("f348cdc9c90700")
    assert inflate(final, final, HELLO) == binary(b"Hello", b"Hello", b"Hello")
    wire = masked(0x42, final) + masked(0x80) + masked(COMPRESSED_BINARY, HELLO)
    assert events(wire, deflate=AGREED) == binary(b"Hello", b"Hello")


def test_many_final_blocks() -> None:
    assert inflate(bytes.fromhex("0300") * 5000 + HELLO) == binary(b"Hello")


# Undecodable data


@pytest.mark.parametrize("first", [0xC1, 0xC2])
@pytest.mark.parametrize(
    "payload",
    [
        "",  # no block at all: an empty message is 00
        "07",  # block type 3
        "f248cdc9c9",  # cut off inside a compressed block
        "f248cdc9c907",
        "000500faff4865",  # cut off inside a stored block
        "000400fbff",  # ... where the tail would just fill it
        "010400fbff",
        "000500faf",
        "000500fafe48656c6c6f00",  # lengths that do not complement each other
        "f248cdc9c907000000ffff",  # the tail that should have been left out
        "f200110000",  # a distance to before the beginning
    ],
)
def test_undecodable(payload: str, first: int) -> None:
    """SPEC 4: undecodable data is 1007, at the latest at the end of the message."""
    data = bytes.fromhex(payload if len(payload) % 2 == 0 else payload + "0")
    reason = BAD_TEXT if first == 0xC1 else BAD_DATA
    code, text, known_at = failure(masked(first, data), deflate=AGREED)
    assert (code, text) == (1007, reason)
    assert known_at <= 6 + len(data)
    good = masked(first, deflated(b"good")[0])
    afresh = Deflate(receive_takeover=False)
    assert events(good + masked(first, data), deflate=afresh)[1:] == [("FAILED", code, text)]


def test_undecodable_text_that_is_not_checked() -> None:
    found = events(masked(0xC1, b"\x07"), deflate=AGREED, validate_utf=False)
    assert found == [("FAILED", 1007, BAD_DATA)]


def test_undecodable_data_fails_at_its_byte() -> None:
    """A reserved block type behind 100 good bytes."""
    good = deflated(bytes(range(100)), level=0)[0][:-1]
    wire = masked(COMPRESSED_BINARY, good + b"\x06" + bytes(9))
    assert failure(wire, deflate=AGREED) == (1007, BAD_DATA, 6 + len(good) + 1)


def test_bad_text_fails_before_the_message_is_complete() -> None:
    payload = deflated(b"abc\xff")[0]
    wire = masked(0x41, payload)
    code, text, known_at = failure(wire + masked(0x00, b"more"), deflate=AGREED)
    assert (code, text) == (1007, BAD_TEXT)
    assert known_at <= len(wire)


def test_text_that_ends_inside_a_character() -> None:
    assert failure(masked(COMPRESSED_TEXT, deflated(b"ab\xc3")[0]), deflate=AGREED)[:2] == (1007, BAD_TEXT)


def test_text_across_fragments_and_steps() -> None:
    text = "aé€😀" * 30000
    payload = deflated(text.encode())[0]
    wire = masked(0x41, payload[:500]) + masked(0x00, payload[500:501]) + masked(0x80, payload[501:])
    size = len(text.encode())
    assert events(wire, deflate=AGREED) == [("MESSAGE", "TEXT", text, size)]
    assert events(wire, deflate=AGREED, text_bytes=True) == [("MESSAGE", "TEXT", text.encode(), size)]


def test_text_that_is_not_checked_is_replaced() -> None:
    wire = masked(COMPRESSED_TEXT, deflated(b"a\xffb")[0])
    assert events(wire, deflate=AGREED, validate_utf=False) == [("MESSAGE", "TEXT", "a\ufffdb", 3)]


# Windows


@pytest.mark.parametrize("bits", range(9, 16))
def test_window_of_every_size(bits: int) -> None:
    noise = random.Random(bits).randbytes(1 << bits)
    messages = [noise, noise[-200:], b"x", noise[-300:-100], noise]
    payloads = deflated(*messages, bits=bits)
    assert len(payloads[1]) < 100, "the window was of use"
    assert inflate(*payloads, deflate=Deflate(receive_window_bits=bits)) == binary(*messages)


def test_window_that_is_agreed_is_all_that_is_kept() -> None:
    noise = random.Random(1).randbytes(3000)
    payloads = deflated(noise, noise[:200])
    assert inflate(*payloads, deflate=Deflate(receive_window_bits=12)) == binary(noise, noise[:200])
    found = inflate(*payloads, deflate=Deflate(receive_window_bits=11))
    assert found == [*binary(noise), ("FAILED", 1007, BAD_DATA)]


def test_window_goes_on_over_uncompressed_messages() -> None:
    """7.2.1: only compressed messages go through the window."""
    first, second = deflated(b"Hello", b"Hello")
    wire = masked(COMPRESSED_TEXT, first) + masked(TEXT, b"other") + masked(COMPRESSED_TEXT, second)
    assert [event[2] for event in events(wire, deflate=AGREED)] == ["Hello", "other", "Hello"]


def test_nothing_but_the_window_is_kept() -> None:
    protocol = make(deflate=AGREED)
    payload = deflated(bytes(100000))[0]
    feed(protocol, masked(COMPRESSED_BINARY, payload))
    assert protocol.buffered == 0


# Limits


def test_inflated_message_at_and_over_the_limit() -> None:
    wire = masked(COMPRESSED_BINARY, deflated(bytes(1000))[0])
    assert events(wire, deflate=AGREED, max_message=1000) == binary(bytes(1000))
    expected = (1009, "Message over limits.maxMessage (999)")
    assert failure(wire, deflate=AGREED, max_message=999)[:2] == expected


def test_limit_is_of_the_whole_message() -> None:
    one, two = deflated(bytes(600), bytes(401))
    wire = masked(0x42, one + zlib_tail()) + masked(0x80, two)
    assert events(wire, deflate=AGREED, max_message=1000)[-1][:2] == ("FAILED", 1009)
    assert events(wire, deflate=AGREED, max_message=1001) == binary(bytes(1001))


def zlib_tail() -> bytes:
    return b"\x00\x00\xff\xff"


def test_limit_of_each_message_is_its_own() -> None:
    assert inflate(*deflated(bytes(600), bytes(600)), max_message=600) == binary(bytes(600), bytes(600))


def test_payload_longer_than_the_message_it_inflates_to() -> None:
    """The message's limit is for what it inflates to: stored blocks make the payload longer."""
    noise = random.Random(1).randbytes(1000)
    payload = deflated(noise, level=0)[0]
    assert len(payload) > 1000
    assert inflate(payload, max_message=1000) == binary(noise)


def test_frame_limit_is_for_the_compressed_payload() -> None:
    payload = deflated(random.Random(1).randbytes(1000))[0]
    wire = masked(COMPRESSED_BINARY, payload)
    assert failure(wire, deflate=AGREED, max_frame=1000)[:2] == (1009, "Frame over limits.maxFrame (1000)")
    assert inflate(deflated(bytes(100000))[0], max_frame=200) == binary(bytes(100000))


def test_bad_text_before_the_limit_is_told_first() -> None:
    wire = masked(COMPRESSED_TEXT, deflated(b"\xff" + bytes(2000))[0])
    assert events(wire, deflate=AGREED, max_message=1000) == [("FAILED", 1007, BAD_TEXT)]
    wire = masked(COMPRESSED_TEXT, deflated(bytes(2000) + b"\xff")[0])
    assert events(wire, deflate=AGREED, max_message=1000)[0][:2] == ("FAILED", 1009)


MIB = 1 << 20


def bomb(mebibytes: int) -> list[bytes]:
    """Zeros, a mebibyte a fragment, each about a kibibyte compressed."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    first, other = (stream.compress(bytes(MIB)) + stream.flush(zlib.Z_SYNC_FLUSH) for _ in range(2))
    return [first, *[other] * (mebibytes - 1)]


@pytest.mark.parametrize(
    ("mebibytes", "kept"), [(1, True), (16, True), (17, False), (64, False), (1024, False)]
)
@pytest.mark.parametrize("fragmented", [True, False])
def test_zip_bomb(mebibytes: int, kept: bool, fragmented: bool) -> None:
    limit = 16 * MIB
    blocks = bomb(mebibytes)
    if fragmented:
        wire = masked(0x42, blocks[0]) + b"".join(masked(0x00, block) for block in blocks[1:])
        wire += masked(0x80, b"\x00")
    else:
        wire = masked(COMPRESSED_BINARY, b"".join(blocks)[:-4])
    protocol = make(deflate=AGREED, max_message=limit, max_frame=2 * MIB, max_fragments=2000)
    tracemalloc.start()
    try:
        found = feed(protocol, *(wire[i : i + 65536] for i in range(0, len(wire), 65536)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if kept:
        assert [event[3] for event in found] == [mebibytes * MIB]
    else:
        assert found == [("FAILED", 1009, f"Message over limits.maxMessage ({limit})")]
    # The message, once as it grows and once as it is delivered.
    assert peak < 3 * limit


def test_who_pulls_may_look_up_while_much_inflates() -> None:
    """After a megabyte each time, of one message or of many."""
    one = masked(COMPRESSED_BINARY, b"".join(bomb(20))[:-4])
    many = b"".join(masked(COMPRESSED_BINARY, payload) for payload in deflated(*[bytes(300_000)] * 70))
    for wire, total in ((one, 20 * MIB), (many, 21_000_000)):
        protocol = make(deflate=AGREED, max_message=20 * MIB)
        protocol.receive(wire)
        times = most = held = delivered = 0
        while kind := protocol.next_event():
            if kind is Received.INFLATING:
                assert (protocol.data, protocol.data_length) == (b"", 0)
                times += 1
                most = max(most, delivered + protocol.buffered - held)
                held = delivered + protocol.buffered
            else:
                delivered += protocol.data_length
        assert delivered == total
        assert times >= 18
        assert most < MIB + 2 * 65536


# Fragments, control frames, pieces


def test_control_frames_between_compressed_fragments() -> None:
    payload = deflated(b"x" * 500 + b"y" * 500)[0]
    wire = masked(0x41, payload[:3]) + masked(PING, b"\xff") + masked(0x00) + masked(0x80, payload[3:])
    assert events(wire, deflate=AGREED) == [
        ("PING", b"\xff"),
        ("MESSAGE", "TEXT", "x" * 500 + "y" * 500, 1000),
    ]


def test_uncompressed_messages_where_compression_was_agreed() -> None:
    wire = masked(TEXT, b"a") + masked(0x02, b"b") + masked(0x80, b"c")
    assert [event[2] for event in events(wire, deflate=AGREED)] == ["a", b"bc"]


def test_streamed_slices() -> None:
    """SPEC 4: slices of at most `maxFrame` inflated bytes, and what is left at the end of a frame."""
    data = bytes(range(250))
    wire = masked(COMPRESSED_BINARY, deflated(data)[0])
    found = events(wire, deflate=AGREED, stream=True, max_frame=300)
    assert found == [("MESSAGE", "BINARY", data, 250)]
    data = bytes(1000)
    found = events(masked(COMPRESSED_BINARY, deflated(data)[0]), deflate=AGREED, stream=True, max_frame=300)
    assert [(event[0], event[3]) for event in found] == [("PIECE", 300)] * 3 + [("MESSAGE", 100)]


def test_streamed_frames_are_flushed() -> None:
    stream = zlib.compressobj(wbits=-15)
    first, second = (stream.compress(part) + stream.flush(zlib.Z_SYNC_FLUSH) for part in (b"ab", b"cd"))
    wire = masked(0x42, first) + masked(0x00) + masked(0x80, second[:-4])
    assert events(wire, deflate=AGREED, stream=True) == [("PIECE", "BINARY", b"ab", 2), *binary(b"cd")]


@pytest.mark.parametrize("content", [bytes(1000), b"abc" * 500, bytes(range(250)) * 5])
def test_streamed_frames_bring_all_that_they_inflate_to(content: bytes) -> None:
    """Also where zlib has taken all compressed bytes and still holds some of what they inflate to."""
    payload = deflated(content)[0]
    for place in range(1, len(payload)):
        protocol = make(deflate=AGREED, stream=True, max_frame=300)
        found = feed(protocol, masked(0x42, payload[:place]))
        assert sum(event[3] for event in found) == len(zlib.decompressobj(-15).decompress(payload[:place]))
        found += feed(protocol, masked(0x80, payload[place:]))
        assert b"".join(event[2] for event in found) == content


@pytest.mark.parametrize("frame", [1, 2, 5, 300])
def test_streamed_text_ends_on_character_boundaries(frame: int) -> None:
    text = "a😀€é" * 50
    payload = deflated(text.encode())[0]
    wire = b"".join(masked(0x00 if i else 0x41, payload[i : i + 1]) for i in range(len(payload))) + masked(
        0x80
    )
    found = events(wire, deflate=AGREED, stream=True, max_frame=frame)
    assert "".join(event[2] for event in found) == text
    assert all(event[3] <= max(frame, 4) for event in found)
    assert [event[0] for event in found] == ["PIECE"] * (len(found) - 1) + ["MESSAGE"]


def test_streaming_holds_little() -> None:
    protocol = make(deflate=AGREED, stream=True, max_message=64 * MIB)
    protocol.receive(masked(COMPRESSED_BINARY, b"".join(bomb(32))[:-4]))
    total = 0
    while protocol.next_event():
        total += protocol.data_length
        assert protocol.data_length <= 1 << 17
        assert protocol.buffered < 1 << 17
    assert total == 32 * MIB


def test_streamed_bomb_is_limited_as_a_whole() -> None:
    protocol = make(deflate=AGREED, stream=True, max_message=2 * MIB)
    found = feed(protocol, masked(COMPRESSED_BINARY, b"".join(bomb(3))[:-4]))
    assert [event[0] for event in found] == ["PIECE"] * 16 + ["FAILED"]
    assert found[-1][1] == 1009


def test_more_may_be_received_between_two_pieces() -> None:
    """The driver pauses after a piece, and reads on before it goes on: nothing is lost."""
    content = random.Random(3).randbytes(100) * 20
    wire = masked(COMPRESSED_BINARY, deflated(content)[0]) + masked(BINARY, b"next")
    protocol = make(deflate=AGREED, stream=True, max_frame=300)
    found = b""
    for chunk in bytewise(wire):
        protocol.receive(chunk)
        if protocol.next_event():
            found += protocol.data
            protocol.hold()
    while protocol.next_event():
        found += protocol.data
    assert found == content + b"next"


def test_our_close_between_two_pieces() -> None:
    protocol = make(deflate=AGREED, stream=True, max_frame=300)
    protocol.receive(masked(COMPRESSED_BINARY, deflated(bytes(1000))[0]) + masked(0x88))
    assert protocol.next_event()
    protocol.send_close(1000, "", [])
    assert protocol.buffered < 10
    assert feed(protocol) == []
    assert protocol.next_event().name == "CLOSE"


def test_compressed_messages_after_our_close_are_discarded() -> None:
    protocol = make(deflate=AGREED)
    protocol.send_close(1000, "", [])
    wire = masked(0x41, b"\xff") + masked(0x80, b"\xff") + masked(0xC1, b"\xff") + masked(0x88)
    assert feed(protocol, wire) == [("CLOSE", 1005, "")]


def test_buffered_counts_compressed_bytes_too() -> None:
    protocol = make(deflate=AGREED, stream=True, max_frame=1000)
    assert protocol.buffered == 0
    payload = deflated(bytes(100000), random.Random(1).randbytes(500))
    wire = masked(COMPRESSED_BINARY, payload[0] + zlib_tail() + payload[1])
    protocol.receive(wire)
    assert protocol.next_event().name == "PIECE"
    assert 500 < protocol.buffered < len(wire)


# Whichever way it is cut

corpus = st.lists(
    st.one_of(
        st.binary(max_size=50),
        st.text(max_size=50).map(str.encode),
        st.builds(lambda part, count: part * count, st.binary(min_size=1, max_size=4), st.integers(1, 3000)),
    ),
    min_size=1,
    max_size=3,
)
limits = st.fixed_dictionaries(
    {},
    optional={
        "stream": st.booleans(),
        "validate_utf": st.booleans(),
        "text_bytes": st.booleans(),
        "max_frame": st.sampled_from([100, 300, 5000]),
        "max_message": st.sampled_from([0, 1, 70, 500, 2000, 70000]),
    },
)
agreements = st.builds(Deflate, receive_window_bits=st.integers(9, 15), receive_takeover=st.booleans())


@settings(max_examples=200, deadline=None)
@given(
    corpus,
    st.sampled_from([0x41, 0x42]),
    st.integers(9, 15),
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=3),
    st.lists(st.integers(0, 3000), max_size=5),
    st.lists(st.booleans(), min_size=1),
    agreements,
    limits,
)
def test_any_cut_gives_the_same_events(
    messages: list[bytes],
    first: int,
    bits: int,
    damage: list[tuple[int, int]],
    cuts: list[int],
    pauses: list[bool],
    agreed: Deflate,
    options: dict[str, Any],
) -> None:
    """Damaged or not, within the limits or not: the same events and words, byte by byte or in any split."""
    wire = b""
    for payload in deflated(*messages, bits=bits):
        damaged = bytearray(payload)
        for place, octet in damage:
            damaged[place % len(damaged)] = octet
        middle = len(damaged) // 2
        wire += masked(first, bytes(damaged[:middle])) + masked(0x80, bytes(damaged[middle:]))
    expected = feed(make(deflate=agreed, **options), wire)
    assert feed(make(deflate=agreed, **options), *bytewise(wire)) == expected
    assert feed(make(deflate=agreed, **options), *cut(wire, cuts)) == expected
    assert with_pauses(cut(wire, cuts), pauses, deflate=agreed, **options) == expected


def test_fault_right_behind_the_limit() -> None:
    """The byte that goes over the limit and the one that is bad lie in one chunk: the first counts."""
    good = deflated(bytes(range(200)) * 2, level=0)[0][:-1]
    wire = masked(COMPRESSED_BINARY, good + b"\x06" + bytes(5))
    for limit in range(395, 405):
        code = 1009 if limit < 400 else 1007
        assert [event[1] for event in events(wire, deflate=AGREED, max_message=limit)] == [code]
        pieces = events(wire, deflate=AGREED, max_message=limit, max_frame=len(wire), stream=True)
        assert [event[:2] for event in pieces] == [("FAILED", code)]


@pytest.mark.parametrize("frame", [100, 200, 400])
def test_fault_right_behind_a_piece(frame: int) -> None:
    good = deflated(bytes(range(200)) * 2, level=0)[0][:-1]
    wire = masked(0x02 | 0x40, good[:300]) + masked(0x00, good[300:] + b"\x06" + bytes(5))
    found = events(wire, deflate=AGREED, max_frame=max(frame, 300), stream=True)
    assert found[-1][:2] == ("FAILED", 1007)
    assert all(event[0] == "PIECE" for event in found[:-1])


@pytest.mark.parametrize("size", [99, 100, 101, 200])
def test_pieces_come_before_the_fault_behind_them(size: int) -> None:
    """All that was well is handed out, also where the fault is in the very bytes that end a piece."""
    wire = masked(COMPRESSED_BINARY, deflated(bytes(size))[0] + b"\x00\x00\xff\xff\x06")
    found = events(wire, deflate=AGREED, max_frame=100, stream=True)
    assert found[-1][:2] == ("FAILED", 1007)
    assert [event[3] for event in found[:-1]] == [100] * (size // 100)


# Sending


def sent(protocol: Protocol, *messages: bytes) -> list[bytes]:
    out: list[bytes] = []
    for message in messages:
        protocol.send_message(Opcode.BINARY, message, out)
    return out


def test_sent_as_in_the_rfc() -> None:
    """7.2.3.1 and 7.2.3.2."""
    protocol, out = make(deflate=AGREED), list[bytes]()
    assert protocol.send_message(Opcode.TEXT, "Hello", out) == 9
    protocol.send_message(Opcode.TEXT, "Hello", out)
    assert [item.hex() for item in out] == ["c107f248cdc9c90700", "c105f200110000"]


def test_sent_without_takeover() -> None:
    out = sent(make(deflate=NO_TAKEOVER), b"Hello", b"Hello")
    assert out[0] == out[1] == plain(COMPRESSED_BINARY, HELLO)


def test_empty_message_is_sent_as_in_the_rfc() -> None:
    """7.2.3.6, also when nothing but empty messages went before."""
    assert sent(make(deflate=AGREED), b"", b"", b"x", b"")[:2] == [plain(COMPRESSED_BINARY, b"\x00")] * 2


def test_threshold() -> None:
    out = sent(make(deflate=Deflate(threshold=10)), b"x" * 9, b"x" * 10)
    assert out[0] == plain(BINARY, b"x" * 9)
    assert out[1][0] == COMPRESSED_BINARY


def test_threshold_counts_the_bytes_of_text() -> None:
    out: list[bytes] = []
    protocol = make(deflate=Deflate(threshold=10))
    protocol.send_message(Opcode.TEXT, "é" * 5, out)
    assert out[0][0] == COMPRESSED_TEXT


def test_window_of_8_bits_is_sent_to_uncompressed() -> None:
    """zlib cannot compress for it, and nothing obliges to."""
    protocol, out = make(client=True, deflate=Deflate(send_window_bits=8)), list[bytes]()
    protocol.send_message(Opcode.TEXT, "x" * 300, out)
    protocol.send_block(Opcode.TEXT, "x", False, out)
    assert [item[0] for item in out] == [0x81, 0x01]


@pytest.mark.parametrize("bits", range(9, 16))
def test_agreed_window_is_kept_to(bits: int) -> None:
    noise = random.Random(bits).randbytes(60000)
    out = sent(make(deflate=Deflate(send_window_bits=bits), max_frame=MIB), noise, noise)
    peer = make(client=True, deflate=Deflate(receive_window_bits=bits), max_frame=MIB)
    assert feed(peer, *out) == binary(noise, noise)


@pytest.mark.parametrize(("level", "bits", "mem_level"), [(1, 9, 1), (1, 15, 9), (9, 12, 4), (6, 12, 5)])
def test_zlib_gets_what_was_set(level: int, bits: int, mem_level: int) -> None:
    text = b"".join(b"%d," % (i * i) for i in range(2000))
    stream = zlib.compressobj(level, zlib.DEFLATED, -bits, mem_level)
    payload = (stream.compress(text) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]
    agreed = Deflate(send_window_bits=bits, level=level, mem_level=mem_level)
    assert b"".join(sent(make(deflate=agreed), text)) == plain(COMPRESSED_BINARY, payload)


def test_long_compressed_message_is_split() -> None:
    """6.1: the compressed bit is set on the first fragment only."""
    noise = random.Random(1).randbytes(2500)
    wire = b"".join(sent(make(deflate=AGREED, max_frame=1000), noise))
    assert wire[0] == 0x42
    assert wire[1004] == 0x00
    assert wire[2008] == 0x80
    assert events(wire, client=True, deflate=AGREED) == binary(noise)


def test_blocks_are_compressed_together() -> None:
    protocol, out = make(deflate=Deflate(threshold=1000)), list[bytes]()
    protocol.send_block(Opcode.TEXT, "Hello ", False, out)
    assert feed(make(client=True, deflate=AGREED, stream=True), *out) == [("PIECE", "TEXT", "Hello ", 6)]
    protocol.send_block(Opcode.TEXT, "", False, out)
    protocol.send_block(Opcode.TEXT, "Hello", True, out)
    assert [item[0] for item in out] == [0x41, 0x00, 0x80]
    assert events(b"".join(out), client=True, deflate=AGREED) == [("MESSAGE", "TEXT", "Hello Hello", 11)]


def test_single_block_below_the_threshold() -> None:
    protocol, out = make(deflate=Deflate(threshold=10)), list[bytes]()
    protocol.send_block(Opcode.TEXT, "x" * 9, True, out)
    protocol.send_block(Opcode.TEXT, "x" * 10, True, out)
    assert [item[0] for item in out] == [0x81, 0xC1]


def test_blocks_uncompressed_stay_so() -> None:
    protocol, out = make(), list[bytes]()
    protocol.send_block(Opcode.TEXT, "x", False, out)
    protocol.send_block(Opcode.TEXT, "y", True, out)
    assert [item[0] for item in out] == [0x01, 0x80]


def test_nothing_is_compressed_in_vain() -> None:
    """A refused message leaves no trace in the window."""
    protocol, out = make(deflate=AGREED, max_message=10), list[bytes]()
    for bad in (b"x" * 11, b"\xff"):
        with pytest.raises(ValueError, match=r"over limits|not valid"):
            protocol.send_message(Opcode.TEXT, bad, out)
        with pytest.raises(ValueError, match=r"over limits|not valid"):
            protocol.send_block(Opcode.TEXT, bad, True, out)
    protocol.send_message(Opcode.TEXT, "Hello", out)
    assert out == [plain(COMPRESSED_TEXT, HELLO)]


# Framed once for many (SPEC 6, publish)


def test_send_framed() -> None:
    framer = make(deflate=NO_TAKEOVER)
    frames: list[bytes] = []
    framer.send_message(Opcode.BINARY, b"Hello there", frames)
    protocol, out = make(deflate=AGREED), list[bytes]()
    protocol.send_message(Opcode.BINARY, b"Hello", out)
    assert protocol.send_framed(frames, out) == sum(map(len, frames))
    assert out[1] is frames[0]
    protocol.send_message(Opcode.BINARY, b"Hello there", out)
    protocol.send_message(Opcode.BINARY, b"Hello there", out)
    found = events(b"".join(out), client=True, deflate=AGREED)
    assert found == binary(b"Hello", *[b"Hello there"] * 3)
    assert len(out[3]) < len(out[2]), "the window is taken over again"


def test_send_framed_uncompressed_keeps_the_window() -> None:
    protocol, out = make(deflate=AGREED), list[bytes]()
    protocol.send_message(Opcode.BINARY, b"Hello", out)
    protocol.send_framed([plain(BINARY, b"other")], out)
    protocol.send_message(Opcode.BINARY, b"Hello", out)
    assert out[2].hex() == "c205f200110000"
    assert feed(make(client=True, deflate=AGREED), *out) == binary(b"Hello", b"other", b"Hello")


def test_send_framed_where_nothing_was_agreed() -> None:
    out: list[bytes] = []
    make().send_framed([plain(BINARY, b"a")], out)
    assert out == [plain(BINARY, b"a")]


def test_send_framed_keeps_to_the_state() -> None:
    protocol, out = make(), list[bytes]()
    protocol.send_block(Opcode.TEXT, "a", False, out)
    with pytest.raises(StateError, match="unfinished"):
        protocol.send_framed([plain(BINARY)], out)
    protocol.send_close(1000, "", out)
    with pytest.raises(StateError, match="after the Close"):
        protocol.send_framed([plain(BINARY)], out)
    assert len(out) == 2


def test_what_was_agreed_can_be_asked() -> None:
    assert make(deflate=AGREED).deflate is AGREED
    assert make().deflate is None


# Both roles


@settings(max_examples=60, deadline=None)
@given(corpus, st.booleans(), st.booleans(), st.integers(9, 15), st.lists(st.integers(0, 3000), max_size=4))
def test_round_trip(messages: list[bytes], client: bool, takeover: bool, bits: int, cuts: list[int]) -> None:
    sender = make(
        client=client, max_frame=100, deflate=Deflate(send_window_bits=bits, send_takeover=takeover)
    )
    receiver = make(client=not client, deflate=Deflate(receive_window_bits=bits, receive_takeover=takeover))
    wire = b"".join(sent(sender, *messages))
    assert feed(receiver, *cut(wire, cuts)) == binary(*messages)
