"""Messages whole, in fragments and in pieces, control frames between them (RFC 6455, 5.4, 5.5), limits."""

from __future__ import annotations

import pytest

from ioto_server.websocket import Opcode, Received

from .wire import BINARY, FIN, PING, PONG, TEXT, bytewise, events, failure, feed, make, masked, pull


def test_rfc_example_single_frame_unmasked() -> None:
    """5.7: "A single-frame unmasked text message"."""
    assert events(bytes.fromhex("810548656c6c6f"), client=True) == [("MESSAGE", "TEXT", "Hello", 5)]


def test_rfc_example_single_frame_masked() -> None:
    """5.7: "A single-frame masked text message"."""
    assert events(bytes.fromhex("818537fa213d7f9f4d5158")) == [("MESSAGE", "TEXT", "Hello", 5)]


def test_rfc_example_fragmented() -> None:
    """5.7: "A fragmented unmasked text message"."""
    assert events(bytes.fromhex("010348656c80026c6f"), client=True) == [("MESSAGE", "TEXT", "Hello", 5)]


def test_rfc_example_ping_and_pong() -> None:
    """5.7: "Unmasked Ping request and masked Ping response"."""
    assert events(bytes.fromhex("890548656c6c6f"), client=True) == [("PING", b"Hello")]
    assert events(bytes.fromhex("8a8537fa213d7f9f4d5158")) == [("PONG", b"Hello")]


def test_rfc_example_256_bytes() -> None:
    """5.7: "256 bytes binary message in a single unmasked frame"."""
    payload = bytes(range(256))
    assert events(bytes.fromhex("827e0100") + payload, client=True) == [("MESSAGE", "BINARY", payload, 256)]


@pytest.mark.parametrize("first", [TEXT, BINARY])
def test_empty_message(first: int) -> None:
    kind, data = ("TEXT", "") if first == TEXT else ("BINARY", b"")
    assert events(masked(first)) == [("MESSAGE", kind, data, 0)]


def test_key_of_each_frame_is_its_own() -> None:
    wire = b"".join(masked(BINARY, b"payload", bytes([i, 0, 255, 7 * i])) for i in range(30))
    assert events(wire) == [("MESSAGE", "BINARY", b"payload", 7)] * 30


def test_key_of_zeros() -> None:
    assert events(masked(TEXT, b"plain", bytes(4))) == [("MESSAGE", "TEXT", "plain", 5)]


def test_fragments_make_one_message() -> None:
    wire = masked(0x02, b"ab") + masked(0x00) + masked(0x00, b"c") + masked(0x80, b"def")
    assert events(wire) == [("MESSAGE", "BINARY", b"abcdef", 6)]


def test_empty_fragments_make_an_empty_message() -> None:
    assert events(masked(0x01) + masked(0x00) + masked(0x80)) == [("MESSAGE", "TEXT", "", 0)]


def test_control_frames_between_fragments() -> None:
    """5.4: "Control frames MAY be injected in the middle of a fragmented message"."""
    wire = (
        masked(0x01, b"a") + masked(PING, b"1") + masked(0x00, b"b") + masked(PONG, b"2") + masked(0x80, b"c")
    )
    assert events(wire) == [("PING", b"1"), ("PONG", b"2"), ("MESSAGE", "TEXT", "abc", 3)]


@pytest.mark.parametrize("size", [0, 1, 124, 125])
def test_control_payload_of_every_size(size: int) -> None:
    payload = bytes(range(size))
    assert events(masked(PING, payload)) == [("PING", payload)]


def test_messages_follow_each_other() -> None:
    wire = masked(TEXT, b"one") + masked(0x02, b"t") + masked(0x80, b"wo") + masked(TEXT, b"three")
    assert events(wire) == [
        ("MESSAGE", "TEXT", "one", 3),
        ("MESSAGE", "BINARY", b"two", 3),
        ("MESSAGE", "TEXT", "three", 5),
    ]


def test_text_as_bytes() -> None:
    wire = masked(TEXT, "é".encode()) + masked(0x01, b"a") + masked(0x80, b"b")
    found = events(wire, text_bytes=True)
    assert found == [("MESSAGE", "TEXT", b"\xc3\xa9", 2), ("MESSAGE", "TEXT", b"ab", 2)]


def test_opcode_is_the_enum() -> None:
    protocol = make()
    feed(protocol, masked(BINARY))
    assert protocol.opcode is Opcode.BINARY


# Limits (SPEC 5)

OVER_FRAME = "Frame over limits.maxFrame (1000)"
OVER_MESSAGE = "Message over limits.maxMessage (1000)"


