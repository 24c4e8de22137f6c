"""The lines of a request header: the request line, and what is wrong with a header that is refused.

A header that arrives whole and is right never comes through `check_lines`: the parser has cheaper checks of
the whole block for it. This is the way of the others, line by line, so that the error names the first line
that broke a rule and is the same however the bytes arrived.
"""

from __future__ import annotations

import re

from ioto_server.http.errors import HttpError, bad_request
from ioto_server.http.target import Target, parse_target

MAX_FIELDS = 100
"""Most header fields of one request, and most trailer fields; beyond it 431 (RFC 6585 5)."""

VALUE_OCTETS = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])
"""The octets of a field value (RFC 9110 5.5); what is left of a header without them must be its CRLFs."""

# What llhttp and the IANA registry of methods have in common. A token outside is 501 (RFC 9110 9.1).
_METHOD_NAMES = """
    ACL BIND CHECKOUT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MOVE OPTIONS PATCH POST
    PROPFIND PROPPATCH PUT QUERY REBIND REPORT SEARCH TRACE UNBIND UNLINK UNLOCK
"""
METHODS = {name.encode(): name for name in _METHOD_NAMES.split()}
_VERSIONS = {b"HTTP/1.1": "1.1", b"HTTP/1.0": "1.0"}
_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++")


def parse_request_line(line: bytes) -> tuple[str, Target, str]:
    """Method, target and version of a request line without its CRLF (RFC 9112 3).

    Exactly one blank between the parts. Raises HttpError 400, 501 (method), 505 (version).
    """
    parts = line.split(b" ")
    if len(parts) != 3:
        raise bad_request(
            "The request line is not a method, a target and a version, one blank between them (RFC 9112 3)"
        )
    raw_method, raw_target, raw_version = parts
    version = _VERSIONS.get(raw_version)
    method = METHODS.get(raw_method)
    if method is not None and version is not None:
        return method, parse_target(method, raw_target), version
    if not _TOKEN.fullmatch(raw_method):
        raise bad_request("The method is not a token (RFC 9110 9.1): send GET, HEAD, POST, ...")
    if version is None:
        if not _VERSION.fullmatch(raw_version):
            raise bad_request(
                "The request line does not end in an HTTP version (RFC 9112 2.3): send HTTP/1.1"
            )
        raise HttpError(505, "Only HTTP/1.0 and HTTP/1.1 are spoken here (RFC 9110 15.6.6)", close=True)
    if raw_method == b"CONNECT":
        raise HttpError(501, "CONNECT asks for a proxy (RFC 9110 9.3.6), and this server is none", close=True)
    raise HttpError(
        501, "The method is not known here (RFC 9110 9.1): methods are case-sensitive", close=True
    )


def check_lines(block: bytes, first: int = 0) -> int:
    """Check every complete line of a request header, in order; raise HttpError for the first bad one.

    `first` is the number of lines before `block` that were checked already (0: it begins with the request
    line). Returns the number of bytes that were checked. What follows the last LF is not looked at.
    """
    number, start = first, 0
    while (end := block.find(b"\n", start)) >= 0:
        line = block[start:end]
        if not line.endswith(b"\r"):
            raise bad_request("A header line ends in LF without CR (RFC 9112 2.2): end lines with CRLF")
        line = line[:-1]
        if b"\r" in line:
            raise bad_request("A header line has a CR that ends no line (RFC 9112 2.2): leave it out")
        if line.translate(None, VALUE_OCTETS):
            raise bad_request("The header has a NUL or control character (RFC 9110 5.5): leave it out")
        if number == 0:
            parse_request_line(line)
        elif line:
            check_field_line(line)
            if number > MAX_FIELDS:
                raise too_many_fields()
        number, start = number + 1, end + 1
    return start


def check_field_line(line: bytes) -> tuple[bytes, bytes]:
    """Split a field line, without its CRLF, into name and value (RFC 9112 5). Raises HttpError 400."""
    if line.startswith((b" ", b"\t")):
        raise bad_request(
            "A header line begins with a blank: folded lines are obsolete (RFC 9112 5.2), send one line"
        )
    name, colon, value = line.partition(b":")
    if not colon:
        raise bad_request("A header line has no colon (RFC 9112 5): send Name: value")
    if not _TOKEN.fullmatch(name):
        if name.endswith((b" ", b"\t")):
            raise bad_request(
                "There is a blank between a header name and its colon (RFC 9112 5.1): leave it out"
            )
        raise bad_request("A header name is not a token (RFC 9110 5.1): use letters, digits and hyphens")
    return name, value.strip(b" \t")


def too_many_fields() -> HttpError:
    """431 for a header section, or a trailer section, of more than MAX_FIELDS lines."""
    return HttpError(
        431, f"There are more than {MAX_FIELDS} header fields (RFC 6585 5): send fewer", close=True
    )
