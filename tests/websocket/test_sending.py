"""What goes out: frames, splitting, masking; what is refused before a byte is out (RFC 6455, 5, 7)."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from ioto_server.websocket import MessageTooBig, Opcode, Protocol, StateError

from .wire import events, feed, make, plain, xor

AFTER_CLOSE = "Nothing can be sent after the Close frame"


def sent(protocol: Protocol, opcode: int, payload: str | bytes | bytearray | memoryview) -> list[bytes]:
    out: list[bytes] = []
    size = protocol.send_message(opcode, payload, out)
    assert size == sum(map(len, out))
    assert all(type(item) is bytes for item in out)
    return out


def test_text() -> None:
    assert sent(make(), Opcode.TEXT, "Hello") == [bytes.fromhex("810548656c6c6f")]
    assert sent(make(), Opcode.TEXT, "é") == [b"\x81\x02\xc3\xa9"]
    assert sent(make(), Opcode.TEXT, "é".encode()) == [b"\x81\x02\xc3\xa9"]


def test_empty() -> None:
    assert sent(make(), Opcode.TEXT, "") == [b"\x81\x00"]
    assert sent(make(), Opcode.BINARY, b"") == [b"\x82\x00"]


@pytest.mark.parametrize("data", [b"abc", bytearray(b"abc"), memoryview(b"abc"), memoryview(b"a-b-c")[::2]])
def test_bytes_like(data: bytes | bytearray | memoryview) -> None:
    assert sent(make(), Opcode.BINARY, data) == [b"\x82\x03abc"]


def test_mutable_payload_may_change_afterwards() -> None:
    data = bytearray(b"x" * 20000)
    out = sent(make(), Opcode.BINARY, data)
    data[:] = b"y" * 20000
    assert b"y" not in b"".join(out)


@pytest.mark.parametrize("size", [125, 126, 16384])
def test_small_frame_is_one_item(size: int) -> None:
    assert sent(make(), Opcode.BINARY, bytes(size)) == [plain(0x82, bytes(size))]


def test_large_payload_is_not_copied() -> None:
    payload = bytes(16385)
    out = sent(make(), Opcode.BINARY, payload)
    assert out[0] == b"\x82\x7e\x40\x01"
    assert out[1] is payload
    assert len(out) == 2


def test_message_over_max_frame_is_split() -> None:
    """5.4: "A fragmented message consists of a single frame with the FIN bit clear [...]"."""
    out = sent(make(max_frame=4), Opcode.TEXT, "abcdéfghij")
    assert b"".join(out) == plain(0x01, b"abcd") + plain(0x00, b"\xc3\xa9fg") + plain(0x80, b"hij")


def test_message_of_whole_frames_has_no_empty_last_one() -> None:
    out = sent(make(max_frame=4), Opcode.BINARY, b"abcdefgh")
    assert b"".join(out) == plain(0x02, b"abcd") + plain(0x80, b"efgh")
    assert b"".join(sent(make(max_frame=4), Opcode.BINARY, b"abcd")) == plain(0x82, b"abcd")


def test_message_at_and_over_max_message() -> None:
    assert sent(make(max_message=5), Opcode.BINARY, b"12345") == [b"\x82\x0512345"]
    out: list[bytes] = []
    expected = "Message of 6 bytes is over limits.maxMessage (5): send less or raise it"
    with pytest.raises(MessageTooBig, match=re.escape(expected)):
        make(max_message=5).send_message(Opcode.TEXT, "1234é", out)
    assert out == []


@pytest.mark.parametrize("bad", [b"\xff", b"abc\xc3", "é".encode() + b"\x80"])
def test_text_that_is_not_utf8_is_refused(bad: bytes) -> None:
    """5.6: "The "Payload data" is text data encoded as UTF-8"."""
    out: list[bytes] = []
    with pytest.raises(ValueError, match="not valid UTF-8: encode it, or send it as binary"):
        make().send_message(Opcode.TEXT, bad, out)
    with pytest.raises(ValueError, match="surrogates not allowed"):
        make().send_message(Opcode.TEXT, "\ud800", out)
    assert out == []


@pytest.mark.parametrize("opcode", [0, 3, 8, 9, 10, 16])
def test_opcode_must_be_that_of_a_message(opcode: int) -> None:
    with pytest.raises(ValueError, match=f"cannot have opcode {opcode}"):
        make().send_message(opcode, b"", [])
    with pytest.raises(ValueError, match=f"cannot have opcode {opcode}"):
        make().send_block(opcode, b"", True, [])


def test_blocks_make_one_message() -> None:
    protocol, out = make(), list[bytes]()
    assert protocol.send_block(Opcode.TEXT, "ab", False, out) == 4
    assert protocol.send_block(Opcode.TEXT, b"", False, out) == 2
    assert protocol.send_block(Opcode.TEXT, "cd", True, out) == 4
    assert protocol.send_block(Opcode.BINARY, b"e", True, out) == 3
    assert b"".join(out) == plain(0x01, b"ab") + plain(0x00) + plain(0x80, b"cd") + plain(0x82, b"e")


def test_blocks_are_split_too() -> None:
    protocol, out = make(max_frame=2), list[bytes]()
    protocol.send_block(Opcode.TEXT, "abc", False, out)
    protocol.send_block(Opcode.TEXT, "def", True, out)
    expected = plain(0x01, b"ab") + plain(0x00, b"c") + plain(0x00, b"de") + plain(0x80, b"f")
    assert b"".join(out) == expected


def test_blocks_of_text_may_end_inside_a_character() -> None:
    protocol, out = make(), list[bytes]()
    for octet in "€é".encode()[:-1]:
        protocol.send_block(Opcode.TEXT, bytes([octet]), False, out)
    count = len(out)
    with pytest.raises(ValueError, match="not valid UTF-8"):
        protocol.send_block(Opcode.TEXT, b"", True, out)
    with pytest.raises(ValueError, match="not valid UTF-8"):
        protocol.send_block(Opcode.TEXT, b"x", False, out)
    assert len(out) == count
    protocol.send_block(Opcode.TEXT, "é".encode()[-1:], True, out)
    assert events(b"".join(out), client=True) == [("MESSAGE", "TEXT", "€é", 5)]


def test_blocks_of_binary_are_not_checked() -> None:
    protocol, out = make(), list[bytes]()
    protocol.send_block(Opcode.BINARY, b"\xff", False, out)
    protocol.send_block(Opcode.BINARY, b"\xff", True, out)
    assert b"".join(out) == plain(0x02, b"\xff") + plain(0x80, b"\xff")


def test_blocks_together_over_max_message() -> None:
    protocol, out = make(max_message=5), list[bytes]()
    protocol.send_block(Opcode.BINARY, b"123", False, out)
    with pytest.raises(MessageTooBig, match="Message of 6 bytes"):
        protocol.send_block(Opcode.BINARY, b"456", True, out)
    assert len(out) == 1
    protocol.send_block(Opcode.BINARY, b"45", True, out)
    protocol.send_block(Opcode.BINARY, b"12345", True, out)


def test_no_other_message_while_blocks_are_unfinished() -> None:
    """5.4: "The fragments of one message MUST NOT be interleaved [...]"."""
    protocol, out = make(), list[bytes]()
    protocol.send_block(Opcode.TEXT, "a", False, out)
    with pytest.raises(StateError, match="unfinished: end it with fin first"):
        protocol.send_message(Opcode.TEXT, "b", out)
    with pytest.raises(StateError, match="unfinished: end it with fin first"):
        protocol.send_block(Opcode.BINARY, b"b", True, out)
    protocol.send_ping(b"", out)
    protocol.send_block(Opcode.TEXT, "c", True, out)
    protocol.send_message(Opcode.TEXT, "d", out)
    assert b"".join(out) == plain(0x01, b"a") + plain(0x89) + plain(0x80, b"c") + plain(0x81, b"d")


def test_control_frames() -> None:
    protocol, out = make(max_frame=3, max_message=3), list[bytes]()
    assert protocol.send_ping(b"p" * 125, out) == 127
    assert protocol.send_pong(b"", out) == 2
    assert protocol.send_pong(memoryview(b"mv"), out) == 4  # type: ignore[arg-type]
    assert out == [plain(0x89, b"p" * 125), plain(0x8A), plain(0x8A, b"mv")]
    assert all(type(item) is bytes for item in out)


def test_control_payload_over_125_bytes() -> None:
    """5.5: "All control frames MUST have a payload length of 125 bytes or less"."""
    protocol, out = make(), list[bytes]()
    for send in (protocol.send_ping, protocol.send_pong):
        with pytest.raises(ValueError, match="126 bytes long: shorten it to 125"):
            send(bytes(126), out)
    assert out == []


def test_close() -> None:
    out: list[bytes] = []
    assert make().send_close(1000, "bye", out) == 7
    assert make().send_close(None, "", out) == 2
    assert out == [plain(0x88, b"\x03\xe8bye"), plain(0x88)]


def test_refused_close_is_not_sent() -> None:
    protocol, out = make(), list[bytes]()
    for code, reason in ((1005, ""), (999, ""), (None, "why"), (1000, "x" * 124)):
        with pytest.raises(ValueError, match="RFC 6455"):
            protocol.send_close(code, reason, out)
    assert out == []
    assert not protocol.close_sent


def test_nothing_is_sent_after_a_close() -> None:
    """5.5.1: "The application MUST NOT send any more data frames after sending a Close frame"."""
    protocol, out = make(), list[bytes]()
    protocol.send_block(Opcode.TEXT, b"\xc3", False, out)
    protocol.send_close(1000, "", out)
    calls: list[Callable[[], object]] = [
        lambda: protocol.send_message(Opcode.TEXT, "x", out),
        lambda: protocol.send_block(Opcode.TEXT, "x", True, out),
        lambda: protocol.send_ping(b"", out),
        lambda: protocol.send_pong(b"", out),
        lambda: protocol.send_close(1000, "", out),
    ]
    for call in calls:
        with pytest.raises(StateError, match=AFTER_CLOSE):
            call()
    assert len(out) == 2


def test_sending_goes_on_after_the_peers_close() -> None:
    """5.5.1: an endpoint "MAY delay sending a Close frame until its current message is sent"."""
    protocol, out = make(), list[bytes]()
    feed(protocol, b"\x88\x80\0\0\0\0")
    protocol.send_message(Opcode.TEXT, "last", out)
    protocol.send_close(None, "", out)
    assert len(out) == 2


# The client's role


def unmasked(frame: bytes) -> bytes:
    """What a client's short frame carries."""
    assert frame[1] & 0x80
    return xor(frame[6:], frame[2:6])


