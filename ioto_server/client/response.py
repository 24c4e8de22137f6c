"""Read an HTTP response strictly, as bytes arrive (RFC 9112): the answer to a handshake, or a whole page."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from ioto_server.http import Headers, HttpError
from ioto_server.http.chunked import ChunkedReader
from ioto_server.http.headers import FIELD_NAMES, members
from ioto_server.http.lines import MAX_FIELDS, VALUE_OCTETS, check_field_line

_STATUS_LINE: Final = re.compile(rb"HTTP/(1\.[01]) ([1-9][0-9]{2}) ([\t\x20-\x7e\x80-\xff]*+)")
_DIGITS: Final = re.compile(r"[0-9]{1,18}")

# What a body that is not framed otherwise has left to come: everything until the connection ends.
_UNTIL_END: Final = -1


class ResponseError(Exception):
    """The server's answer breaks HTTP, or is larger than was allowed: which rule."""


@dataclass(frozen=True, slots=True)
class Response:
    """One answer: `status`, `reason` (often empty), `headers`, and as much of the `body` as was read."""

    version: str
    status: int
    reason: str
    headers: Headers
    body: bytes = field(default=b"", repr=False)

    @property
    def text(self) -> str:
        """The body as UTF-8 text, its final line end left out; bytes that are no UTF-8 are replaced."""
        return self.body.decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")

    def json(self) -> Any:
        """The body as JSON; raises ValueError where it is none."""
        return json.loads(self.body)


class ResponseParser:
    """Bytes in, one response out; responses with 1xx before it are passed over, but for 101.

    `method` is that of the request, as the answer to HEAD has no body (RFC 9112, 6.3). `max_header` and
    `max_body` are in bytes; a body is refused before more of it is kept.
    """

    __slots__ = (
        "_buffer",
        "_chunks",
        "_left",
        "_max_body",
        "_max_header",
        "_method",
        "body",
        "complete",
        "head",
    )

    def __init__(self, method: str, *, max_header: int, max_body: int) -> None:
        self._method = method
        self._max_header = max_header
        self._max_body = max_body
        self._buffer = b""
        self._left = 0
        self._chunks: ChunkedReader | None = None
        #: The response without its body, as soon as its head has been read.
        self.head: Response | None = None
        #: The body so far; whoever takes pieces out makes room for more.
        self.body = bytearray()
        self.complete = False

    @property
    def response(self) -> Response | None:
        """The response as far as it has come, with the body so far; None before its head."""
        head = self.head
        return head and Response(head.version, head.status, head.reason, head.headers, bytes(self.body))

    def receive(self, data: bytes) -> None:
        """Take in bytes from the server. Raises ResponseError."""
        self._buffer += data
        while self.head is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end + 4 > self._max_header or (end < 0 and len(self._buffer) > self._max_header):
                raise ResponseError(f"The head of the answer is over {self._max_header} bytes")
            if end < 0:
                self._check_begin()
                return
            block, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
            head = _parse_head(block)
            if head.status >= 200 or head.status == 101:
                self.head = head
                self._frame(head)
        self._read_body()

    def receive_eof(self) -> None:
        """The server's stream has ended. Raises ResponseError in the midst of a response."""
        if self._left == _UNTIL_END and self.head is not None:
            self.complete = True
        if not self.complete:
            where = "in the midst of its answer" if self.head or self._buffer else "without an answer"
            raise ResponseError(f"The server closed the connection {where}")

    def take_rest(self) -> bytes:
        """The bytes behind a complete response: after a 101, the first frames."""
        rest, self._buffer = self._buffer, b""
        return rest

    def _check_begin(self) -> None:
        """Whatever does not begin as HTTP never will: say so at once, not when the limit is reached."""
        begin = self._buffer[:7]
        if not b"HTTP/1.".startswith(begin):
            raise ResponseError(f"The server does not speak HTTP/1: its answer begins with {begin!a}")

    def _frame(self, head: Response) -> None:
        """Find out where the body ends (RFC 9112, 6.3)."""
        encodings = head.headers.get_all("transfer-encoding")
        lengths = head.headers.get_all("content-length")
        if encodings and (lengths or head.version == "1.0"):
            raise ResponseError("The answer has Transfer-Encoding where it may not (RFC 9112 6.1)")
        if self._method == "HEAD" or head.status in (101, 204, 304):
            self.complete = True
        elif encodings:
            if members(encodings) != ["chunked"]:
                raise ResponseError("The answer has a transfer coding that was not asked for (RFC 9112 6.1)")
            self._chunks = ChunkedReader(self._max_body, self._max_header)
        elif lengths:
            if len(lengths) > 1 or not _DIGITS.fullmatch(lengths[0]):
                raise ResponseError("Content-Length of the answer is not one number (RFC 9110 8.6)")
            self._left = int(lengths[0])
            self.complete = self._left == 0
        else:
            self._left = _UNTIL_END

    def _read_body(self) -> None:
        if self.complete:
            return
        if self._chunks is not None:
            self._read_chunks(self._chunks)
            return
        piece = self._buffer if self._left == _UNTIL_END else self._buffer[: self._left]
        self._buffer = self._buffer[len(piece) :]
        self._keep(piece)
        if self._left != _UNTIL_END:
            self._left -= len(piece)
            self.complete = self._left == 0

    def _read_chunks(self, chunks: ChunkedReader) -> None:
        position = 0
        try:
            while True:
                piece, position = chunks.read(self._buffer, position)
                if not piece:
                    break
                self._keep(piece)
        except HttpError as error:
            raise ResponseError(f"The chunked body of the answer is broken: {error.text}") from None
        self._buffer = self._buffer[position:]
        self.complete = chunks.done

    def _keep(self, piece: bytes) -> None:
        if len(self.body) + len(piece) > self._max_body:
            raise ResponseError(f"The body of the answer is over {self._max_body} bytes")
        self.body += piece


def _parse_head(block: bytes) -> Response:
    first, *lines = block.split(b"\r\n")
    match = _STATUS_LINE.fullmatch(first)
    if match is None:
        raise ResponseError(f"The answer begins with no status line (RFC 9112 4): {first[:60]!a}")
    if len(lines) > MAX_FIELDS:
        raise ResponseError(f"The answer has more than {MAX_FIELDS} header fields")
    fields: dict[str, list[str]] = {}
    for line in lines:
        if line.translate(None, VALUE_OCTETS):
            raise ResponseError("A header of the answer has a control character (RFC 9110 5.5)")
        try:
            name, value = check_field_line(line)
        except HttpError as error:
            raise ResponseError(f"In the answer: {error.text}") from None
        fields.setdefault(FIELD_NAMES[name], []).append(value.decode("latin-1"))
    reason = match[3].decode("latin-1").strip()
    return Response(match[1].decode(), int(match[2]), reason, Headers.of_fields(fields))