def test_frame_at_the_limit() -> None:
    assert events(masked(BINARY, bytes(1000)), max_frame=1000) == [("MESSAGE", "BINARY", bytes(1000), 1000)]


def test_frame_over_the_limit_fails_at_its_length() -> None:
    assert failure(masked(BINARY, bytes(1001)), max_frame=1000) == (1009, OVER_FRAME, 4)


@pytest.mark.parametrize("limit", [0, 1, 50, 124])
def test_limit_of_short_frames_fails_at_the_second_byte(limit: int) -> None:
    assert failure(masked(BINARY, bytes(limit + 1)), max_frame=limit)[2] == 2
    assert failure(masked(BINARY, bytes(limit + 1)), max_message=limit)[2] == 2


def test_control_frames_are_no_part_of_the_frame_limit() -> None:
    assert events(masked(PING, bytes(125)), max_frame=10) == [("PING", bytes(125))]


def test_message_at_the_limit() -> None:
    wire = masked(0x02, bytes(600)) + masked(0x80, bytes(400))
    assert events(wire, max_message=1000) == [("MESSAGE", "BINARY", bytes(1000), 1000)]
    assert events(wire + wire, max_message=1000) == [("MESSAGE", "BINARY", bytes(1000), 1000)] * 2


def test_message_over_the_limit_fails_at_the_length_of_its_frame() -> None:
    assert failure(masked(BINARY, bytes(1001)), max_message=1000) == (1009, OVER_MESSAGE, 4)


def test_sum_of_fragments_over_the_limit_fails_at_the_length_of_the_last() -> None:
    first = masked(0x02, bytes(600))
    assert failure(first + masked(0x80, bytes(401)), max_message=1000) == (1009, OVER_MESSAGE, len(first) + 4)
    first = masked(0x02, bytes(990))
    assert failure(first + masked(0x00, bytes(11)), max_message=1000) == (1009, OVER_MESSAGE, len(first) + 2)
    first = masked(0x02, bytes(990)) + masked(0x00, bytes(1))
    assert failure(first + masked(0x00, bytes(10)), max_message=1000) == (1009, OVER_MESSAGE, len(first) + 2)


def test_the_tighter_limit_is_named() -> None:
    assert failure(masked(BINARY, bytes(3000)), max_message=1000, max_frame=2000)[1] == OVER_MESSAGE
    assert failure(masked(BINARY, bytes(3000)), max_message=2000, max_frame=1000)[1] == OVER_FRAME
    assert failure(masked(BINARY, bytes(3000)), max_message=1000, max_frame=1000)[1] == OVER_FRAME


@pytest.mark.parametrize(
    ("size", "known_at"),
    [(1 << 62, 3), (1 << 40, 5), (1 << 24, 7), (1 << 17 | 1 << 16, 8), ((1 << 17) + 1, 10)],
)
def test_64_bit_length_over_the_limit_fails_as_soon_as_it_shows(size: int, known_at: int) -> None:
    wire = bytes([BINARY, 0xFF]) + size.to_bytes(8, "big")
    assert failure(wire) == (1009, "Frame over limits.maxFrame (131072)", known_at)


def test_16_bit_length_over_the_limit() -> None:
    assert failure(masked(BINARY, bytes(2000)), max_frame=100)[2] == 3
    assert failure(masked(BINARY, bytes(2000)), max_frame=1999)[2] == 4


def test_non_minimal_length_is_told_before_the_limit() -> None:
    """Whatever the limits: the length of a malformed header means nothing."""
    wire = bytes([BINARY, 0xFF]) + (65535).to_bytes(8, "big")
    assert failure(wire, max_frame=10)[0] == 1002
    assert failure(bytes([BINARY, 0xFE, 0, 125]), max_frame=10)[0] == 1002
    assert failure(bytes([BINARY, 0xFE, 0, 125]), max_message=0)[0] == 1002


def test_fragments_at_the_limit() -> None:
    wire = masked(0x01, b"a") + masked(0x00, b"b") + masked(0x80, b"c")
    assert events(wire + wire, max_fragments=3) == [("MESSAGE", "TEXT", "abc", 3)] * 2


def test_fragments_over_the_limit_fail_at_the_first_byte() -> None:
    wire = masked(0x01) + masked(0x00) + masked(0x00)
    expected = (1009, "Message over limits.maxFragments (3)", len(wire) + 1)
    assert failure(wire + masked(0x80), max_fragments=3) == expected


