"""The client's side of the handshake: what it asks, and what it makes of the answers."""

from __future__ import annotations

import re

import pytest

from ioto_server.client import Accepted, Opening, Refused, ResponseError
from ioto_server.websocket import DeflateSettings
from ioto_server.websocket.handshake import HandshakeError, accept_key


def key_of(opening: Opening) -> str:
    match = re.search(rb"Sec-WebSocket-Key: (\S+)\r\n", opening.request)
    assert match
    return match[1].decode()


def answer(opening: Opening, *lines: str, rest: bytes = b"") -> bytes:
    head = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_key(key_of(opening))}",
        *lines,
    ]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + rest


def test_the_request() -> None:
    opening = Opening(
        "example.com:81",
        "/chat?x=1",
        headers=[("Cookie", "a=b"), ("X-Mine", "yes")],
        origin="http://example.com",
        protocols=["a", "b"],
    )
    lines = opening.request.decode().split("\r\n")
    assert lines[0] == "GET /chat?x=1 HTTP/1.1"
    assert lines[-2:] == ["", ""]
    assert set(lines[1:-2]) == {
        "Host: example.com:81",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key_of(opening)}",
        "Sec-WebSocket-Version: 13",
        "Origin: http://example.com",
        "Sec-WebSocket-Protocol: a, b",
        "Cookie: a=b",
        "X-Mine: yes",
    }


def test_a_host_of_the_callers_replaces_ours() -> None:
    request = Opening("127.0.0.1:4100", "/", headers=[("host", "example.com")]).request.decode()
    assert re.findall(r"(?i)^host: (\S+)", request, re.MULTILINE) == ["example.com"]


@pytest.mark.parametrize("name", ["Upgrade", "connection", "Sec-WebSocket-Key", "Transfer-Encoding"])
def test_headers_of_the_handshake_cannot_be_given(name: str) -> None:
    with pytest.raises(ValueError, match="belongs to the handshake"):
        Opening("a", "/", headers=[(name, "x")])


@pytest.mark.parametrize("header", [("X", "a\r\nY: b"), ("X Y", "a"), ("X", "\0")])
def test_headers_that_cannot_be_sent(header: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="header"):
        Opening("a", "/", headers=[header])


def test_an_acceptance() -> None:
    opening = Opening("a", "/", protocols=["one", "two"])
    data = answer(opening, "Sec-WebSocket-Protocol: two", rest=b"\x81\x00")
    assert opening.receive(data[:50]) is None
    accepted = opening.receive(data[50:])
    assert isinstance(accepted, Accepted)
    assert accepted.protocol == "two"
    assert accepted.rest == b"\x81\x00"
    assert accepted.response.headers.get("upgrade") == "websocket"


def test_a_101_that_breaks_the_rules() -> None:
    for change, words in (
        ((b"Upgrade: websocket", b"Upgrade: h2c"), "Upgrade"),
        ((b"Connection: Upgrade", b"Connection: close"), "Connection"),
        ((b"Accept: ", b"Accept: x"), "Accept"),
        ((b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: other\r\n\r\n"), "sub-protocol"),
    ):
        opening = Opening("a", "/", protocols=["one"])
        with pytest.raises(HandshakeError, match=words):
            opening.receive(answer(opening).replace(*change))


def test_compression_is_offered_and_agreed_on() -> None:
    opening = Opening("a", "/", compress=DeflateSettings(window_bits=12))
    assert b"permessage-deflate; server_max_window_bits=12; client_max_window_bits\r\n" in opening.request
    accepted = opening.receive(
        answer(opening, "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10")
    )
    assert accepted is not None
    assert accepted.deflate is not None
    assert accepted.deflate.receive_window_bits == 10


def test_compression_that_was_not_offered_is_refused() -> None:
    opening = Opening("a", "/")
    with pytest.raises(HandshakeError, match="not offered"):
        opening.receive(answer(opening, "Sec-WebSocket-Extensions: permessage-deflate"))


def test_a_refusal_with_its_text() -> None:
    opening = Opening("a", "/")
    data = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\nX-Why: no\r\n\r\nNot today\n"
    assert opening.receive(data[:-1]) is None
    with pytest.raises(Refused, match="403 Forbidden: Not today") as caught:
        opening.receive(data[-1:])
    assert (caught.value.status, caught.value.text) == (403, "Not today")
    assert caught.value.headers.get("x-why") == "no"


def test_a_refusal_whose_text_is_cut_off() -> None:
    opening = Opening("a", "/")
    opening.receive(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 100\r\n\r\nlater")
    with pytest.raises(Refused, match="503 Service Unavailable: later"):
        opening.receive_eof()


def test_a_refusal_with_more_text_than_is_read() -> None:
    opening = Opening("a", "/")
    with pytest.raises(Refused, match="500"):
        opening.receive(b"HTTP/1.1 500 Internal Server Error\r\n\r\n" + b"x" * 100_000)


def test_a_redirect_is_a_refusal() -> None:
    with pytest.raises(Refused, match="302 Found") as caught:
        Opening("a", "/").receive(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")
    assert caught.value.headers.get("location") == "/x"


def test_no_answer() -> None:
    with pytest.raises(ResponseError, match="without an answer"):
        Opening("a", "/").receive_eof()
