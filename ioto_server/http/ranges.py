"""Byte ranges: which parts of a representation are asked for, and multipart/byteranges (RFC 9110 14)."""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_RANGES = 64
"""Most ranges of one request, once those that touch are joined; with more, the field is ignored (14.2)."""

_RANGES = re.compile(r"(?i:bytes)=([0-9, \t-]++)")
_RANGE = re.compile(r"([0-9]*+)-([0-9]*+)")


class Range(NamedTuple):
    """A part of a representation: its first byte and how many."""

    offset: int
    length: int


def parse_ranges(field: str, size: int) -> list[Range] | None:
    """The parts of a representation of `size` bytes that a Range field asks for, ascending and joined.

    An empty list: none of them can be satisfied (416). None: the field is to be ignored, since its unit is
    unknown, it is malformed, or it asks for more parts than make sense (14.2).
    """
    match = _RANGES.fullmatch(field)
    if match is None:
        return None
    found: list[Range] = []
    members = [member for part in match[1].split(",") if (member := part.strip(" \t"))]
    if not members:
        return None
    for member in members:
        bounds = _RANGE.fullmatch(member)
        if bounds is None or member == "-":
            return None
        first, last = bounds.groups()
        if not first:
            length = min(_number(last), size)
            if length:
                found.append(Range(size - length, length))
            elif _number(last):
                # 14.1.2: the last bytes of an empty file are a range that no Content-Range can express.
                return None
            continue
        if last and _number(last) < _number(first):
            return None
        if _number(first) < size:
            end = min(_number(last) + 1, size) if last else size
            found.append(Range(_number(first), end - _number(first)))
    joined = _join(found)
    return joined if len(joined) <= MAX_RANGES else None


def _number(digits: str) -> int:
    # No file is that large: the exact value of a longer number means nothing.
    return int(digits) if len(digits) <= 19 else 10**19


def _join(ranges: list[Range]) -> list[Range]:
    """Ascending, with those that overlap or touch made one (15.3.7.2): never more bytes than the file has."""
    joined: list[Range] = []
    for offset, length in sorted(ranges):
        if joined and offset <= joined[-1].offset + joined[-1].length:
            start = joined[-1].offset
            joined[-1] = Range(start, max(joined[-1].length, offset + length - start))
        else:
            joined.append(Range(offset, length))
    return joined


def content_range(part: Range | None, size: int) -> str:
    """The Content-Range of a part, or of an answer 416 without one (14.4)."""
    if part is None:
        return f"bytes */{size}"
    return f"bytes {part.offset}-{part.offset + part.length - 1}/{size}"


def multipart(ranges: list[Range], size: int, content_type: str, boundary: str) -> list[bytes | Range]:
    """The body of a multipart/byteranges answer: the text between the parts, and the parts (14.6)."""
    body: list[bytes | Range] = []
    for part in ranges:
        fields = f"Content-Type: {content_type}\r\nContent-Range: {content_range(part, size)}\r\n"
        body += [f"\r\n--{boundary}\r\n{fields}\r\n".encode("latin-1"), part]
    body.append(f"\r\n--{boundary}--\r\n".encode("ascii"))
    return body
