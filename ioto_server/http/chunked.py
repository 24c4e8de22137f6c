"""The chunked transfer coding, read strictly and in bounded space (RFC 9112 7.1)."""

from __future__ import annotations

import re

from ioto_server.http.errors import HttpError, bad_request
from ioto_server.http.headers import FIELD_NAMES, Headers
from ioto_server.http.lines import MAX_FIELDS, VALUE_OCTETS, check_field_line, too_many_fields

MAX_CHUNK_LINE = 256
"""Most bytes of a chunk's size line, with extensions and CRLF."""

# chunk-size [ chunk-ext ], without the CRLF: extensions as tokens or quoted strings.
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED = rb'"(?>(?:[\t !#-\[\]-~\x80-\xff]++|\\[\t -~\x80-\xff])*)"'
_SIZE_LINE = re.compile(
    rb"([0-9A-Fa-f]++)((?>(?:[ \t]*+;[ \t]*+"
    + _TOKEN
    + rb"(?>(?:[ \t]*+=[ \t]*+(?:"
    + _TOKEN
    + rb"|"
    + _QUOTED
    + rb"))?))*))"
)

# Fields that frame, route or authenticate a message mean nothing after it (RFC 9110 6.5.1): an attempt to
# slip them past something that reads the header only.
_FORBIDDEN_TRAILERS = frozenset(
    (
        "authorization", "connection", "content-encoding", "content-length", "content-range", "content-type",
        "cookie", "expect", "host", "max-forwards", "te", "trailer", "transfer-encoding", "upgrade",
    )
)  # fmt: skip


class ChunkedReader:
    """Takes the chunked coding off a body: bytes in, body bytes out.

    `max_body` and `max_extra` (bytes) bound the body and all that is not body: extensions and trailers. A
    chunk over the limit is refused when its size is read, before any byte of it is taken.
    """

    __slots__ = ("_fields", "_left", "_state", "_total", "extra", "max_body", "max_extra", "trailers")

    _SIZE, _DATA, _DATA_END, _TRAILER, _DONE = range(5)

    def __init__(self, max_body: int, max_extra: int) -> None:
        self.max_body = max_body
        self.max_extra = max_extra
        self.extra = 0
        self.trailers: Headers | None = None
        self._fields: dict[str, list[str]] = {}
        self._total = 0
        self._left = 0
        self._state = self._SIZE

    @property
    def done(self) -> bool:
        """The last chunk and its trailers have been read."""
        return self._state == self._DONE

    def read(self, data: bytes, position: int) -> tuple[bytes, int]:
        """Read on at `position` of `data`: the next piece of the body, and the position behind what was used.

        The piece is empty when the body is done or more data is needed; unused bytes are to be given again,
        with more behind them. Raises HttpError 400, 413, 431.
        """
        while self._state != self._DONE:
            if self._state == self._DATA:
                piece = data[position : position + self._left]
                self._left -= len(piece)
                if not self._left:
                    self._state = self._DATA_END
                return piece, position + len(piece)
            if self._state == self._DATA_END:
                # Either byte is refused as soon as it is there.
                end = data[position : position + 2]
                if not b"\r\n".startswith(end):
                    raise bad_request(
                        "A chunk does not end in CRLF where its size says (RFC 9112 7.1): correct the size"
                    )
                if len(end) < 2:
                    break
                position += 2
                self._state = self._SIZE
                continue
            line, position = self._line(data, position)
            if line is None:
                break
            if self._state == self._SIZE:
                self._size(line)
            else:
                self._trailer(line)
        return b"", position

    def _line(self, data: bytes, position: int) -> tuple[bytes | None, int]:
        """The next line without its CRLF and the position behind it, or None when it is not complete yet."""
        in_trailer = self._state == self._TRAILER
        limit = self.max_extra - self.extra if in_trailer else MAX_CHUNK_LINE
        end = data.find(b"\n", position, position + limit)
        if end < 0:
            if len(data) - position >= limit:
                if in_trailer:
                    raise HttpError(431, "The trailer fields are over limits.header: send fewer", close=True)
                raise bad_request(
                    f"A chunk size line is over {MAX_CHUNK_LINE} bytes (RFC 9112 7.1.1): shorten it"
                )
            return None, position
        line = data[position:end]
        if not line.endswith(b"\r"):
            raise bad_request(
                "A line of the chunked body ends in LF without CR (RFC 9112 7.1): end lines with CRLF"
            )
        if in_trailer:
            self.extra += end + 1 - position
        return line[:-1], end + 1

    def _size(self, line: bytes) -> None:
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise bad_request(
                "A chunk size is not hexadecimal, or its extension malformed (RFC 9112 7.1): correct it"
            )
        size = int(match[1], 16)
        self.extra += len(match[2])
        if self.extra > self.max_extra:
            raise bad_request("The chunk extensions are over limits.header (RFC 9112 7.1.1): leave them out")
        if size > self.max_body - self._total:
            raise HttpError(413, "The body is over its limit (RFC 9110 15.5.14): send less", close=True)
        self._total += size
        self._left = size
        self._state = self._DATA if size else self._TRAILER

    def _trailer(self, line: bytes) -> None:
        if not line:
            self._state = self._DONE
            if self._fields:
                self.trailers = Headers.of_fields(self._fields)
            return
        if line.translate(None, VALUE_OCTETS):
            raise bad_request("A trailer has a NUL or control character (RFC 9110 5.5): leave it out")
        raw, value = check_field_line(line)
        name = FIELD_NAMES[raw]
        if name in _FORBIDDEN_TRAILERS:
            raise bad_request(f"{name} is no trailer field (RFC 9110 6.5.1): send it in the header")
        self._fields.setdefault(name, []).append(value.decode("latin-1"))
        if sum(map(len, self._fields.values())) > MAX_FIELDS:
            raise too_many_fields()
