"""Requests out of bytes: httptools reads the header, our rules decide, and we frame the body ourselves.

httptools (llhttp) is fast and fairly strict, but it ends a request that offers an upgrade at its header, body
or not; taken as given, that lets a peer hide a second request in the body of the first. So it is only ever
shown a complete header, and where a body ends is decided here, by the rules of RFC 9112 6.3.
"""

from __future__ import annotations

from typing import Final

import httptools

from ioto_server.http.chunked import ChunkedReader
from ioto_server.http.errors import HttpError, bad_request
from ioto_server.http.framing import interpret
from ioto_server.http.headers import FIELD_NAMES, Headers
from ioto_server.http.heads import HEADS
from ioto_server.http.key_field import copied
from ioto_server.http.lines import MAX_FIELDS, VALUE_OCTETS, check_field_line, check_lines, parse_request_line
from ioto_server.http.request import END_OF_REQUEST, Body, EndOfRequest, Request

Event = Request | Body | EndOfRequest

# What a parser does next.
BEGIN: Final = 0
FIRST_BYTE: Final = 1
HEADER: Final = 2
FIRST_PIECE: Final = 3
PIECE: Final = 4
FIRST_CHUNK: Final = 5
CHUNK: Final = 6
END: Final = 7
FINISHED: Final = 8

_METHOD_START = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~")


