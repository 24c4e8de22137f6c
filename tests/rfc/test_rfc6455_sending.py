"""RFC 6455, 5.4 to 5.6, on both builds: what this side refuses to send, word for word, and its limits."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from tests.fuzz.conversation import parsed
from tests.parity.both import reference, running
from tests.websocket.wire import masked

AFTER_CLOSE = "Nothing can be sent after the Close frame: check the state first (RFC 6455 5.5.1)"
UNFINISHED = "A message begun by send_block() is unfinished: end it with fin first (RFC 6455 5.4)"
NOT_TEXT = "Text payload is not valid UTF-8: encode it, or send it as binary (RFC 6455 5.6)"
LONG = "Message of 301 bytes is over limits.maxMessage (300): send less or raise it"


@pytest.fixture(params=[running, reference], ids=["running", "sources"])
def codec(request: pytest.FixtureRequest) -> ModuleType:
    return request.param()


def make(codec: ModuleType, client: bool = False, **settings: Any) -> Any:
    limits = {"max_message": 300, "max_frame": 200, "max_fragments": 10}
    return codec.Protocol(client, **{**limits, **settings})


def refusal(error: type[Exception], protocol: Any, name: str, *arguments: Any) -> str:
    out: list[bytes] = []
    with pytest.raises(error) as caught:
        getattr(protocol, name)(*arguments, out)
    assert out == []
    return str(caught.value)


@pytest.mark.parametrize("client", [False, True])
@pytest.mark.parametrize("text", ["short", "longer " * 20])
def test_opcode_and_not_the_type_of_the_payload_decides(codec: ModuleType, text: str, client: bool) -> None:
    for opcode in (1, 2):
        for payload in (text, text.encode()):
            out: list[bytes] = []
            make(codec, client).send_message(opcode, payload, out)
            assert list(parsed(b"".join(out))) == [(0x80 | opcode, client, text.encode())]


@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("client", [False, True])
def test_message_at_the_limit_is_sent_and_one_byte_more_is_not(
    codec: ModuleType, client: bool, deflate: bool
) -> None:
    agreed = codec.Deflate() if deflate else None
    for payload in ("a" * 300, "é" * 150, bytes(300)):
        opcode = 1 if isinstance(payload, str) else 2
        protocol = make(codec, client, deflate=agreed)
        out: list[bytes] = []
        protocol.send_message(opcode, payload, out)
        assert out
        more = payload + payload[:1]
        text = LONG.replace("301", str(len(more.encode() if isinstance(more, str) else more)))
        assert refusal(codec.MessageTooBig, protocol, "send_message", opcode, more) == text


def test_blocks_over_the_limit_together(codec: ModuleType) -> None:
    protocol = make(codec)
    protocol.send_block(2, bytes(200), False, [])
    assert refusal(codec.MessageTooBig, protocol, "send_block", 2, bytes(101), True) == LONG
    assert protocol.send_block(2, bytes(100), True, []) == 102


@pytest.mark.parametrize("text_bytes", [False, True])
def test_binary_that_came_in_is_checked_when_it_goes_out_as_text(codec: ModuleType, text_bytes: bool) -> None:
    """Text that was received needs no second look; binary was never looked at."""
    protocol = make(codec, text_bytes=text_bytes)
    protocol.receive(bytearray(masked(0x82, b"\xff" * 20)))
    assert protocol.next_event() == codec.Received.MESSAGE
    assert refusal(ValueError, protocol, "send_message", 1, protocol.data) == NOT_TEXT
    assert protocol.send_message(2, protocol.data, []) == 22


def test_text_that_came_in_goes_out(codec: ModuleType) -> None:
    protocol = make(codec, text_bytes=True)
    protocol.receive(bytearray(masked(0x81, "hé".encode())))
    assert protocol.next_event() == codec.Received.MESSAGE
    assert protocol.send_message(1, protocol.data, []) == 5


def test_text_that_is_none(codec: ModuleType) -> None:
    for payload in (b"\xff", bytearray(b"a\xed\xa0\x80"), memoryview(b"\xe2\x82")):
        assert refusal(ValueError, make(codec), "send_message", 1, payload) == NOT_TEXT
        assert refusal(ValueError, make(codec), "send_block", 1, payload, True) == NOT_TEXT


def test_nothing_after_the_close(codec: ModuleType) -> None:
    protocol = make(codec)
    protocol.send_close(1000, "", [])
    for name, *arguments in (
        ("send_message", 1, "x"),
        ("send_message", 2, b"x"),
        ("send_block", 2, b"x", True),
        ("send_ping", b""),
        ("send_pong", b""),
        ("send_close", 1000, ""),
    ):
        assert refusal(codec.StateError, protocol, name, *arguments) == AFTER_CLOSE


def test_nothing_inside_an_unfinished_message(codec: ModuleType) -> None:
    protocol = make(codec)
    protocol.send_block(1, "x", False, [])
    for opcode, payload in ((1, "x"), (2, b"x"), (1, b"x")):
        assert refusal(codec.StateError, protocol, "send_message", opcode, payload) == UNFINISHED
    assert refusal(codec.StateError, protocol, "send_block", 2, b"x", True) == UNFINISHED


def test_close_in_the_middle_of_a_message_forgets_it(codec: ModuleType) -> None:
    protocol = make(codec)
    protocol.receive(bytearray(masked(0x01, bytes(100))))
    assert protocol.next_event() == codec.Received.NEED_DATA
    assert protocol.buffered == 100
    protocol.send_close(1000, "", [])
    assert protocol.buffered == 0


@pytest.mark.parametrize("client", [False, True])
def test_frames_of_the_limit(codec: ModuleType, client: bool) -> None:
    """A message of just one frame's limit is one frame; of one byte more it is two."""
    for size, sizes in ((200, [200]), (201, [200, 1])):
        out: list[bytes] = []
        make(codec, client).send_message(2, bytes(size), out)
        assert [len(payload) for _, _, payload in parsed(b"".join(out))] == sizes


