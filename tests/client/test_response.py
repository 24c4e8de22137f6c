"""Answers of servers, good and bad, however the network cuts them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ioto_server.client import ResponseError, ResponseParser

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-One: 1\r\nx-one: 2\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nT: 1\r\n\r\n"
UNTIL_END = b"HTTP/1.0 200 OK\r\n\r\nhello"


def parser(method: str = "GET", max_header: int = 1000, max_body: int = 1000) -> ResponseParser:
    return ResponseParser(method, max_header=max_header, max_body=max_body)


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """The whole, byte by byte, and each cut into two."""
    yield [data]
    yield [data[index : index + 1] for index in range(len(data))]
    for index in range(1, len(data)):
        yield [data[:index], data[index:]]


@pytest.mark.parametrize(("data", "ends"), [(PLAIN, False), (CHUNKED, False), (UNTIL_END, True)])
def test_however_it_is_cut(data: bytes, ends: bool) -> None:
    for pieces in cuts(data):
        reading = parser()
        for piece in pieces:
            assert not reading.complete
            reading.receive(piece)
        assert reading.complete != ends
        if ends:
            reading.receive_eof()
        assert reading.complete
        response = reading.response
        assert response is not None
        assert (response.status, response.reason, response.body, response.text) == (
            200,
            "OK",
            b"hello",
            "hello",
        )


def test_repeated_headers_are_kept() -> None:
    reading = parser()
    reading.receive(PLAIN)
    assert reading.head is not None
    assert reading.head.headers.get_all("x-one") == ["1", "2"]


def test_bytes_behind_a_101_are_left() -> None:
    reading = parser()
    reading.receive(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02hi")
    assert reading.complete
    assert reading.take_rest() == b"\x81\x02hi"
    assert reading.take_rest() == b""


def test_interim_answers_are_passed_over() -> None:
    reading = parser()
    reading.receive(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + PLAIN)
    assert reading.head is not None
    assert reading.head.status == 200


@pytest.mark.parametrize(
    ("method", "data"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_answers_without_a_body(method: str, data: bytes) -> None:
    reading = parser(method)
    reading.receive(data)
    assert reading.complete
    assert reading.body == b""


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "does not speak HTTP"),
        (b"\x15\x03\x01", "does not speak HTTP"),
        (b"HTTP/2.0", "does not speak HTTP"),
        (b"HTTP/1.1 20 OK\r\n\r\n", "status line"),
        (b"HTTP/1.1 200\r\n\r\n", "status line"),
        (b"HTTP/1.1  200 OK\r\n\r\n", "status line"),
        (b"HTTP/1.1 200 O\x00K\r\n\r\n", "status line"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "colon"),
        (b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "blank between"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "folded"),
        (b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", "control character"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", "not one number"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", "not one number"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "may not"),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "may not"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "coding"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "chunked body"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 101 + b"\r\n", "more than 100"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 1000, "head of the answer is over"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 1000 + b"\r\n\r\n", "head of the answer is over"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001, "body of the answer is over"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001, "body of the answer is over"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", "body is over"),
    ],
)
def test_what_breaks_the_rules(data: bytes, words: str) -> None:
    with pytest.raises(ResponseError, match=words):
        parser().receive(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"", "without an answer"), (b"HTTP/1.1 2", "in the midst"), (PLAIN[:-1], "in the midst")],
)
def test_an_end_that_comes_too_soon(data: bytes, words: str) -> None:
    reading = parser()
    reading.receive(data)
    with pytest.raises(ResponseError, match=words):
        reading.receive_eof()
