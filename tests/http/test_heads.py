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