@pytest.mark.parametrize("client", [False, True])
@pytest.mark.parametrize(("size", "items"), [(16 * 1024, 1), (16 * 1024 + 1, 2)])
def test_items(codec: ModuleType, size: int, items: int, client: bool) -> None:
    for opcode in (1, 2):
        out: list[bytes] = []
        make(codec, client, max_message=1 << 20, max_frame=1 << 20).send_message(opcode, bytes(size), out)
        assert len(out) == items


def test_refused_handshake_says_status_and_text(codec: ModuleType) -> None:
    error = codec.handshake.HandshakeError(400, "no", [("Allow", "GET")])
    assert error.args == (400, "no")
    assert (error.status, error.text, error.headers, str(error)) == (400, "no", [("Allow", "GET")], "no")


def test_text_in_blocks_after_binary_in_blocks(codec: ModuleType) -> None:
    protocol = make(codec)
    assert protocol.send_block(2, b"\xe2\x82", True, []) == 4
    assert protocol.send_block(1, "x", True, []) == 3


def test_empty_message_where_frames_may_be_empty_only(codec: ModuleType) -> None:
    assert make(codec, max_frame=0).send_message(2, b"", []) == 2
    assert make(codec, client=True, max_frame=0).send_message(2, b"", []) == 6


def test_first_byte_of_a_frame(codec: ModuleType) -> None:
    assert codec.frame(2, b"") == b"\x82\x00"
    assert codec.frame(2, b"", fin=False) == b"\x02\x00"
    assert codec.frame(2, b"", compressed=True) == b"\xc2\x00"


def test_reason_without_a_code(codec: ModuleType) -> None:
    text = "Close has a reason but no code: give a code such as 1000 (RFC 6455 5.5.1)"
    assert refusal(ValueError, make(codec), "send_close", None, "why") == text


def test_nothing_is_held_of_what_is_discarded_after_our_close(codec: ModuleType) -> None:
    protocol = make(codec)
    protocol.send_close(1000, "", [])
    protocol.receive(bytearray(masked(0x89, b"ping") + masked(0x82, bytes(50))))
    assert protocol.next_event() == codec.Received.NEED_DATA
    assert protocol.buffered == 0
