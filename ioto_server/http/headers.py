"""Header fields: a case-insensitive multi-map that is cheap to build from a parsed request (RFC 9110 5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

# RFC 9110 5.6.2: token = 1*tchar. Possessive, so that a long name cannot make the match slow.
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++")
# RFC 9110 5.5: field-value is VCHAR, obs-text, SP and HTAB. Everything else could end a line or a string.
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*+")

# Spelled as their RFCs spell them; every other name is written Like-This.
_SPELLED_NAMES = """
    Accept Accept-Encoding Accept-Language Accept-Ranges Access-Control-Request-Headers
    Access-Control-Request-Method Age Allow Authorization Cache-Control Connection Content-Encoding
    Content-Length Content-Range Content-Type Cookie Date DNT ETag Expect Forwarded Host If-Match
    If-Modified-Since If-None-Match If-Range If-Unmodified-Since Keep-Alive Last-Modified Location Origin
    Pragma Priority Range Referer Sec-CH-UA Sec-CH-UA-Mobile Sec-CH-UA-Platform Sec-Fetch-Dest Sec-Fetch-Mode
    Sec-Fetch-Site Sec-Fetch-User Sec-GPC Sec-WebSocket-Accept Sec-WebSocket-Extensions Sec-WebSocket-Key
    Sec-WebSocket-Protocol Sec-WebSocket-Version Server Set-Cookie TE Trailer Transfer-Encoding Upgrade
    Upgrade-Insecure-Requests User-Agent Vary Via WWW-Authenticate X-Forwarded-For X-Forwarded-Host
    X-Forwarded-Proto X-Inactivity-Timeout X-Request-Timeout X-Requested-With
"""
_SPELLINGS = {name.lower(): name for name in _SPELLED_NAMES.split()}


def spelled(name: str) -> str:
    """The usual spelling of a lower-case field name: `etag` is `ETag`, `x-mine` is `X-Mine`."""
    known = _SPELLINGS.get(name)
    return known if known is not None else name.title()


class _FieldNames(dict[bytes, str]):
    """Raw field name to its lower-case form; a name outside the table is checked and converted each time.

    The table is fixed, so that names invented by a peer never grow it.
    """

    def __missing__(self, raw: bytes) -> str:
        name = raw.decode("latin-1")
        if not TOKEN.fullmatch(name):
            raise ValueError(f"field name {name!r} is not a token")
        return name.lower()


FIELD_NAMES = _FieldNames()
for _name in _SPELLINGS.values():
    FIELD_NAMES[_name.encode()] = FIELD_NAMES[_name.lower().encode()] = _name.lower()


class Headers:
    """An ordered, case-insensitive multi-map of header fields, which never changes.

    Values are `str`; bytes over 0x7F appear as the Latin-1 characters of the same number (RFC 9110 5.5).
    Fields with one name keep their order; names keep the order in which each first appeared.
    """

    __slots__ = ("_fields",)

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        """Copy `pairs`. Raises ValueError for what cannot be sent (RFC 9110 5.1, 5.5)."""
        self._fields: dict[str, list[str]] = {}
        for name, value in pairs:
            check_field(name, value)
            self._fields.setdefault(name.lower(), []).append(value)

    @staticmethod
    def of_fields(fields: dict[str, list[str]]) -> Headers:
        """Take over `fields`: lower-case names, each with checked values. For the parser; copies nothing."""
        return _of_fields(fields)

    def replacing(self, name: str, value: str) -> Headers:
        """The same fields, with another value of the one named `name` (lower case), checked before."""
        return _of_fields({**self._fields, name: [value]})

    def get(self, name: str, default: str | None = None) -> str | None:
        """The combined value of a field, or `default` (RFC 9110 5.2).

        Several lines of one name are joined by a comma and a blank; Cookie lines by `; ` (RFC 6265 5.4).
        """
        values = self._fields.get(name)
        if values is None:
            values = self._fields.get(name.lower())
            if values is None:
                return default
        if len(values) == 1:
            return values[0]
        return ("; " if name.lower() == "cookie" else ", ").join(values)

    def get_all(self, name: str) -> list[str]:
        """The value of each line of a field, in order; an empty list without any."""
        values = self._fields.get(name.lower())
        return [] if values is None else list(values)

    def has_any(self, names: frozenset[str]) -> bool:
        """Whether one of `names`, in lower case, is there."""
        return not names.isdisjoint(self._fields)

    def items(self) -> Iterator[tuple[str, str]]:
        """Each line as (usual spelling, value)."""
        for name, values in self._fields.items():
            spelling = spelled(name)
            for value in values:
                yield spelling, value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._fields

    def __len__(self) -> int:
        return sum(map(len, self._fields.values()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._fields == other._fields

    __hash__ = None  # type: ignore[assignment]  # equal by content, and nobody's key

    def __repr__(self) -> str:
        return f"Headers({list(self.items())!r})"


def _of_fields(fields: dict[str, list[str]]) -> Headers:
    headers = Headers.__new__(Headers)
    headers._fields = fields
    return headers


def check_field(name: str, value: str) -> None:
    """Raise ValueError unless the field can be written on one line and read back (RFC 9110 5.1, 5.5).

    The check that makes response splitting impossible: no CR, LF, NUL or other control character passes.
    """
    if not TOKEN.fullmatch(name):
        raise ValueError(f"header name {name!r} is not a token: use letters, digits and hyphens")
    if not (value.isascii() and value.isprintable()) and not _VALUE.fullmatch(value):
        raise ValueError(
            f"the value of header {name} has a control or non-Latin-1 character: {value!r}; encode it"
        )


def members(values: Sequence[str]) -> list[str]:
    """The members of a comma-separated list of tokens over all its lines, lower-case (RFC 9110 5.6.1).

    For lists whose members hold no quoted string (Connection, Upgrade, Transfer-Encoding, Expect). Empty
    members are dropped, as the clause asks of a recipient.
    """
    value = values[0] if len(values) == 1 else ",".join(values)
    return list(_split(value) if len(value) <= 64 else _split.__wrapped__(value))


@lru_cache(maxsize=256)
def _split(value: str) -> tuple[str, ...]:
    return tuple(member for part in value.lower().split(",") if (member := part.strip(" \t")))