def test_client_masks_every_frame() -> None:
    """5.1: "a client MUST mask all frames that it sends to the server"."""
    protocol, out = make(client=True), list[bytes]()
    protocol.send_message(Opcode.TEXT, "Hello", out)
    protocol.send_ping(b"ping", out)
    protocol.send_pong(b"", out)
    protocol.send_close(1000, "bye", out)
    assert [unmasked(frame) for frame in out] == [b"Hello", b"ping", b"", b"\x03\xe8bye"]
    assert [frame[0] for frame in out] == [0x81, 0x89, 0x8A, 0x88]


@pytest.mark.parametrize("payload", ["", b"", b"x", "x"])
def test_client_masks_the_shortest_messages(payload: str | bytes) -> None:
    protocol, out = make(client=True), list[bytes]()
    protocol.send_message(Opcode.TEXT if isinstance(payload, str) else Opcode.BINARY, payload, out)
    assert b"".join(out)[1] == 0x80 + len(payload)


def test_masking_keys_are_fresh() -> None:
    """5.3: "The masking key needs to be unpredictable", and "a fresh masking key" for each frame."""
    protocol, out = make(client=True), list[bytes]()
    for _ in range(100):
        protocol.send_message(Opcode.BINARY, b"", out)
    assert len({frame[2:6] for frame in out}) > 95


@pytest.mark.parametrize("size", [0, 1, 125, 126, 16384, 16385, 65536, 300000])
def test_client_and_server_understand_each_other(size: int) -> None:
    payload = bytes(range(256)) * (size // 256 + 1)
    payload = payload[:size]
    for client in (True, False):
        out = sent(make(client=client), Opcode.BINARY, payload)
        found = feed(make(client=not client), *out)
        assert found == [("MESSAGE", "BINARY", payload, size)]
