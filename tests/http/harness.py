"""Drives a RequestParser and writes down what came out, one line an event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ioto_server.http import Body, EndOfRequest, HttpError, Request, RequestParser

MAX_HEADER = 1024
MAX_BODY = 1000


def expand(data: str | Sequence[str | list[str | int]]) -> bytes:
    """The bytes of a corpus input: a string, or a list of strings and [string, times] pairs, in Latin-1."""
    parts = [data] if isinstance(data, str) else data
    return b"".join(
        (part if isinstance(part, str) else str(part[0]) * int(part[1])).encode("latin-1") for part in parts
    )


def observe(pieces: Iterable[bytes]) -> list[str]:
    """Feed the pieces, pull after each; bodies are joined, since their cuts mean nothing."""
    parser = RequestParser(MAX_HEADER, MAX_BODY)
    seen: list[str] = []
    body = bytearray()
    request: Request | None = None
    try:
        for piece in pieces:
            parser.feed(piece)
            while (event := parser.next_event()) is not None:
                if isinstance(event, Body):
                    body += event.data
                    continue
                flush(seen, body)
                if isinstance(event, Request):
                    request = event
                    seen.append(describe(event))
                else:
                    assert isinstance(event, EndOfRequest)
                    assert request is not None
                    trailers = request.trailers
                    seen.append("end" if trailers is None else f"end, trailers {list(trailers.items())}")
        flush(seen, body)
    except HttpError as error:
        flush(seen, body)
        seen.append(f"{error.status} {error.text}" + ("" if error.close else " (left open)"))
        parser.feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert parser.next_event() is None
        assert parser.buffered == 0
    return seen


def flush(seen: list[str], body: bytearray) -> None:
    if body:
        seen.append(f"body {bytes(body)!r}" if len(body) < 100 else f"body of {len(body)} bytes")
        body.clear()


def describe(request: Request) -> str:
    """A request in one line: what the target says, then the flags and the fields that are not Host."""
    words = [request.method, request.path + (f"?{request.query}" if request.query else ""), request.version]
    words.append(f"host={request.host}")
    words += [
        flag for flag in ("keep_alive", "upgrade", "chunked", "expect_continue") if getattr(request, flag)
    ]
    if request.content_length is not None:
        words.append(f"length={request.content_length}")
    fields = [
        (name, value) for name, value in request.headers.items() if name.startswith(("X", "Y", "Hash", "!"))
    ]
    if len(fields) > 5 or any(len(value) > 100 for _, value in fields):
        words.append(f"{len(fields)} fields")
    elif fields:
        words.append(str(fields))
    return " ".join(words)


def every_cut(data: bytes) -> Iterator[list[bytes]]:
    """Whole, byte by byte, and (where that stays quick) in two at every place."""
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    if len(data) <= 400:
        for i in range(1, len(data)):
            yield [data[:i], data[i:]]
    else:
        for size in (2, 3, 7, 64, 509):
            yield [data[i : i + size] for i in range(0, len(data), size)]