class _Fields:
    """Where httptools puts the header fields it finds: lower-case name to the values of its lines."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        key = FIELD_NAMES[name]
        text = value.decode("latin-1").strip(" \t")
        if key in self.found:
            self.found[key].append(text)
        else:
            self.found[key] = [text]

    def count(self) -> int:
        return sum(map(len, self.found.values()))


class RequestParser:
    """The requests of one connection: bytes are fed, events are pulled.

    For each request: Request, any number of Body, EndOfRequest. Nothing behind a request is looked at before
    its EndOfRequest was pulled, so pipelined requests are answered in order. What comes out never depends on
    how the bytes were cut, except for the cuts between Body pieces.

    max_header  bytes of a request header, of its trailers, of its chunk extensions (`limits.header`)
    max_body    bytes of a body (`limits.body`); `set_max_body` changes it for the request just pulled

    Once `next_event` has raised, the connection is to be closed: input is discarded.
    """

    __slots__ = (
        "_checked",
        "_chunks",
        "_data",
        "_left",
        "_lines",
        "_max_body",
        "_position",
        "_step",
        "max_body",
        "max_header",
        "request",
    )

    def __init__(self, max_header: int, max_body: int) -> None:
        self.max_header = max_header
        self.max_body = max_body
        self.request: Request | None = None
        self._max_body = max_body
        self._data = b""
        self._position = 0
        self._checked = self._lines = 0
        self._left = 0
        self._chunks: ChunkedReader | None = None
        self._step = BEGIN

    @property
    def started(self) -> bool:
        """Part of a request header has arrived, and not yet all of it."""
        return self.request is None and self._position < len(self._data)

    @property
    def buffered(self) -> int:
        """Bytes that were fed and not yet handed out."""
        return len(self._data) - self._position

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes of the connection. `bytes` are not copied when all before them has been used."""
        if self._position == len(self._data):
            self._data = bytes(data)
        else:
            self._data = self._data[self._position :] + data
        self._position = 0

    def feed_lent(self, buffer: bytearray, size: int) -> None:
        """Take the first `size` bytes of a buffer that is lent: what is kept of them is copied."""
        if self._position == len(self._data):
            self._data = copied(buffer, size)
            self._position = 0
        else:
            self.feed(memoryview(buffer)[:size])

    def set_max_body(self, size: int) -> None:
        """Limit the body of the request just pulled to `size` bytes, before any of it is pulled."""
        self._max_body = size

    def take_rest(self) -> bytes:
        """What follows the header of the request whose upgrade is taken; the parser is finished with it."""
        rest = self._data[self._position :]
        self._discard()
        return rest

    def next_event(self) -> Event | None:
        """The next event, or None until more has been fed.

        Raises HttpError (400, 413, 414, 417, 431, 501, 505, all with `close`). A body over the limit is
        refused at the first pull behind its Request: pull once before a 100 (Continue) is sent.
        """
        try:
            return self._go_on()
        except HttpError:
            self._discard()
            raise

    def _go_on(self) -> Event | None:
        step = self._step
        if step == BEGIN:
            return self._begin()
        if step == END:
            return self._end()
        if step == HEADER:
            return self._header()
        if step == PIECE:
            return self._piece()
        if step == CHUNK:
            return self._chunk()
        if step == FIRST_BYTE:
            return self._first_byte()
        if step == FIRST_PIECE:
            return self._first_piece()
        if step == FIRST_CHUNK:
            return self._first_chunk()
        return self._finished()

    def _begin(self) -> Event | None:
        # RFC 9112 2.2: at least one empty line before a request is ignored. Here just one: more is no client.
        first = self._data[self._position : self._position + 2]
        if first in (b"", b"\r"):
            return None
        if first == b"\r\n":
            self._position += 2
        self._step = FIRST_BYTE
        return self._first_byte()

    def _first_byte(self) -> Event | None:
        # Told at once to who speaks TLS or something else, and waits for an answer before saying more.
        if self._position == len(self._data):
            return None
        if self._data[self._position] not in _METHOD_START:
            raise bad_request(
                "The request does not begin with a method (RFC 9112 3): speak HTTP/1.1, without TLS"
            )
        self._step = HEADER
        return self._header()

    def _header(self) -> Event | None:
        start = self._position
        end = self._data.find(b"\r\n\r\n", start, start + self.max_header)
        if end < 0:
            self._incomplete()
            return None
        block = self._data[start : end + 4]
        self._position = end + 4
        request = HEADS.find(block)
        if request is None:
            request = self._accept(block)
        self._checked = self._lines = 0
        self._max_body = self.max_body
        self.request = request
        if request.chunked:
            self._step = FIRST_CHUNK
        elif request.content_length:
            self._left = request.content_length
            self._step = FIRST_PIECE
        else:
            self._step = END
        return request

    def _incomplete(self) -> None:
        """Refuse what cannot become a request any more, however it goes on."""
        start = self._position
        size = len(self._data) - start
        block = self._data[start + self._checked : start + self.max_header]
        checked = check_lines(block, self._lines)
        self._lines += block.count(b"\n", 0, checked)
        self._checked += checked
        if size >= self.max_header:
            if not self._checked:
                raise HttpError(
                    414, "The request line is over limits.header (RFC 9110 15.5.15): shorten it", close=True
                )
            raise HttpError(
                431, "The request header is over limits.header (RFC 6585 5): send less", close=True
            )

    def _accept(self, block: bytes) -> Request:
        """The request of a complete header, or HttpError."""
        ends = block.translate(None, VALUE_OCTETS)
        lines = len(ends) // 2
        if ends != b"\r\n" * lines or lines - 2 > MAX_FIELDS:
            check_lines(block)
        method, target, version = parse_request_line(block[: block.index(b"\r\n")])
        fields = _Fields()
        complaint = ""
        try:
            httptools.HttpRequestParser(fields).feed_data(block)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError as error:
            complaint = str(error)
        # httptools has to find as many fields as there are lines: then it folded and dropped none.
        if complaint or (len(fields.found) != lines - 2 and fields.count() != lines - 2):
            # What is wrong is said in our words and our order: first a line by itself, then the whole.
            check_lines(block)
            fields = _read_fields(block)
            complaint = complaint or "the number of header fields is not clear"
        found = fields.found
        headers = Headers.of_fields(found)
        host = target.authority or ""
        request = Request(method, target.raw, target.path, target.query, version, headers, host)
        interpret(request, found)
        if complaint:
            raise bad_request(f"httptools refuses the request header ({complaint}): correct it")
        if request.upgrade:
            HEADS.put_upgrade(block, request, found)
        else:
            HEADS.put(block, request, found)
        return request

    def _first_piece(self) -> Event | None:
        if self._left > self._max_body:
            raise HttpError(413, "The body is over its limit (RFC 9110 15.5.14): send less", close=True)
        self._step = PIECE
        return self._piece()

    def _piece(self) -> Event | None:
        piece = self._data[self._position : self._position + self._left]
        if not piece:
            return None
        self._position += len(piece)
        self._left -= len(piece)
        if not self._left:
            self._step = END
        return Body(piece)

    def _first_chunk(self) -> Event | None:
        self._chunks = ChunkedReader(self._max_body, self.max_header)
        self._step = CHUNK
        return self._chunk()

    def _chunk(self) -> Event | None:
        assert self._chunks is not None
        assert self.request is not None
        piece, self._position = self._chunks.read(self._data, self._position)
        if piece:
            return Body(piece)
        if not self._chunks.done:
            return None
        self.request.trailers = self._chunks.trailers
        self._chunks = None
        return self._end()

    def _end(self) -> Event | None:
        self.request = None
        self._step = BEGIN
        return END_OF_REQUEST

    def _finished(self) -> Event | None:
        self._data = b""
        self._position = 0
        return None

    def _discard(self) -> None:
        self._step = FINISHED
        self._finished()


def _read_fields(block: bytes) -> _Fields:
    """The fields of a header whose lines are right, read by ourselves."""
    fields = _Fields()
    for line in block.split(b"\r\n")[1:-2]:
        fields.on_header(*check_field_line(line))
    return fields
