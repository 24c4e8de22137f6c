"""RequestParser: what it hands out when, and what it keeps back. The wire's oddities are in the corpus."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ioto_server.http import Body, EndOfRequest, HttpError, Request, RequestParser

from .harness import observe

GET = b"GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
UPGRADE = b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def parser_of(data: bytes) -> RequestParser:
    parser = RequestParser(1024, 100)
    parser.feed(data)
    return parser


def pull_request(parser: RequestParser) -> Request:
    event = parser.next_event()
    assert isinstance(event, Request)
    return event


def test_a_request_and_its_parts() -> None:
    parser = parser_of(GET)
    request = pull_request(parser)
    assert (request.method, request.target, request.path, request.query) == ("GET", "/a?b", "/a", "b")
    assert (request.version, request.host, request.keep_alive) == ("1.1", "x", True)
    assert not request.has_body
    assert request.trailers is None
    assert isinstance(parser.next_event(), EndOfRequest)
    assert parser.next_event() is None


def test_the_bytes_behind_a_taken_upgrade_are_handed_over_untouched() -> None:
    """SPEC 3: bytes after the request header are the first frames."""
    parser = parser_of(UPGRADE + b"\x81\x85GET / HTTP/1.1\r\n\r\n")
    assert pull_request(parser).upgrade
    assert parser.take_rest() == b"\x81\x85GET / HTTP/1.1\r\n\r\n"
    assert parser.buffered == 0
    parser.feed(b"more")
    assert parser.next_event() is None


def test_the_next_request_is_not_looked_at_before_the_end_of_the_first_was_pulled() -> None:
    parser = parser_of(GET + b"\0\0\0")
    pull_request(parser)
    assert parser.buffered == 3
    assert isinstance(parser.next_event(), EndOfRequest)
    with pytest.raises(HttpError):
        parser.next_event()


def test_body_comes_as_it_arrives() -> None:
    parser = parser_of(POST + b"abc")
    request = pull_request(parser)
    assert request.content_length == 10
    assert request.has_body
    piece = parser.next_event()
    assert isinstance(piece, Body)
    assert piece.data == b"abc"
    assert parser.next_event() is None
    parser.feed(memoryview(b"defghijGET"))
    piece = parser.next_event()
    assert isinstance(piece, Body)
    assert piece.data == b"defghij"
    assert isinstance(parser.next_event(), EndOfRequest)
    assert parser.next_event() is None
    assert parser.buffered == 3


def test_started_is_true_only_while_a_header_is_arriving() -> None:
    """SPEC 5: 408 for part of a header, silence for a connection that sent nothing."""
    parser = parser_of(b"")
    assert parser.next_event() is None
    assert not parser.started
    parser.feed(b"\r\n")
    assert parser.next_event() is None
    assert not parser.started
    parser.feed(POST[:5])
    assert parser.next_event() is None
    assert parser.started
    parser.feed(POST[5:] + b"abc")
    pull_request(parser)
    assert not parser.started
    while parser.next_event() is not None:
        pass
    assert not parser.started


def test_a_body_over_the_limit_is_refused_before_any_of_it_is_taken() -> None:
    """RFC 9110 15.5.14; the request comes first, so that its route can set another limit."""
    parser = parser_of(b"PUT /f HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n" + b"y" * 50)
    pull_request(parser)
    with pytest.raises(HttpError) as caught:
        parser.next_event()
    assert caught.value.status == 413
    assert caught.value.text == "The body is over its limit (RFC 9110 15.5.14): send less"
    assert caught.value.close


def test_a_header_over_the_limit_is_refused_before_its_end() -> None:
    """RFC 6585 5; with room for its end it is waited for."""
    head = b"GET / HTTP/1.1\r\nHost: x\r\nX: "
    parser = parser_of(head + b"y" * (1020 - len(head)))
    assert parser.next_event() is None
    parser.feed(b"yyyyy")
    with pytest.raises(HttpError) as caught:
        parser.next_event()
    assert caught.value.status == 431
    assert caught.value.text == "The request header is over limits.header (RFC 6585 5): send less"
    assert caught.value.close


@pytest.mark.parametrize(
    "framing", ["Content-Length: 101\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n65\r\n"]
)
def test_the_limit_can_be_changed_for_one_request(framing: str) -> None:
    head = f"PUT /f HTTP/1.1\r\nHost: x\r\n{framing}".encode()
    end = b"\r\n0\r\n\r\n" if b"chunked" in head else b""
    parser = parser_of(head + b"y" * 101 + end + head)
    pull_request(parser)
    parser.set_max_body(101)
    piece = parser.next_event()
    assert isinstance(piece, Body)
    assert len(piece.data) == 101
    assert isinstance(parser.next_event(), EndOfRequest)
    pull_request(parser)
    with pytest.raises(HttpError) as caught:
        parser.next_event()
    assert caught.value.status == 413


def test_bytes_are_refused_as_soon_as_they_cannot_become_a_request() -> None:
    """RFC 9112 3: whoever speaks something else is told at once, not at the timeout."""
    for data in (b"\x16\x03\x01", b"GET /\n", b"GET / HTTP/1.1\r\nHost : x\r\n"):
        parser = parser_of(data)
        with pytest.raises(HttpError):
            parser.next_event()


def test_feeding_bytes_keeps_nothing_of_a_lent_buffer() -> None:
    lent = bytearray(b"GET / HTTP/1.1\r\nHo")
    parser = RequestParser(1024, 100)
    parser.feed(memoryview(lent))
    assert parser.next_event() is None
    lent[:] = b"\0" * len(lent)
    parser.feed(b"st: x\r\n\r\n")
    assert pull_request(parser).host == "x"


def test_a_header_that_is_read_in_two_ways_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """httptools has to find as many fields as there are lines, whatever some version of it may let pass."""

    class Lenient:
        def __init__(self, fields: Any) -> None:
            self.fields = fields

        def feed_data(self, data: bytes) -> None:
            self.fields.on_header(b"Host", b"x")

    monkeypatch.setattr("ioto_server.http.parser.httptools.HttpRequestParser", Lenient)
    assert pull_request(parser_of(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")).host == "x"
    parser = parser_of(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
    with pytest.raises(HttpError, match="not clear"):
        parser.next_event()


FRAGMENTS = [
    *(b"GET / HTTP/1.1\r\n", b"POST /%41?q HTTP/1.1\r\n", b"GET / HTTP/1.0\r\n", b"Host: a\r\n", b"X: y\r\n"),
    *(b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n"),
    *(
        b"Upgrade: websocket\r\n",
        b"Connection: close\r\n",
        b"\r\n",
        b"abc",
        b"3\r\nabc\r\n",
        b"0\r\n",
        b"0\r\n\r\n",
    ),
    *(b" ", b"\t", b"\n", b"\r", b"\0", b":", b";a=b", b"\xff", b"1", b"f"),
]
PIECES = st.sampled_from(FRAGMENTS)


@settings(max_examples=400, deadline=None)
@given(
    data=st.lists(PIECES, max_size=14).map(b"".join) | st.binary(max_size=80),
    cuts=st.lists(st.integers(0, 200)),
)
@example(data=GET + POST + b"0123456789" + UPGRADE, cuts=[1, 2, 31, 32, 33])
def test_any_bytes_give_events_or_an_answer_and_the_same_for_any_cut(data: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[start:end] for start, end in pairwise(places)]
    assert observe(pieces) == observe([data])
    assert observe(data[i : i + 1] for i in range(len(data))) == observe([data])
