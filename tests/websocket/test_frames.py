"""The parts of a frame, and close codes (RFC 6455, 5.2, 5.5.1, 7.4)."""

from __future__ import annotations

import pytest

from ioto_server.websocket import CloseCode, Opcode, ProtocolError, close_text, frame
from ioto_server.websocket.frames import close_payload, first_byte_error, header, may_be_sent, parse_close


def test_opcodes_are_those_of_the_rfc() -> None:
    assert {opcode.name: int(opcode) for opcode in Opcode} == {
        "CONTINUATION": 0,
        "TEXT": 1,
        "BINARY": 2,
        "CLOSE": 8,
        "PING": 9,
        "PONG": 10,
    }


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "8100"),
        (125, "817d"),
        (126, "817e007e"),
        (65535, "817effff"),
        (65536, "817f0000000000010000"),
        (2**63 - 1, "817f7fffffffffffffff"),
    ],
)
def test_length_is_written_in_its_shortest_form(size: int, expected: str) -> None:
    """5.2: "the minimal number of bytes MUST be used to encode the length"."""
    assert header(0x81, size).hex() == expected


@pytest.mark.parametrize(("size", "second"), [(5, 0x85), (300, 0xFE), (70000, 0xFF)])
def test_mask_bit_is_the_top_bit_of_the_second_byte(size: int, second: int) -> None:
    assert header(0x82, size, True)[1] == second


def test_frame_of_rfc_example() -> None:
    """5.7: "A single-frame unmasked text message"."""
    assert frame(Opcode.TEXT, b"Hello").hex() == "810548656c6c6f"


def test_fragments_of_rfc_example() -> None:
    """5.7: "A fragmented unmasked text message"."""
    assert frame(Opcode.TEXT, b"Hel", fin=False).hex() == "010348656c"
    assert frame(Opcode.CONTINUATION, b"lo").hex() == "80026c6f"


def test_compressed_frame_of_rfc_example() -> None:
    """RFC 7692, 7.2.3.1: "A message compressed using one compressed DEFLATE block"."""
    assert frame(Opcode.TEXT, bytes.fromhex("f248cdc9c90700"), compressed=True).hex() == "c107f248cdc9c90700"


def test_frame_larger_than_64_kib() -> None:
    """5.7: "64KiB binary message in a single unmasked frame"."""
    wire = frame(Opcode.BINARY, bytes(65536))
    assert wire[:10].hex() == "827f0000000000010000"
    assert len(wire) == 10 + 65536


SENDABLE = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}


def test_close_codes_that_may_be_sent() -> None:
    """7.4.2 and the IANA registry: 1004-1006, 1015 and all others below 3000 are not for the wire."""
    assert {code for code in range(65536) if may_be_sent(code)} == SENDABLE


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
def test_close_payload_refuses_other_codes(code: int) -> None:
    with pytest.raises(
        ValueError, match=f"Close code {code} may not be sent: use 1000-1003, 1007-1014 or 3000-4999"
    ):
        close_payload(code)


def test_close_payload() -> None:
    assert close_payload(1001, "café") == b"\x03\xe9caf\xc3\xa9"
    assert close_payload(3000) == b"\x0b\xb8"
    assert close_payload(None) == b""


def test_close_payload_reason_without_code() -> None:
    with pytest.raises(ValueError, match="reason but no code"):
        close_payload(None, "bye")


def test_close_payload_reason_limit_counts_bytes() -> None:
    """5.5: "All control frames MUST have a payload length of 125 bytes or less"."""
    assert len(close_payload(1000, "é" * 61 + "e")) == 125
    with pytest.raises(ValueError, match="124 bytes long: shorten it to 123"):
        close_payload(1000, "é" * 62)


def test_parse_close() -> None:
    assert parse_close(b"") == (1005, "")
    assert type(parse_close(b"")[0]) is int
    assert parse_close(b"\x03\xe8") == (1000, "")
    assert parse_close(b"\x13\x87caf\xc3\xa9") == (4999, "café")