def test_control_frames_are_no_fragments() -> None:
    wire = masked(0x01, b"a") + masked(PING) * 5 + masked(0x80, b"b")
    assert events(wire, max_fragments=2)[-1] == ("MESSAGE", "TEXT", "ab", 2)


def test_131073_fragments() -> None:
    protocol = make(max_fragments=131072)
    found = feed(protocol, masked(0x02), *[masked(0x00) * 16384] * 8)
    assert found == [("FAILED", 1009, "Message over limits.maxFragments (131072)")]


# Memory


def test_nothing_is_allocated_by_what_a_header_claims() -> None:
    protocol = make(max_message=1 << 60, max_frame=1 << 60)
    feed(protocol, bytes([BINARY, 0xFF]) + (1 << 59).to_bytes(8, "big") + bytes(4) + b"abc")
    assert protocol.buffered == 3


def test_buffered_counts_what_is_held() -> None:
    protocol = make()
    assert protocol.buffered == 0
    feed(protocol, masked(0x02, b"abc"))
    assert protocol.buffered == 3
    feed(protocol, b"\x89\xfd")
    assert protocol.buffered == 5
    feed(protocol, bytes(4 + 100))
    assert protocol.buffered == 103
    feed(protocol, bytes(25))
    assert protocol.buffered == 3
    feed(protocol, masked(0x80))
    assert protocol.buffered == 0


def test_buffered_counts_the_held_rest() -> None:
    protocol = make()
    wire = masked(TEXT, b"a") + masked(TEXT, b"bcd")
    protocol.receive(bytearray(wire))
    assert protocol.next_event() is Received.MESSAGE
    protocol.hold()
    assert protocol.buffered == 9
    assert pull(protocol) == [("MESSAGE", "TEXT", "bcd", 3)]
    assert protocol.buffered == 0


def test_receive_while_held_appends() -> None:
    protocol = make()
    wire = masked(TEXT, b"a") + masked(TEXT, b"bcd") + masked(TEXT, b"e")
    protocol.receive(bytearray(wire[:10]))
    assert protocol.next_event() is Received.MESSAGE
    protocol.hold()
    protocol.receive(bytearray(b"--" + wire[10:] + b"--"), 2, 2 + len(wire) - 10)
    assert pull(protocol) == [("MESSAGE", "TEXT", "bcd", 3), ("MESSAGE", "TEXT", "e", 1)]


def test_hold_of_nothing() -> None:
    protocol = make()
    protocol.hold()
    assert protocol.next_event() is Received.NEED_DATA


def test_lent_buffer_is_given_back() -> None:
    """A bytearray with a view of it could not be resized, one still referenced could not be reused."""
    protocol = make()
    shared = bytearray(masked(TEXT, b"abc") + masked(0x01, b"x")[:5])
    protocol.receive(shared)
    pull(protocol)
    shared.clear()
    shared += masked(0x01, b"x")[5:] + masked(0x80, b"y")
    protocol.receive(shared)
    assert pull(protocol) == [("MESSAGE", "TEXT", "xy", 2)]


def test_message_is_not_kept_once_it_was_pulled() -> None:
    protocol = make()
    feed(protocol, masked(TEXT, b"abc"))
    assert protocol.data == b""


def test_failure_drops_everything() -> None:
    protocol = make()
    feed(protocol, masked(0x02, b"abc"), masked(0x83))
    assert protocol.buffered == 0
    protocol.receive(b"more")
    assert protocol.buffered == 0


# Streaming (SPEC 4, Fragments)


def test_streamed_message_comes_frame_by_frame() -> None:
    wire = masked(0x02, b"ab") + masked(0x00, b"cd") + masked(0x80, b"ef") + masked(BINARY, b"gh")
    assert events(wire, stream=True) == [
        ("PIECE", "BINARY", b"ab", 2),
        ("PIECE", "BINARY", b"cd", 2),
        ("MESSAGE", "BINARY", b"ef", 2),
        ("MESSAGE", "BINARY", b"gh", 2),
    ]


def test_streamed_frame_without_payload_brings_no_piece() -> None:
    wire = masked(0x02) + masked(0x00, b"a") + masked(0x00) + masked(0x80)
    assert events(wire, stream=True) == [("PIECE", "BINARY", b"a", 1), ("MESSAGE", "BINARY", b"", 0)]


@pytest.mark.parametrize("validate", [True, False])
def test_streamed_text_ends_on_character_boundaries(validate: bool) -> None:
    text = "a€b".encode()
    wire = masked(0x01, text[:2]) + masked(0x00, text[2:3]) + masked(0x80, text[3:])
    assert events(wire, stream=True, validate_utf=validate) == [
        ("PIECE", "TEXT", "a", 1),
        ("MESSAGE", "TEXT", "€b", 4),
    ]


