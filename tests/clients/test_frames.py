"""Frames over the wire, byte for byte: what a strict server answers to a client that may be anything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.daemon import Daemon
from tests.support.raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawClient, close_frame, frame


@pytest.fixture
def client(daemon: Daemon) -> Iterator[RawClient]:
    """An open WebSocket on the shipped echo."""
    with RawClient(daemon.url) as connection:
        connection.upgrade("/ws/echo")
        yield connection


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_an_echo_has_the_shortest_length_and_no_mask(client: RawClient, opcode: int, size: int) -> None:
    payload = bytes(65 + number % 26 for number in range(size))
    client.send_frame(opcode, payload)
    expected = frame(opcode, payload, key=None)
    assert client.read(len(expected)) == expected


def test_a_long_message_is_sent_in_frames_of_max_frame(client: RawClient) -> None:
    """`limits.maxFrame` bounds what is received and cuts what is sent; 128 KiB by default."""
    half = bytes(131_072)
    client.send_frame(BINARY, half, fin=False)
    client.send_frame(CONTINUATION, half, fin=False)
    client.send_frame(CONTINUATION, b"end")
    frames = [client.read_frame() for _ in range(3)]
    assert [(one.fin, one.opcode, len(one.payload)) for one in frames] == [
        (False, BINARY, 131_072),
        (False, CONTINUATION, 131_072),
        (True, CONTINUATION, 3),
    ]
    assert b"".join(one.payload for one in frames) == half + half + b"end"


def test_a_frame_over_max_frame_is_refused_from_its_header(client: RawClient) -> None:
    client.send(frame(BINARY, b"", length=131_073))
    code, reason = client.read_close()
    assert code == 1009
    assert "limits.maxFrame" in reason


def test_one_byte_at_a_time(client: RawClient) -> None:
    data = frame(TEXT, "é€😀".encode(), fin=False) + frame(PING, b"now") + frame(CONTINUATION, b"!")
    client.send_cut(data[i : i + 1] for i in range(len(data)))
    assert client.read(5) == frame(PONG, b"now", key=None)
    assert client.read_message() == (TEXT, "é€😀!".encode())


@pytest.mark.parametrize("payload", [b"", b"\x00\xff", b"x" * 125])
def test_a_ping_is_answered_with_the_same_payload(client: RawClient, payload: bytes) -> None:
    client.send_frame(PING, payload)
    answer = frame(PONG, payload, key=None)
    assert client.read(len(answer)) == answer


def test_a_pong_nobody_asked_for_is_ignored(client: RawClient) -> None:
    """RFC 6455 5.5.3: "A response to an unsolicited Pong frame is not expected." """
    client.send(frame(PONG, b"unasked") + frame(TEXT, b"go on"))
    assert client.read_message() == (TEXT, b"go on")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(TEXT, b"hi", rsv=4), 1002),
        (frame(TEXT, b"hi", rsv=2), 1002),
        (frame(TEXT, b"hi", rsv=1), 1002),
        (frame(0x3, b"hi"), 1002),
        (frame(0xB, b"hi"), 1002),
        (frame(TEXT, b"hi", key=None), 1002),
        (frame(PING, b"hi", fin=False), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(TEXT, b"hi", length_bytes=2), 1002),
        (frame(TEXT, b"hi", length_bytes=8), 1002),
        (frame(BINARY, b"", length=1 << 63, length_bytes=8), 1002),
        (frame(CONTINUATION, b"hi"), 1002),
        (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
        (frame(TEXT, b"\xc0\xaf"), 1007),
        (frame(TEXT, b"\xed\xa0\x80"), 1007),
        (frame(TEXT, b"\xe2\x82", fin=False) + frame(CONTINUATION, b"A"), 1007),
        (frame(TEXT, b"ok\xff", length=1000), 1007),
        (frame(CLOSE, b"\x03"), 1002),
        (close_frame(1005), 1002),
        (close_frame(999), 1002),
        (frame(CLOSE, b"\x03\xe8\xff"), 1007),
    ],
    ids=[
        "rsv1 without an extension",
        "rsv2",
        "rsv3",
        "reserved data opcode",
        "reserved control opcode",
        "unmasked",
        "fragmented ping",
        "ping of 126 bytes",
        "16-bit length for 2 bytes",
        "64-bit length for 2 bytes",
        "64-bit length with the top bit",
        "continuation of nothing",
        "message inside a message",
        "UTF-8 in an overlong form",
        "UTF-8 of a surrogate",
        "UTF-8 cut off by the next fragment",
        "invalid UTF-8 in a frame not yet whole",
        "close of one byte",
        "close code 1005",
        "close code 999",
        "close reason not UTF-8",
    ],
)
def test_a_violation_fails_the_connection(client: RawClient, sent: bytes, code: int) -> None:
    """The good message before it is answered first, then comes the Close and the end of TCP."""
    client.send(frame(TEXT, b"good") + sent)
    assert client.read_message() == (TEXT, b"good")
    close = client.read_frame()
    assert (close.opcode, close.close_code) == (CLOSE, code)
    client.finish_sending()
    assert client.read_to_end() == b""


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999])
def test_a_close_is_answered_with_its_code(client: RawClient, code: int) -> None:
    client.send_close(code, "bye")
    close = client.read_frame()
    assert (close.opcode, close.close_code) == (CLOSE, code)
    assert client.read_to_end() == b"", "the server closes TCP first (RFC 6455 7.1.1)"


def test_an_empty_close_is_answered_empty(client: RawClient) -> None:
    client.send_close()
    assert client.read(2) == bytes([0x88, 0])
    assert client.read_to_end() == b""


def test_everything_after_a_close_is_discarded(client: RawClient) -> None:
    client.send(close_frame(1000) + frame(TEXT, b"too late") + b"\xff\xff\xff")
    assert client.read_close() == (1000, "")


def test_a_close_inside_a_fragmented_message_is_answered(client: RawClient) -> None:
    client.send(frame(TEXT, b"begun", fin=False) + close_frame(1000))
    assert client.read_close() == (1000, "")


def test_a_client_that_vanishes_leaves_the_server_well(daemon: Daemon) -> None:
    for leave in (RawClient.reset, RawClient.close):
        with RawClient(daemon.url) as client:
            client.upgrade("/ws/echo")
            client.send_frame(TEXT, b"half", fin=False)
            leave(client)
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/echo")
        client.send_frame(TEXT, b"still here")
        assert client.read_message() == (TEXT, b"still here")
