"""The closing handshake (RFC 6455, 5.5.1, 7)."""

from __future__ import annotations

import pytest

from ioto_server.websocket import Protocol, Received, State

from .wire import BINARY, CLOSE, PING, PONG, TEXT, events, failure, feed, make, masked, plain, pull

GONE = "Close reason is not valid UTF-8 (RFC 6455 5.5.1)"


def state(protocol: Protocol) -> State:
    return protocol.state


def code(number: int, reason: bytes = b"") -> bytes:
    return number.to_bytes(2, "big") + reason


def test_empty_close_is_1005() -> None:
    """7.1.5: "If this Close control frame contains no status code, [...] is considered to be 1005"."""
    assert events(masked(CLOSE)) == [("CLOSE", 1005, "")]


def test_code_and_reason() -> None:
    assert events(masked(CLOSE, code(4711, "später".encode()))) == [("CLOSE", 4711, "später")]


def test_code_alone() -> None:
    assert events(masked(CLOSE, code(1000))) == [("CLOSE", 1000, "")]


def test_longest_reason() -> None:
    assert events(masked(CLOSE, code(1000, b"x" * 123))) == [("CLOSE", 1000, "x" * 123)]


def test_half_a_code_fails_at_the_length() -> None:
    """5.5.1: "the first two bytes of the body MUST be a 2-byte unsigned integer"."""
    assert failure(masked(CLOSE, b"\x03")) == (1002, "Close frame has half a close code (RFC 6455 5.5.1)", 2)


@pytest.mark.parametrize("number", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
def test_forbidden_code_fails_at_its_second_byte(number: int) -> None:
    """7.4: reserved codes "MUST NOT be set as a status code in a Close control frame by an endpoint"."""
    expected = (1002, f"Close code {number} may not be sent (RFC 6455 7.4)", 8)
    assert failure(masked(CLOSE, code(number, b"and why"))) == expected
    assert failure(masked(CLOSE, code(number))) == expected


@pytest.mark.parametrize("number", [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999])
def test_allowed_codes(number: int) -> None:
    assert events(masked(CLOSE, code(number))) == [("CLOSE", number, "")]
    assert events(plain(CLOSE, code(number)), client=True) == [("CLOSE", number, "")]


def test_bad_reason_fails_at_its_first_bad_byte() -> None:
    assert failure(masked(CLOSE, code(1000, b"ab\xed\xa0\x80cd"))) == (1007, GONE, 6 + 2 + 4)


def test_reason_that_ends_inside_a_character() -> None:
    assert failure(masked(CLOSE, code(1000, b"ab\xc3"))) == (1007, GONE, 11)


def test_forbidden_code_is_told_before_a_bad_reason() -> None:
    assert failure(masked(CLOSE, code(1006, b"\xff")))[0] == 1002


def test_close_inside_a_fragmented_message() -> None:
    assert events(masked(0x01, b"a") + masked(CLOSE, code(1000))) == [("CLOSE", 1000, "")]


def test_everything_after_a_close_is_discarded() -> None:
    """1.4: after the Close frames, "any further data received" is discarded."""
    wire = masked(CLOSE, code(1001)) + masked(TEXT, b"x") + masked(CLOSE) + b"\xff\xff"
    assert events(wire) == [("CLOSE", 1001, "")]


def test_after_our_close_only_the_peers_close_is_told() -> None:
    protocol = make()
    protocol.send_close(1000, "", [])
    wire = (
        masked(TEXT, b"a")
        + masked(0x02, b"b")
        + masked(PING, b"c")
        + masked(PONG)
        + masked(0x80, b"\xff")
        + masked(TEXT, b"\xff")
        + masked(CLOSE, code(1000, b"bye"))
    )
    assert feed(protocol, wire) == [("CLOSE", 1000, "bye")]


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_what_is_discarded_after_our_close_may_be_cut_anyhow(size: int) -> None:
    wire = (
        masked(0x01, b"b" * 50)
        + masked(PING, b"c" * 50)
        + masked(0x80, b"d" * 50)
        + masked(CLOSE, code(1000))
    )
    protocol = make()
    protocol.send_close(None, "", [])
    assert feed(protocol, *(wire[i : i + size] for i in range(0, len(wire), size))) == [("CLOSE", 1000, "")]


def test_frames_are_parsed_on_after_our_close() -> None:
    protocol = make()
    protocol.send_close(1000, "", [])
    assert feed(protocol, masked(0x80))[0][:2] == ("FAILED", 1002)


def test_limits_hold_after_our_close() -> None:
    protocol = make()
    protocol.send_close(1000, "", [])
    assert feed(protocol, masked(BINARY, bytes(1 << 17 | 1)))[0][:2] == ("FAILED", 1009)


def test_fragments_are_followed_after_our_close() -> None:
    protocol = make()
    feed(protocol, masked(0x01, b"a"))
    protocol.send_close(1000, "", [])
    assert protocol.buffered == 0
    assert feed(protocol, masked(TEXT))[0][:2] == ("FAILED", 1002)


def test_our_close_in_the_middle_of_a_frame_of_the_peer() -> None:
    for first in (0x01, TEXT, PING, 0x02):
        frame = masked(first, b"a" * 100)
        protocol = make()
        assert feed(protocol, frame[:20]) == []
        protocol.send_close(1000, "", [])
        rest = frame[20:] + (masked(0x80, b"b") if first < 0x80 else b"") + masked(TEXT, b"c")
        assert feed(protocol, rest + masked(CLOSE)) == [("CLOSE", 1005, "")]
        assert protocol.buffered == 0


def test_our_close_between_two_events_of_one_buffer() -> None:
    protocol = make()
    protocol.receive(bytearray(masked(TEXT, b"a") + masked(TEXT, b"b") + masked(CLOSE)))
    assert protocol.next_event() is Received.MESSAGE
    protocol.send_close(1000, "", [])
    assert pull(protocol) == [("CLOSE", 1005, "")]


def test_our_close_in_the_middle_of_the_peers() -> None:
    frame = masked(CLOSE, code(1000, b"bye"))
    protocol = make()
    assert feed(protocol, frame[:8]) == []
    protocol.send_close(1001, "", [])
    assert feed(protocol, frame[8:]) == [("CLOSE", 1000, "bye")]


def test_states() -> None:
    protocol = make()
    assert state(protocol) is State.OPEN
    protocol.send_close(1000, "", [])
    assert state(protocol) is State.CLOSING
    assert (protocol.close_sent, protocol.close_received) == (True, False)
    feed(protocol, masked(CLOSE))
    assert state(protocol) is State.CLOSED
    assert (protocol.close_sent, protocol.close_received) == (True, True)


def test_states_when_the_peer_closes_first() -> None:
    protocol = make()
    feed(protocol, masked(CLOSE))
    assert state(protocol) is State.CLOSING
    assert (protocol.close_sent, protocol.close_received) == (False, True)
    protocol.send_close(None, "", [])
    assert state(protocol) is State.CLOSED


def test_states_after_a_failure() -> None:
    protocol = make()
    feed(protocol, b"\xff")
    assert state(protocol) is State.CLOSING
    protocol.send_close(1002, "", [])
    assert state(protocol) is State.CLOSED
    assert protocol.close_received is False