def test_parse_close_in_part() -> None:
    assert parse_close(b"\x03", False) == (1005, "")
    assert parse_close(b"\x03\xe8caf\xc3", False) == (1000, "caf")


@pytest.mark.parametrize(
    ("payload", "complete", "code", "reason"),
    [
        (b"\x03", True, 1002, "Close frame has half a close code (RFC 6455 5.5.1)"),
        (b"\x03\xee", False, 1002, "Close code 1006 may not be sent (RFC 6455 7.4)"),
        (b"\x03\xe8\xc3", True, 1007, "Close reason is not valid UTF-8 (RFC 6455 5.5.1)"),
        (b"\x03\xe8\xc3\x28", False, 1007, "Close reason is not valid UTF-8 (RFC 6455 5.5.1)"),
        (b"\x03\xee\xff", True, 1002, "Close code 1006 may not be sent (RFC 6455 7.4)"),
    ],
)
def test_parse_close_refuses(payload: bytes, complete: bool, code: int, reason: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_close(payload, complete)
    assert (caught.value.code, caught.value.reason) == (code, reason)
    assert str(caught.value) == f"{reason} (close code {code})"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (1000, "1000 normal closure"),
        (1001, "1001 going away"),
        (1002, "1002 protocol error"),
        (1003, "1003 unsupported data"),
        (1005, "1005 no status received"),
        (1006, "1006 abnormal closure"),
        (1007, "1007 invalid frame payload data"),
        (1008, "1008 policy violation"),
        (1009, "1009 message too big"),
        (1010, "1010 mandatory extension"),
        (1011, "1011 internal error"),
        (1012, "1012 service restart"),
        (1013, "1013 try again later"),
        (1014, "1014 bad gateway"),
        (1015, "1015 TLS handshake"),
        (3000, "3000 unauthorized"),
        (3001, "3001 registered by a library or application"),
        (3003, "3003 forbidden"),
        (3008, "3008 timeout"),
        (3999, "3999 registered by a library or application"),
        (4000, "4000 private use"),
        (4999, "4999 private use"),
        (1004, "1004 unknown"),
        (2999, "2999 unknown"),
        (5000, "5000 unknown"),
    ],
)
def test_close_text(code: int, text: str) -> None:
    assert close_text(code) == text


def test_close_codes_have_names() -> None:
    for code in CloseCode:
        assert "unknown" not in close_text(code)


@pytest.mark.parametrize(
    ("first", "inside", "compressible", "error"),
    [
        (0x81, False, False, ""),
        (0xC1, False, True, ""),
        (0x80, True, False, ""),
        (0x89, True, False, ""),
        (0xA1, False, True, "Reserved bit RSV2 or RSV3 is set (RFC 6455 5.2)"),
        (0x91, False, True, "Reserved bit RSV2 or RSV3 is set (RFC 6455 5.2)"),
        (0xC1, False, False, "Reserved bit RSV1 is set but no extension was negotiated (RFC 6455 5.2)"),
        (0xC9, False, True, "Control frame has the compressed bit RSV1 set (RFC 7692 6)"),
        (0xC0, True, True, "Continuation frame has the compressed bit RSV1 set (RFC 7692 6)"),
    ],
)
def test_first_byte(first: int, inside: bool, compressible: bool, error: str) -> None:
    assert first_byte_error(first, inside, compressible) == error


def test_close_is_taken_for_complete_unless_told_otherwise() -> None:
    with pytest.raises(ProtocolError, match="half a close code"):
        parse_close(b"\x03")


def test_error_tells_code_and_reason_to_whoever_prints_it() -> None:
    error = ProtocolError(1002, "why")
    assert (error.code, error.reason, error.args) == (1002, "why", (1002, "why"))
    assert str(error) == "why (close code 1002)"
