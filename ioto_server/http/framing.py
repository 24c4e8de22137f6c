"""What the header says about the message itself: host, body, connection (RFC 9112 3.2, 6, 9).

These are the fields that request smuggling plays with. Each has one reading here, or the request is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ioto_server.http.errors import HttpError, bad_request
from ioto_server.http.headers import TOKEN, members
from ioto_server.http.request import Request
from ioto_server.http.target import check_host

MAX_LENGTH = 2**63 - 1
"""The largest Content-Length that is a number here; a larger one is 413, whatever the limit."""

_DIGITS = re.compile(r"[0-9]++")


def interpret(request: Request, fields: dict[str, list[str]]) -> None:
    """Fill in what `fields` (lower-case names) say about the message. Raises HttpError 400, 413, 417, 501."""
    hosts = fields.get("host")
    if hosts is None:
        if request.version == "1.1":
            raise bad_request("The Host field is missing (RFC 9112 3.2): send one")
    elif len(hosts) > 1:
        raise bad_request("There is more than one Host field (RFC 9112 3.2): send one")
    else:
        check_host(hosts[0], "the Host field")
        # RFC 9112 3.2.2: the host of an absolute-form target overrides the field.
        if not request.host:
            request.host = hosts[0]
    encodings = fields.get("transfer-encoding")
    lengths = fields.get("content-length")
    if encodings is not None:
        _check_encodings(encodings, request.version, lengths is not None)
        request.chunked = True
    elif lengths is not None:
        request.content_length = _length(lengths)
    connection = fields.get("connection")
    if connection is not None:
        options = members(connection)
        if "close" in options:
            request.keep_alive = False
        elif request.version == "1.0":
            request.keep_alive = "keep-alive" in options
    upgrade = fields.get("upgrade")
    if upgrade is not None:
        request.upgrade = "websocket" in members(upgrade)
    expectations = fields.get("expect")
    # RFC 9110 10.1.1: expectations in 1.0 are ignored; 100-continue without a body waits for nothing.
    if expectations is not None and request.version == "1.1":
        if any(member != "100-continue" for member in members(expectations)):
            raise HttpError(
                417, "Only 100-continue can be expected (RFC 9110 10.1.1): leave Expect out", close=True
            )
        request.expect_continue = request.has_body


def _check_encodings(values: Sequence[str], version: str, has_length: bool) -> None:
    """Raise HttpError unless the body is in chunks and nothing else (RFC 9112 6.1, 6.3, 7)."""
    if version == "1.0":
        raise bad_request(
            "Transfer-Encoding in an HTTP/1.0 request (RFC 9112 6.1): send HTTP/1.1 or Content-Length"
        )
    if has_length:
        raise bad_request(
            "Both Transfer-Encoding and Content-Length are present (RFC 9112 6.3): send one of them"
        )
    if len(values) == 1 and values[0].lower() == "chunked":
        return
    codings = members(values)
    if not codings or not all(map(TOKEN.fullmatch, codings)):
        raise bad_request("Transfer-Encoding is not a list of coding names (RFC 9112 6.1): send chunked")
    if "chunked" in codings[:-1]:
        raise bad_request(
            "chunked is not the last transfer coding, or comes twice (RFC 9112 6.1): send it once, last"
        )
    if codings == ["chunked"]:
        raise bad_request("Transfer-Encoding has empty members (RFC 9110 5.6.1.1): send just chunked")
    raise HttpError(
        501, "The only transfer coding known here is chunked (RFC 9112 6.1): send chunked", close=True
    )


def _length(values: Sequence[str]) -> int:
    """The one Content-Length as a number (RFC 9110 8.6). Raises HttpError 400, or 413 beyond MAX_LENGTH."""
    if len(values) > 1:
        raise bad_request("There is more than one Content-Length field (RFC 9112 6.3): send one")
    value = values[0]
    if not _DIGITS.fullmatch(value):
        raise bad_request("Content-Length is not a number of decimal digits (RFC 9110 8.6)")
    digits = value.lstrip("0")
    if len(digits) > len(str(MAX_LENGTH)) or int(digits or "0") > MAX_LENGTH:
        raise HttpError(413, "Content-Length is beyond every limit (RFC 9110 15.5.14): send less", close=True)
    return int(digits or "0")
