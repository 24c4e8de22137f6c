"""The kinds of values that directives have: one name for each, used as the type of fields in the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from ioto_server.config import broker, readers, readers_http, values
from ioto_server.config.endpoint import ENDPOINT_ALLOWED, Endpoint
from ioto_server.config.grammar import Grammar, Place
from ioto_server.config.nearest import nearest
from ioto_server.config.readers import SITE, is_site
from ioto_server.config.values import WrongValue

__all__ = ["SITE", "is_site"]

_STRING = {"type": "string"}
_NO_EXPONENT = r"^\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*"
_SIZE_SCHEMA = {
    "anyOf": [
        {"type": "number", "minimum": 0},
        {
            "type": "string",
            "pattern": _NO_EXPONENT + r"([Bb]|[Bb][Yy][Tt][Ee][Ss]?|[KkMmGg][Bb]?)?\s*$|^[A-Za-z]+$",
        },
    ]
}
_TIME_SCHEMA = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": _NO_EXPONENT + r"[A-Za-z]*\s*$|^[A-Za-z]+$"},
    ]
}
_COUNT_SCHEMA = {
    "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^\s*[0-9]+\s*$|^[A-Za-z]+$"}]
}
_PATH_ALLOWED = "a path; a relative one starts at the folder of the file"
_DOCUMENTS_ALLOWED = "a path, or '@site' for the packaged site"
_LOCATION_ALLOWED = "a path beginning with '/', or a URL"


def _same(value: Any) -> Any:
    """Show a value that JSON5 has too."""
    return value


def _grammar(
    allowed: str,
    parse: Callable[[Any, Place], Any],
    schema: Mapping[str, Any] = _STRING,
    show: Callable[[Any], Any] = str,
) -> Grammar:
    return Grammar(allowed, parse, schema, show)


def _optional(grammar: Grammar) -> Grammar:
    """The same kind of value, or null for "not set"."""
    return Grammar(
        grammar.allowed,
        lambda value, place: None if value is None else grammar.parse(value, place),
        {"anyOf": [grammar.schema, {"type": "null"}]},
        lambda value: None if value is None else grammar.show(value),
    )


def _choice(*names: str) -> Grammar:
    """One of some words."""
    shown = [f"'{name}'" for name in names]
    allowed = f"{', '.join(shown[:-1])} or {shown[-1]}"

    def parse(value: object, place: Place) -> str:
        if isinstance(value, str) and value in names:
            return value
        meant = nearest(value, names) if isinstance(value, str) else None
        raise WrongValue(f"is not {allowed}", f"did you mean '{meant}'?" if meant else None)

    return Grammar(allowed, parse, {"enum": list(names)}, _same)


def whole(least: int, most: int) -> Grammar:
    """A whole number between two bounds."""
    allowed = f"a whole number from {least} to {most}"

    def parse(value: object, place: Place) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise WrongValue(f"is not {allowed}")
        return value

    return Grammar(allowed, parse, {"type": "integer", "minimum": least, "maximum": most}, _same)


_size = _grammar(values.SIZE_ALLOWED, lambda v, _: values.parse_size(v), _SIZE_SCHEMA, values.show_size)
_size_or_zero = _grammar(
    values.SIZE_ALLOWED + "; 0 is allowed",
    lambda v, _: values.parse_size(v, least=0),
    _SIZE_SCHEMA,
    values.show_size,
)
_count = _grammar(values.COUNT_ALLOWED, lambda v, _: values.parse_count(v), _COUNT_SCHEMA, values.show_count)
_duration = _grammar(
    values.TIME_ALLOWED, lambda v, _: values.parse_duration(v), _TIME_SCHEMA, values.show_duration
)
_file = _grammar(_PATH_ALLOWED, readers.path)
_documents = _grammar(_DOCUMENTS_ALLOWED, readers.documents, show=readers.show_documents)
_location = _grammar(_LOCATION_ALLOWED, readers_http.location)
_url_path = _grammar(
    "a path beginning with '/'", readers_http.url_path, {"type": "string", "pattern": "^/[^?#]*$"}
)
_cache = _grammar(
    "how long browsers may keep it ('1 day', 'forever'), false for not at all, or a Cache-Control text",
    readers_http.cache,
    {"type": ["number", "string", "boolean"]},
    _same,
)

Size = Annotated[int, _size]
SizeOrZero = Annotated[int, _size_or_zero]
Count = Annotated[int, _count]
Duration = Annotated[float, _duration]
OptionalDuration = Annotated[float | None, _optional(_duration)]
Flag = Annotated[bool, _grammar("true or false", readers.flag, {"type": "boolean"}, _same)]

File = Annotated[Path, _file]
OptionalFile = Annotated[Path | None, _optional(_file)]
Documents = Annotated[Path, _documents]
OptionalDocuments = Annotated[Path | None, _optional(_documents)]
FileName = Annotated[str, _grammar("the name of a file, without a folder", readers.file_name)]
Control = Annotated[Path, _grammar("the path of a unix socket", readers.control)]
LogPath = Annotated[
    Path | Literal["stdout", "stderr"],
    _grammar("'stdout', 'stderr' or the path of a file", readers.log_path),
]
LogLevel = Annotated[
    Literal["error", "warning", "info", "debug"], _choice("error", "warning", "info", "debug")
]
LogFormat = Annotated[Literal["auto", "json", "console"], _choice("auto", "json", "console")]
LogShow = Annotated[
    str,
    _grammar(
        "letters of H, h, B and b, such as 'Hh'", readers.log_show, {"type": "string", "pattern": "^[HhBb]*$"}
    ),
]
Ciphers = Annotated[
    str | None,
    _optional(_grammar("an OpenSSL cipher list", readers.ciphers, {"type": ["string", "array"]}, _same)),
]
Workers = Annotated[
    int | Literal["auto"],
    _grammar(
        "a number of processes from 1 to 1024, or 'auto'",
        readers.workers,
        {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 1024}, {"const": "auto"}]},
        _same,
    ),
]

Listen = Annotated[
    Endpoint,
    _grammar(
        ENDPOINT_ALLOWED,
        readers.endpoint,
        {"type": "string", "pattern": "^([Hh][Tt][Tt][Pp][Ss]?://|unix:.)"},
    ),
]
HostName = Annotated[
    str | None, _optional(_grammar("a host name such as 'device.example.com'", readers.host_name))
]
Address = Annotated[
    IPv4Network | IPv6Network | Literal["unix"],
    _grammar(
        "an IP address, a network such as '10.0.0.0/8', or 'unix' for unix sockets",
        readers_http.address,
        show=readers_http.show_address,
    ),
]
Broker = Annotated[
    broker.Broker | None, _optional(_grammar("a URL such as 'redis://localhost:6379'", readers_http.broker))
]

Match = Annotated[
    str,
    _grammar(
        "a path: '/x/' for everything below, '/x' for that path alone, '' for every path",
        readers_http.match,
        {"type": "string", "pattern": "^(/[^?#]*)?$"},
    ),
]
Source = Annotated[
    str,
    _grammar(
        "a path, as the match of a route, or 'http://' or 'https://' in front of one, with a host or without",
        readers_http.source,
        {"type": "string", "pattern": "^([Hh][Tt][Tt][Pp][Ss]?://[^/?#]*)?(/[^?#]*)?$"},
    ),
]
UrlPath = Annotated[str, _url_path]
OptionalUrlPath = Annotated[str | None, _optional(_url_path)]
Location = Annotated[str, _location]
OptionalLocation = Annotated[str | None, _optional(_location)]
Method = Annotated[
    str,
    _grammar(
        ", ".join(readers_http.METHODS), readers_http.method, {"enum": list(readers_http.METHODS)}, _same
    ),
]
Handler = Annotated[Literal["file", "action"], _choice("file", "action")]
Status = Annotated[
    int,
    _grammar(
        "301, 302, 303, 307 or 308", readers_http.status, {"enum": list(readers_http.REDIRECT_STATUS)}, _same
    ),
]
Cache = Annotated[str | None, _optional(_cache)]
Role = Annotated[str | None, _optional(_grammar("'public'", readers_http.role, {"const": "public"}))]
HeaderName = Annotated[str, _grammar("a header name", readers_http.header_name)]
HeaderValue = Annotated[str, _grammar("one line of ASCII", readers_http.header_value)]
Extension = Annotated[str, _grammar("a file extension such as '.html'", readers_http.extension)]
MimeType = Annotated[str, _grammar("a media type such as 'text/html'", readers_http.mime_type)]
Protocol = Annotated[str, _grammar("a sub-protocol name such as 'chat'", readers_http.protocol)]
Origin = Annotated[
    str,
    _grammar(
        "a host ('example.com'), an origin ('https://example.com') or a pattern ('*.example.com')",
        readers_http.origin,
    ),
]
