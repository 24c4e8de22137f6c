"""Text is UTF-8 (RFC 6455, 5.6, 8.1; RFC 3629), and fails at the first byte that cannot be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ioto_server.websocket.utf8 import decoded, replaced

from .wire import CLOSE, PING, TEXT, events, failure, masked

REASON = "Text message is not valid UTF-8 (RFC 6455 8.1)"

# Bytes, and which of them, counted from 1, is the first that cannot be UTF-8.
BAD = [
    ("80", 1),  # a continuation byte alone
    ("bf", 1),
    ("c0", 1),  # overlong forms of two bytes
    ("c1", 1),
    ("c3 28", 2),
    ("c3 c3", 2),
    ("e0 80", 2),  # overlong forms of three bytes
    ("e0 9f", 2),
    ("e2 28", 2),
    ("e2 82 28", 3),
    ("ed a0", 2),  # surrogates
    ("ed bf", 2),
    ("f0 80", 2),  # overlong forms of four bytes
    ("f0 8f", 2),
    ("f0 9f 28", 3),
    ("f0 9f 98 28", 4),
    ("f4 90", 2),  # above U+10FFFF
    ("f5", 1),
    ("f8", 1),
    ("fe", 1),
    ("ff", 1),
]

GOOD = [
    "00",
    "7f",
    "c2 80",
    "df bf",
    "e0 a0 80",
    "ed 9f bf",
    "ee 80 80",
    "ef bf bf",
    "f0 90 80 80",
    "f4 8f bf bf",
]


@pytest.mark.parametrize(("octets", "bad"), BAD)
def test_fails_at_the_first_bad_byte_of_an_incomplete_frame(octets: str, bad: int) -> None:
    """8.1: "When an endpoint is to interpret a byte stream as UTF-8 but finds that [...] it is not [...]"."""
    before = "κόσμε".encode()
    wire = masked(TEXT, before + bytes.fromhex(octets) + b"and more")
    assert failure(wire) == (1007, REASON, 6 + len(before) + bad)


@pytest.mark.parametrize(("octets", "bad"), BAD)
def test_fails_at_the_first_bad_byte_across_fragments(octets: str, bad: int) -> None:
    payload = bytes.fromhex(octets) + b"more"
    wire = b"".join(masked(0x00 if i else 0x01, payload[i : i + 1]) for i in range(len(payload)))
    assert failure(wire) == (1007, REASON, 7 * bad)


@pytest.mark.parametrize("octets", GOOD)
def test_borders_of_what_is_valid(octets: str) -> None:
    payload = bytes.fromhex(octets)
    wire = b"".join(masked(0x00 if i else 0x01, payload[i : i + 1]) for i in range(len(payload))) + masked(
        0x80
    )
    assert events(masked(TEXT, payload)) == [("MESSAGE", "TEXT", payload.decode(), len(payload))]
    assert events(wire) == [("MESSAGE", "TEXT", payload.decode(), len(payload))]


@pytest.mark.parametrize("text_bytes", [False, True])
@pytest.mark.parametrize("octets", ["c3", "e2", "e2 82", "f0", "f0 9f", "f0 9f 98"])
def test_character_that_the_message_cuts_off(octets: str, text_bytes: bool) -> None:
    payload = b"ok" + bytes.fromhex(octets)
    assert failure(masked(TEXT, payload), text_bytes=text_bytes) == (1007, REASON, 6 + len(payload))
    wire = masked(0x01, payload) + masked(0x80)
    assert failure(wire, text_bytes=text_bytes) == (1007, REASON, len(wire))


def test_text_as_bytes_is_checked() -> None:
    assert failure(masked(TEXT, b"\xff"), text_bytes=True)[:2] == (1007, REASON)


def test_binary_is_not_checked() -> None:
    wire = masked(0x02, b"\xff") + masked(0x80, b"\xc0")
    assert events(wire) == [("MESSAGE", "BINARY", b"\xff\xc0", 2)]


def test_ping_inside_a_character() -> None:
    wire = masked(0x01, b"\xe2\x82") + masked(PING, b"\xff") + masked(0x80, b"\xac")
    assert events(wire) == [("PING", b"\xff"), ("MESSAGE", "TEXT", "€", 3)]


def test_state_of_one_message_does_not_reach_the_next() -> None:
    wire = masked(0x01, "aé".encode()) + masked(0x80, b"b") + masked(0x01, b"\xc3") + masked(0x80, b"\xa9")
    assert events(wire) == [("MESSAGE", "TEXT", "aéb", 4), ("MESSAGE", "TEXT", "é", 2)]


@pytest.mark.parametrize(("octets", "bad"), BAD)
def test_bad_sequences_are_replaced_where_text_is_not_checked(octets: str, bad: int) -> None:
    """webSockets.validateUTF: false."""
    payload = b"a" + bytes.fromhex(octets) + b"b"
    text = payload.decode(errors="replace")
    wire = masked(0x01, payload[:2]) + masked(0x80, payload[2:])
    assert events(wire, validate_utf=False) == [("MESSAGE", "TEXT", text, len(payload))]
    found = events(masked(TEXT, payload), validate_utf=False, text_bytes=True)
    assert found == [("MESSAGE", "TEXT", text.encode(), len(payload))]


def test_close_reason_is_always_checked() -> None:
    wire = masked(CLOSE, b"\x03\xe8\xff")
    assert events(wire, validate_utf=False)[-1][:2] == ("FAILED", 1007)


@given(st.binary(max_size=40), st.integers(0, 40))
def test_replacing_piece_by_piece_is_replacing_the_whole(data: bytes, cut: int) -> None:
    first, taken = replaced(data[:cut], False)
    second, rest = replaced(data[taken:], True)
    assert first + second == data.decode(errors="replace")
    assert taken + rest == len(data)


def test_half_a_surrogate_is_an_error_as_of_the_decoder() -> None:
    """CPython would wait for its third byte; what is raised says the same as then."""
    with pytest.raises(UnicodeDecodeError) as late:
        decoded(b"ok \xed\xa0\x80", True)
    with pytest.raises(UnicodeDecodeError) as early:
        decoded(b"ok \xed\xa0", False)
    assert early.value.encoding == late.value.encoding
    assert (early.value.object, early.value.start, early.value.end) == (b"\xed\xa0", 0, 2)
    assert early.value.reason == "surrogates not allowed"
