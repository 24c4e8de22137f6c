"""What a frame's header must keep, and at which byte a breach is known (RFC 6455, 5.1, 5.2, 5.4, 5.5)."""

from __future__ import annotations

import pytest

from .wire import BINARY, CLOSE, FIN, KEY, PING, TEXT, events, failure, masked, plain

RSV2_OR_3 = "Reserved bit RSV2 or RSV3 is set (RFC 6455 5.2)"
RSV1 = "Reserved bit RSV1 is set but no extension was negotiated (RFC 6455 5.2)"
LONG_CONTROL = "Control frame is longer than 125 bytes (RFC 6455 5.5)"
NOT_SHORTEST = "Frame length is not in its shortest form (RFC 6455 5.2)"
TOP_BIT = "Frame length has its most significant bit set (RFC 6455 5.2)"


@pytest.mark.parametrize("opcode", [1, 2, 8, 9, 10])
@pytest.mark.parametrize(
    ("bits", "reason"), [(0x40, RSV1), (0x20, RSV2_OR_3), (0x10, RSV2_OR_3), (0x70, RSV2_OR_3)]
)
def test_reserved_bits_fail_at_the_first_byte(bits: int, reason: str, opcode: int) -> None:
    """5.2: "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values"."""
    assert failure(masked(FIN | bits | opcode, b"x")) == (1002, reason, 1)


@pytest.mark.parametrize("fin", [0, FIN])
@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
def test_reserved_opcodes_fail_at_the_first_byte(opcode: int, fin: int) -> None:
    """5.2: "If an unknown opcode is received, the receiving endpoint MUST _Fail [...]_"."""
    assert failure(masked(fin | opcode)) == (1002, f"Opcode {opcode} is reserved (RFC 6455 5.2)", 1)


@pytest.mark.parametrize("opcode", [8, 9, 10])
def test_fragmented_control_frame_fails_at_the_first_byte(opcode: int) -> None:
    """5.5: "All control frames [...] MUST NOT be fragmented"."""
    assert failure(masked(opcode)) == (1002, "Control frame is fragmented (RFC 6455 5.5)", 1)


@pytest.mark.parametrize("opcode", [8, 9, 10])
@pytest.mark.parametrize("size", [126, 127])
def test_control_frame_longer_than_125_bytes_fails_at_the_second_byte(opcode: int, size: int) -> None:
    """5.5: "All control frames MUST have a payload length of 125 bytes or less"."""
    assert failure(bytes([FIN | opcode, 0x80 | size]) + bytes(20)) == (1002, LONG_CONTROL, 2)


@pytest.mark.parametrize("first", [TEXT, BINARY, CLOSE, PING])
def test_unmasked_frame_from_client_fails_at_the_second_byte(first: int) -> None:
    """5.1: "The server MUST close the connection upon receiving a frame that is not masked"."""
    assert failure(plain(first)) == (1002, "Frame from the client is not masked (RFC 6455 5.1)", 2)


@pytest.mark.parametrize("first", [TEXT, BINARY, CLOSE, PING])
def test_masked_frame_from_server_fails_at_the_second_byte(first: int) -> None:
    """5.1: "A client MUST close a connection if it detects a masked frame"."""
    reason = "Frame from the server is masked (RFC 6455 5.1)"
    assert failure(masked(first), client=True) == (1002, reason, 2)


def test_mask_is_checked_before_the_length() -> None:
    assert failure(plain(PING, bytes(126)))[1] == "Frame from the client is not masked (RFC 6455 5.1)"


@pytest.mark.parametrize("first", [0x00, 0x80])
def test_continuation_without_start_fails_at_the_first_byte(first: int) -> None:
    """5.4: fragments follow "a single frame with the FIN bit clear and an opcode other than 0"."""
    reason = "Continuation frame without a message to continue (RFC 6455 5.4)"
    assert failure(masked(first, b"x")) == (1002, reason, 1)


def test_continuation_after_the_last_fragment() -> None:
    wire = masked(0x01, b"a") + masked(0x80, b"b")
    reason = "Continuation frame without a message to continue (RFC 6455 5.4)"
    assert events(wire + masked(0x80)) == [("MESSAGE", "TEXT", "ab", 2), ("FAILED", 1002, reason)]


@pytest.mark.parametrize("second", [0x01, 0x02, TEXT, BINARY])
@pytest.mark.parametrize("first", [0x01, 0x02])
def test_message_inside_message_fails_at_its_first_byte(first: int, second: int) -> None:
    """5.4: "The fragments of one message MUST NOT be interleaved [...]"."""
    begun = masked(first, b"a")
    reason = "New message begins before the fragmented one ended (RFC 6455 5.4)"
    assert failure(begun + masked(second)) == (1002, reason, len(begun) + 1)


@pytest.mark.parametrize("size", [0, 1, 125])
def test_16_bit_length_not_in_shortest_form(size: int) -> None:
    """5.2: "the minimal number of bytes MUST be used to encode the length"; known at its last byte."""
    assert failure(bytes([BINARY, 0xFE]) + size.to_bytes(2, "big") + KEY) == (1002, NOT_SHORTEST, 4)


@pytest.mark.parametrize("size", [0, 125, 126, 65535])
def test_64_bit_length_not_in_shortest_form(size: int) -> None:
    """5.2, as above; known once the upper six of the eight bytes are zero."""
    assert failure(bytes([BINARY, 0xFF]) + size.to_bytes(8, "big") + KEY) == (1002, NOT_SHORTEST, 8)


@pytest.mark.parametrize("size", [1 << 63, (1 << 64) - 1])
def test_64_bit_length_with_top_bit_fails_at_its_first_byte(size: int) -> None:
    """5.2: "the most significant bit MUST be 0"."""
    assert failure(bytes([BINARY, 0xFF]) + size.to_bytes(8, "big")) == (1002, TOP_BIT, 3)


def test_longest_length_is_no_breach_but_over_the_limit() -> None:
    wire = bytes([BINARY, 0xFF]) + ((1 << 63) - 1).to_bytes(8, "big")
    assert failure(wire) == (1009, "Frame over limits.maxFrame (131072)", 3)


def test_longest_length_within_unlimited_limits_is_read_on() -> None:
    unlimited = (1 << 63) - 1
    wire = bytes([BINARY, 0xFF]) + unlimited.to_bytes(8, "big") + KEY + b"abc"
    assert events(wire, max_frame=unlimited, max_message=unlimited) == []


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70001])
def test_every_form_of_length(size: int) -> None:
    payload = bytes(range(256)) * (size // 256 + 1)
    payload = payload[:size]
    assert events(masked(BINARY, payload)) == [("MESSAGE", "BINARY", payload, size)]
    assert events(plain(BINARY, payload), client=True) == [("MESSAGE", "BINARY", payload, size)]


def test_nothing_comes_after_a_failure() -> None:
    """7.1.7: "An endpoint MUST NOT continue to attempt to process data [...] from the remote endpoint"."""
    assert events(masked(0x83) + masked(TEXT, b"x")) == [
        ("FAILED", 1002, "Opcode 3 is reserved (RFC 6455 5.2)")
    ]


def test_messages_before_a_failure_are_delivered() -> None:
    found = events(masked(TEXT, b"a") + masked(PING, b"b") + masked(0x83))
    assert [event[0] for event in found] == ["MESSAGE", "PING", "FAILED"]
