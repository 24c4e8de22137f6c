"""The request target: its four forms, the path decoded once (RFC 9112 3.2, RFC 3986)."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from ioto_server.http.errors import bad_request

PATH_SAFE = "/!$&'()*+,;=:@~"
"""What a path may hold unencoded, beyond what `quote` always leaves (RFC 3986 3.3)."""


class Target(NamedTuple):
    """A parsed request target; `authority` is None unless the target itself names one (absolute-form)."""

    raw: str
    path: str
    query: str
    authority: str | None


# Visible ASCII without `#` (a target has no fragment) and `"<>`, which no URI holds and no browser sends raw.
# The rest of what RFC 3986 leaves out (`[]^`{|}` and, in queries, a backslash) browsers do send.
_VISIBLE = re.compile(rb"[!$-;=?-~]*+")
_ABSOLUTE = re.compile(r"(?i:https?)://([^/?]*+)([^?]*+)(?:\?(.*+))?")
# Host = uri-host [ ":" port ]. Of reg-name only what a DNS or local name can have: the rest names nothing.
_HOST = re.compile(r"(?:[A-Za-z0-9._~-]{1,255}|\[([0-9A-Fa-f:.]{2,45})\])(?::([0-9]{0,5}))?")
_MAX_HOST = 255 + len(":65535")  # RFC 1035 2.3.4
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# %2F and %5C would become separators, %00-%1F and %7F control characters, only after the path was cut up.
_BAD_OCTET = re.compile(r"%(?:2[fF]|5[cC]|[01][0-9A-Fa-f]|7[fF])")


def parse_target(method: str, target: bytes) -> Target:
    """Parse the request target of any method but CONNECT. Raises HttpError 400."""
    if target.startswith(b"/"):
        end = target.find(b"?")
        before = target if end < 0 else target[:end]
        plain = _remembered(before) if len(before) <= _REMEMBERED else _origin_form(before)
        if end < 0:
            return plain
        raw = _visible(target)
        return Target(raw, plain.path, raw[end + 1 :], None)
    raw = _visible(target)
    if raw == "*":
        if method != "OPTIONS":
            raise bad_request("The request target * is for OPTIONS alone (RFC 9112 3.2.4): send a path")
        return Target(raw, "*", "", None)
    absolute = _ABSOLUTE.fullmatch(raw)
    if absolute is None:
        raise bad_request(
            "The request target is neither a path nor an http URI (RFC 9112 3.2): begin it with / or http://"
        )
    authority, path, query = absolute.groups()
    check_host(authority, "the request target")
    # RFC 9112 3.2.4: OPTIONS for an absolute URI without a path means the server as a whole.
    path = "*" if method == "OPTIONS" and not path and query is None else decode_path(path or "/")
    return Target(raw, path, query or "", authority)


def decode_path(raw: str) -> str:
    """Decode percent-encodings once, as UTF-8, and remove dot segments (RFC 3986 2.1, 5.2.4).

    `raw` begins with `/`. Raises HttpError 400 for encodings that are broken, that are not UTF-8 (overlong
    forms and surrogates too), that hide a separator or a control character, for a backslash, and for `..`
    that climbs above the root, which no client sends by itself.
    """
    if _BAD_PERCENT.search(raw):
        raise bad_request(
            "A % in the path is not followed by two hex digits (RFC 3986 2.1): write %25 for it"
        )
    if "\\" in raw or _BAD_OCTET.search(raw):
        raise bad_request("The path has a backslash, %2F, %5C or an encoded control character: leave it out")
    try:
        path = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise bad_request("The percent-encoded path is not UTF-8 (RFC 3629 3): encode it as UTF-8") from None
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            if not kept:
                raise bad_request(
                    "The path climbs above the root by a .. segment: send the path it resolves to"
                )
            kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _origin_form(path: bytes) -> Target:
    raw = _visible(path)
    return Target(raw, decode_path(raw), "", None)


# A site has few paths, and they are asked for again and again. Queries are not kept: they may hold secrets.
_REMEMBERED = 256
_remembered = lru_cache(maxsize=1024)(_origin_form)


def _visible(part: bytes) -> str:
    if not _VISIBLE.fullmatch(part):
        raise bad_request(
            "The request target has a character that no URI holds (RFC 9112 3.2): percent-encode it"
        )
    return part.decode("ascii")


def check_host(host: str, where: str) -> None:
    """Raise HttpError 400 unless `host` is a name or an address (IPv6 in brackets) with or without a port.

    RFC 9110 7.2. `where` names its place in the error text.
    """
    if len(host) > _MAX_HOST or not _is_host(host):
        raise bad_request(
            f"The host in {where} is malformed (RFC 9110 7.2): send a name or address and a port"
        )


@lru_cache(maxsize=256)
def _is_host(host: str) -> bool:
    match = _HOST.fullmatch(host)
    if match is None or int(match[2] or 0) > 65535:
        return False
    if match[1] is not None:
        try:
            IPv6Address(match[1])
        except ValueError:
            return False
    return True
