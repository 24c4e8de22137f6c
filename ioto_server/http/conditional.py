"""Conditional requests: validators and preconditions, in the order RFC 9110 13.2.2 demands."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from ioto_server.http.dates import parse_http_date
from ioto_server.http.errors import HttpError
from ioto_server.http.headers import Headers

CONDITIONS = frozenset(("if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "range"))
"""The fields, in lower case, without any of which a request asks for the whole, unconditionally."""

_ENTITY_TAG = r'(?:W/)?"[!#-~\x80-\xff]*+"'
_ONE_TAG = re.compile(_ENTITY_TAG)
_TAG_LIST = re.compile(rf"[ \t,]*+(?>(?:{_ENTITY_TAG}(?:[ \t]*+,[ \t,]*+|[ \t]*+\Z))+)")


class Validators(NamedTuple):
    """What tells one state of a representation from another (RFC 9110 8.8).

    etag      a strong entity tag with its quotes
    modified  seconds since the epoch, with fractions
    """

    etag: str
    modified: float


def check_preconditions(
    method: str, headers: Headers, current: Validators | None, now: float
) -> Literal["perform", "not modified"]:
    """Whether to perform a request on a target whose state is `current` (None: it does not exist).

    Raises HttpError 412 where a precondition fails. If-Range is not looked at: `range_holds` is for that.
    """
    if_match = headers.get("If-Match")
    if if_match is not None:
        if not _matches(if_match, current, strong=True):
            raise _failed("If-Match names no current state of the file (RFC 9110 13.1.1): fetch it again")
    else:
        since = _date(headers, "If-Unmodified-Since", now)
        if since is not None and (current is None or int(current.modified) > since):
            raise _failed("The file changed after If-Unmodified-Since (RFC 9110 13.1.4): fetch it again")
    reading = method in ("GET", "HEAD")
    if_none_match = headers.get("If-None-Match")
    if if_none_match is not None:
        if _matches(if_none_match, current, strong=False):
            if reading:
                return "not modified"
            raise _failed("If-None-Match names the current state of the file (RFC 9110 13.1.2): it exists")
    elif reading and current is not None:
        since = _date(headers, "If-Modified-Since", now)
        if since is not None and int(current.modified) <= since:
            return "not modified"
    return "perform"


def range_holds(headers: Headers, current: Validators, now: float) -> bool:
    """Whether If-Range, if there is one, allows a part to be sent (RFC 9110 13.1.5)."""
    condition = headers.get("If-Range")
    if condition is None:
        return True
    if _ONE_TAG.fullmatch(condition):
        return condition == current.etag
    # 13.1.5 wants the exact date, and a strong one: 8.8.2.2 says that of a second that is over.
    modified = int(current.modified)
    return parse_http_date(condition, now) == modified and modified + 1 <= now


def _matches(field: str, current: Validators | None, *, strong: bool) -> bool:
    if current is None:
        return False
    if field.strip(" \t") == "*":
        return True
    # A list that is malformed names nothing.
    if not _TAG_LIST.fullmatch(field):
        return False
    tags = _ONE_TAG.findall(field)
    # RFC 9110 8.8.3.2: a weak tag equals none in the strong comparison; ours are strong.
    return current.etag in tags or (not strong and f"W/{current.etag}" in tags)


def _date(headers: Headers, name: str, now: float) -> int | None:
    """The date in a field; one that is malformed, or a list, is ignored (RFC 9110 13.1.3, 13.1.4)."""
    value = headers.get(name)
    return None if value is None else parse_http_date(value, now)


def _failed(text: str) -> HttpError:
    return HttpError(412, text)