def test_streamed_text_as_bytes() -> None:
    text = "é€".encode()
    wire = masked(0x01, text[:3]) + masked(0x80, text[3:])
    assert events(wire, stream=True, text_bytes=True) == [
        ("PIECE", "TEXT", text[:2], 2),
        ("MESSAGE", "TEXT", text[2:], 3),
    ]


def test_streamed_text_that_is_bad_fails() -> None:
    wire = masked(0x01, b"ok") + masked(0x00, b"\xff")
    assert events(wire, stream=True)[-1][:2] == ("FAILED", 1007)


def test_streamed_text_that_is_not_checked_is_replaced() -> None:
    wire = masked(0x01, b"a\xff") + masked(0x00, b"\xe2\x82") + masked(0x80, b"c\xc3")
    assert events(wire, stream=True, validate_utf=False) == [
        ("PIECE", "TEXT", "a\ufffd", 2),
        ("MESSAGE", "TEXT", "\ufffdc\ufffd", 4),
    ]
    assert events(wire, stream=True, validate_utf=False, text_bytes=True) == [
        ("PIECE", "TEXT", "a\ufffd".encode(), 2),
        ("MESSAGE", "TEXT", "\ufffdc\ufffd".encode(), 4),
    ]


@pytest.mark.parametrize("size", [2, 200])
def test_text_that_is_not_checked_is_replaced_in_a_single_frame(size: int) -> None:
    text = "a" * (size - 1) + "\ufffd"
    wire = masked(TEXT, b"a" * (size - 1) + b"\xff")
    assert events(wire, validate_utf=False) == [("MESSAGE", "TEXT", text, size)]
    assert events(wire, validate_utf=False, text_bytes=True) == [("MESSAGE", "TEXT", text.encode(), size)]


def test_streamed_message_is_limited_as_a_whole() -> None:
    wire = masked(0x02, bytes(600)) + masked(0x80, bytes(401))
    found = events(wire, stream=True, max_message=1000)
    assert [event[0] for event in found] == ["PIECE", "FAILED"]


def test_streamed_pieces_are_not_held() -> None:
    protocol = make(stream=True)
    feed(protocol, masked(0x02, bytes(500)))
    assert protocol.buffered == 0


def test_control_frames_between_streamed_pieces() -> None:
    wire = masked(0x02, b"a") + masked(PING, b"p") + masked(FIN, b"b")
    assert [event[0] for event in events(wire, stream=True)] == ["PIECE", "PING", "MESSAGE"]


def test_large_message_byte_by_byte() -> None:
    payload = bytes(range(256)) * 12
    assert feed(make(), *bytewise(masked(BINARY, payload))) == [("MESSAGE", "BINARY", payload, 3072)]


def test_a_message_in_one_frame_leaves_all_fragments_to_the_next() -> None:
    one = masked(BINARY, bytes(200))
    two = masked(0x01, b"a") + masked(0x80, b"b")
    expected = [("MESSAGE", "BINARY", bytes(200), 200), ("MESSAGE", "TEXT", "ab", 2)]
    assert events(one + two, max_fragments=2) == expected


def test_a_message_in_one_frame_leaves_all_bytes_to_the_next() -> None:
    one = masked(BINARY, bytes(200))
    two = masked(0x02, bytes(100)) + masked(0x80, bytes(100))
    assert events(one + two, max_message=200) == [("MESSAGE", "BINARY", bytes(200), 200)] * 2


def test_opcodes_of_control_frames_can_be_read() -> None:
    protocol = make()
    protocol.receive(masked(PING, b"a") + masked(PONG, b"b"))
    for expected in (Opcode.PING, Opcode.PONG):
        protocol.next_event()
        assert protocol.opcode is expected


def test_a_failure_leaves_no_data() -> None:
    protocol = make()
    protocol.receive(masked(TEXT, b"kept?") + b"\xff")
    assert protocol.next_event() is Received.MESSAGE
    assert protocol.next_event() is Received.FAILED
    assert protocol.data == b""


def test_what_can_be_read_before_the_first_event() -> None:
    fresh = make()
    assert (fresh.opcode, fresh.data, fresh.data_length) == (Opcode.TEXT, b"", 0)
    assert (fresh.close_code, fresh.close_reason, fresh.error, fresh.buffered) == (1005, "", None, 0)
