"""Requests that are remembered by the bytes of their header: which, and how many."""

from __future__ import annotations

import pytest

from ioto_server.http import HttpError, Request, RequestParser
from ioto_server.http.heads import MOST_BYTES, MOST_HEADS, Heads


def parse(data: bytes, max_header: int = 10240) -> Request:
    parser = RequestParser(max_header, 100)
    parser.feed(data)
    event = parser.next_event()
    assert isinstance(event, Request)
    return event


def head(*lines: str, target: str = "/heads", method: str = "GET") -> bytes:
    fields = "".join(f"{line}\r\n" for line in ("Host: x", *lines))
    return f"{method} {target} HTTP/1.1\r\n{fields}\r\n".encode()


def test_the_same_bytes_are_the_same_request() -> None:
    request = parse(head("User-Agent: a", "Accept: */*"))
    assert parse(head("User-Agent: a", "Accept: */*")) is request
    assert parse(head("User-Agent: b", "Accept: */*")) is not request
    assert parse(head("user-agent: a", "Accept: */*")) is not request


@pytest.mark.parametrize(
    "data",
    [
        head("Cookie: session=1"),
        head("Authorization: Bearer 1"),
        head("Proxy-Authorization: Basic 1"),
        head("X-Api-Key: 1"),
        head("Referer: http://x/a?token=1"),
        head(target="/heads?token=1"),
        head("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="),
        head("Content-Length: 0", method="POST"),
        head("Content-Length: 3"),
        head("Transfer-Encoding: chunked"),
        head("User-Agent: " + "a" * MOST_BYTES),
    ],
)
def test_what_may_hold_a_secret_or_has_a_body_is_not_kept(data: bytes) -> None:
    assert parse(data) is not parse(data)
    assert not parse(data).shared


def test_limits_of_the_connection_hold_for_what_is_remembered() -> None:
    data = head("Accept: text/plain")
    parse(data)
    with pytest.raises(HttpError, match=r"limits\.header"):
        parse(data, len(data) - 5)


def test_who_may_change_a_request_gets_one_of_its_own() -> None:
    shared = parse(head("Accept: own"))
    assert shared.shared
    own = shared.own()
    assert own is not shared
    assert not own.shared
    assert own.own() is own
    for name in ("method", "target", "path", "query", "version", "host", "headers", "keep_alive"):
        assert getattr(own, name) == getattr(shared, name)
    closing = parse(head("Connection: close"))
    assert closing.shared
    assert not closing.own().keep_alive


def test_what_was_asked_for_lately_stays_and_the_rest_is_forgotten() -> None:
    heads = Heads()
    request = parse(head())
    heads.put(b"kept", request, {})
    heads.put(b"left", request, {})
    for number in range(3 * MOST_HEADS):
        heads.put(b"%d" % number, request, {})
        assert heads.get(b"kept") is request
        assert len(heads) <= 2 * MOST_HEADS
    assert heads.get(b"left") is None
    assert heads.get(b"0") is None


KEYS = ("AAAAAAAAAAAAAAAAAAAAAA==", "dGhlIHNhbXBsZSBub25jZQ==", "+/+/+/+/+/+/+/+/+/+/+/==")


def handshake(key: str, *lines: str, target: str = "/heads/ws", name: str = "Sec-WebSocket-Key") -> bytes:
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", f"{name}: {key}", "Sec-WebSocket-Version: 13")
    return head(*upgrade, *lines, target=target)


@pytest.mark.parametrize("name", ["Sec-WebSocket-Key", "sec-websocket-key"])
def test_handshakes_that_differ_in_their_key_have_one_model(name: str) -> None:
    lines = ("Origin: http://x", "Sec-WebSocket-Protocol: chat, graphql-transport-ws", f"User-Agent: {name}")
    first, *others = (parse(handshake(key, *lines, name=name)) for key in KEYS)
    assert first.model is not None
    for request, key in zip(others, KEYS[1:], strict=True):
        assert request is not first
        assert request.model is first.model
        assert not request.shared
        assert request.upgrade
        assert request.headers.get_all("sec-websocket-key") == [key]
        assert [one for one, _ in request.headers.items()] == [one for one, _ in first.headers.items()]
        for attribute in ("method", "target", "path", "query", "version", "host", "keep_alive", "has_body"):
            assert getattr(request, attribute) == getattr(first, attribute)
    assert first.headers.get("sec-websocket-key") == KEYS[0]
    assert first.model.headers.get("sec-websocket-key") == ""


@pytest.mark.parametrize(
    "data",
    [
        handshake(KEYS[0], "Cookie: session=1"),
        handshake(KEYS[0], "Authorization: Bearer 1"),
        handshake(KEYS[0], "X-Api-Key: 1"),
        handshake(KEYS[0], "Referer: http://x/a?token=1"),
        handshake(KEYS[0], "Sec-WebSocket-Protocol: chat, AAAAAAAAAAAAAAAAAAAAAA"),
        handshake(KEYS[0], target="/heads/ws?token=1"),
        handshake(KEYS[0], "Content-Length: 3"),
        handshake(KEYS[0], "User-Agent: " + "a" * MOST_BYTES),
        handshake(KEYS[0], f"Sec-WebSocket-Key: {KEYS[1]}"),
        handshake("AAAAAAAAAAAAAAAAAAAAA==="),
        handshake("AAAAAAAAAAAAAAAAAAAAAA=*"),
        handshake(f" {KEYS[0]}"),
        handshake(f"{KEYS[0]} "),
        handshake(""),
        handshake(KEYS[0], name="Sec-Websocket-Key"),
        head("Upgrade: websocket", "Connection: Upgrade"),
    ],
)
def test_a_handshake_with_a_secret_a_body_or_another_key_has_no_model(data: bytes) -> None:
    for _ in range(2):
        assert parse(data).model is None


@pytest.mark.parametrize(
    "key",
    ["", "A", "AAAAAAAAAAAAAAAAAAAAAA=\t", "AAAAAAAAAAAAAAAAAAAA: ==", "AAAAAAAAAAAAAAAAAAAAAAA=", "é" * 12],
)
def test_what_is_no_key_is_read_as_it_is(key: str) -> None:
    parse(handshake(KEYS[0]))
    request = parse(handshake(key))
    assert request.model is None
    assert request.headers.get("sec-websocket-key") == key.encode().decode("latin-1").strip()


def test_a_key_cannot_bring_another_line() -> None:
    parse(handshake(KEYS[0]))
    cut = handshake("AAAAAAAAAA\r\nCookie: a=1").replace(b"\r\nSec-WebSocket-Version: 13", b"")
    assert parse(cut).headers.get("cookie") == "a=1"
    with pytest.raises(HttpError):
        parse(handshake("AAAAAAAAAAAAAAAAAAAAA\n=="))


def test_the_key_is_the_field_of_that_name_and_nothing_like_it() -> None:
    other = f"X-Sec-WebSocket-Key: {KEYS[0]}"
    assert parse(handshake(KEYS[0], other)).model is None
    quoting = f"User-Agent: Sec-WebSocket-Key: {KEYS[0]}"
    first, second = (parse(handshake(key, quoting)) for key in KEYS[:2])
    assert first.model is second.model is not None
    assert second.headers.get("sec-websocket-key") == KEYS[1]
    assert second.headers.get("user-agent") == f"Sec-WebSocket-Key: {KEYS[0]}"
