"""The kinds of values that directives have: one name for each, used as the type of fields in the model."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from ioto_server.config.endpoint import ENDPOINT_ALLOWED, Endpoint, check_host, parse_endpoint
from ioto_server.config.grammar import Grammar, Place
from ioto_server.config.nearest import nearest
from ioto_server.config.values import (
    COUNT_ALLOWED,
    SIZE_ALLOWED,
    TIME_ALLOWED,
    WrongValue,
    parse_count,
    parse_duration,
    parse_size,
    show_count,
    show_duration,
    show_size,
)

SITE = Path(__file__).resolve().parent.parent / "site"

_NUMBER_OR_STRING = {"type": ["number", "string"]}
_STRING = {"type": "string"}

# RFC 9110 5.6.2.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_MIME = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(\s*;\s*[\w.-]+=(\"[^\"]*\"|[\w.+-]+))*", re.ASCII)
_EXTENSION = re.compile(r"\.?[\w+-]+(\.[\w+-]+)*", re.ASCII)
_ORIGIN = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://)?(?:\[[0-9a-f:.]+\]|[a-z0-9*?_.-]+)(?::(?:[0-9]{1,5}|\*))?",
    re.ASCII | re.IGNORECASE,
)
# The server frames the answer itself; a second opinion in these fields would break it (RFC 9112 6, RFC 6455 4.2.2).
_FRAMING = {"connection", "content-length", "date", "keep-alive", "transfer-encoding", "trailer", "upgrade"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
REDIRECT_STATUS = (301, 302, 303, 307, 308)


def text_of(value: object, noun: str) -> str:
    """Return a one-line string that is not empty, or raise `WrongValue`."""
    if not isinstance(value, str):
        raise WrongValue(
            f"is not {noun}", f"write it in quotes: '{value}'" if isinstance(value, int | float) else None
        )
    if value == "":
        raise WrongValue("is empty", f"write {noun}, or take the directive out")
    if any(character < " " or character == "\x7f" for character in value):
        raise WrongValue("holds a control character (a line end, a tab or NUL)", "take it out")
    return value


def same(value: Any) -> Any:
    """Show a value that JSON5 has too."""
    return value


def choice(*names: str) -> Grammar:
    """One of some words."""
    allowed = " or ".join((", ".join(f"'{name}'" for name in names[:-1]), f"'{names[-1]}'"))

    def parse(value: object, place: Place) -> str:
        if isinstance(value, str) and value in names:
            return value
        meant = nearest(str(value), names) if isinstance(value, str) else None
        raise WrongValue(
            "is not one of its values", f"did you mean '{meant}'? Allowed: {allowed}" if meant else None
        )

    return Grammar(allowed, parse, {"enum": list(names)}, same)


def whole(least: int, most: int) -> Grammar:
    """A whole number between two bounds."""

    def parse(value: object, place: Place) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise WrongValue(f"is not a whole number from {least} to {most}")
        return value

    allowed = f"a whole number from {least} to {most}"
    return Grammar(allowed, parse, {"type": "integer", "minimum": least, "maximum": most}, same)


def _flag(value: object, place: Place) -> bool:
    if isinstance(value, bool):
        return value
    meant = {
        "yes": True,
        "on": True,
        "true": True,
        "1": True,
        "no": False,
        "off": False,
        "false": False,
        "0": False,
    }
    guess = meant.get(str(value).strip().lower())
    raise WrongValue(
        "is not true or false", None if guess is None else f"write {str(guess).lower()}, without quotes"
    )


def _optional_duration(value: object, place: Place) -> float | None:
    return None if value is None else parse_duration(value)


def _path(value: object, place: Place) -> Path:
    if isinstance(value, Path):
        return place.base / value
    return place.absolute(text_of(value, "a path"))


def _documents(value: object, place: Place) -> Path:
    if isinstance(value, str) and value.startswith("@"):
        if value != "@site":
            raise WrongValue("is no packaged folder", "the packaged site is '@site'")
        return SITE
    return _path(value, place)


def _control(value: object, place: Place) -> Path:
    variable = "$RUNTIME_DIRECTORY/"
    if isinstance(value, str) and value.startswith(variable):
        # systemd lists several folders with colons between them; the first is the service's own (systemd.exec(5)).
        folder = place.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
        return place.absolute((folder or "run") + "/" + value.removeprefix(variable))
    return _path(value, place)


def _log_path(value: object, place: Place) -> Path | str:
    return value if isinstance(value, str) and value in ("stdout", "stderr") else _path(value, place)


def _host_name(value: object, place: Place) -> str | None:
    if value is None:
        return None
    text = text_of(value, "a host name")
    match = re.fullmatch(r"(\[[^\]]*\]|[^:/]+)(:[0-9]{1,5})?", text)
    if match is None:
        raise WrongValue("is not a host name", "write the name alone, such as 'device.example.com'")
    host = check_host(match[1])
    return (f"[{host}]" if ":" in host else host) + (match[2] or "")


def _file_name(value: object, place: Place) -> str:
    text = text_of(value, "a file name")
    if "/" in text or "\\" in text or text in (".", ".."):
        raise WrongValue("is not a file name", "write the name alone, such as 'index.html'")
    return text


def _endpoint(value: object, place: Place) -> Endpoint:
    return parse_endpoint(value, place.base)


def _match(value: object, place: Place) -> str:
    if value == "":
        return ""
    text = text_of(value, "a path")
    if not text.startswith("/"):
        raise WrongValue("does not begin with '/'", f"write '/{text}'")
    if "?" in text or "#" in text:
        raise WrongValue(
            "has a query or a fragment", f"routes see the path alone: write '{re.split('[?#]', text)[0]}'"
        )
    return text


def _optional_match(value: object, place: Place) -> str | None:
    return None if value is None else _match(value, place)


def _method(value: object, place: Place) -> str:
    if isinstance(value, str) and value in METHODS:
        return value
    guess = nearest(value.upper(), METHODS) if isinstance(value, str) else None
    raise WrongValue("is not a method", f"write '{guess}'" if guess else None)


def _location(value: object, place: Place) -> str:
    text = text_of(value, "a path or a URL")
    if not text.isascii() or " " in text:
        raise WrongValue("has a blank or a letter outside ASCII", "write it percent-encoded, a blank as %20")
    if not re.match(r"/|https?://[^/]", text):
        raise WrongValue("is not a path or a URL", f"write '/{text}' or 'https://{text}'")
    return text


def _optional_location(value: object, place: Place) -> str | None:
    return None if value is None else _location(value, place)


def _status(value: object, place: Place) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value not in REDIRECT_STATUS:
        raise WrongValue("is not a redirect status")
    return value


def _cache(value: object, place: Place) -> str | None:
    if value is None:
        return None
    if value is False:
        return "no-store"
    if isinstance(value, str) and re.search(r"[a-z]-[a-z]|^(public|private|immutable)\b|=", value):
        return text_of(value, "a Cache-Control text")
    if value == "never":
        raise WrongValue("is ambiguous here", "write false to forbid caching, or 'forever'")
    seconds = parse_duration(value)
    return (
        "public, max-age=31536000, immutable"
        if seconds == math.inf
        else f"public, max-age={math.ceil(seconds)}"
    )


def _role(value: object, place: Place) -> str | None:
    if value is None or value == "public":
        return None if value is None else "public"
    raise WrongValue(
        "is a role, and this version has no authentication: the route would be open to everybody",
        "take the route out, or write 'public' if everybody may have it",
    )


def _header_name(value: object, place: Place) -> str:
    text = text_of(value, "a header name")
    if not _TOKEN.fullmatch(text):
        raise WrongValue(
            "is not a header name", "letters, digits and - are allowed, such as 'X-Frame-Options'"
        )
    if text.lower() in _FRAMING or text.lower().startswith("sec-websocket-"):
        raise WrongValue("is a header that the server sets itself", "take it out")
    return text


def _header_value(value: object, place: Place) -> str:
    text = text_of(value, "a header value")
    if not text.isascii():
        raise WrongValue("has a letter outside ASCII", "write ASCII only")
    return text.strip()


def _extension(value: object, place: Place) -> str:
    text = text_of(value, "a file extension")
    if not _EXTENSION.fullmatch(text):
        raise WrongValue("is not a file extension", "write it like '.html'")
    return "." + text.lower().lstrip(".")


def _mime_type(value: object, place: Place) -> str:
    text = text_of(value, "a media type")
    if not _MIME.fullmatch(text):
        raise WrongValue("is not a media type", "write it like 'text/html' or 'text/html; charset=utf-8'")
    return text


def _token(value: object, place: Place) -> str:
    text = text_of(value, "a sub-protocol name")
    if "," in text:
        names = ", ".join(f"'{name.strip()}'" for name in text.split(","))
        raise WrongValue("holds several names", f"write a list: [{names}]")
    if not _TOKEN.fullmatch(text):
        raise WrongValue(
            "is not a sub-protocol name", "letters, digits, '-', '.' and '_' are allowed, no blanks"
        )
    return text


def _origin(value: object, place: Place) -> str:
    text = text_of(value, "an origin")
    if not _ORIGIN.fullmatch(text):
        host = re.sub(r"^([a-z]+://[^/]+)/.*$", r"\1", text)
        raise WrongValue(
            "is not an origin", f"an origin has no path: write '{host}'" if host != text else None
        )
    return text.lower()


def _address(value: object, place: Place) -> ipaddress.IPv4Network | ipaddress.IPv6Network | str:
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return value
    text = text_of(value, "an address")
    if text == "unix":
        return text
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        if "host bits" in str(error):
            raise WrongValue(
                "has host bits set", f"write '{ipaddress.ip_network(text, strict=False)}'"
            ) from None
        raise WrongValue("is not an IP address or network") from None


def _show_address(value: ipaddress.IPv4Network | ipaddress.IPv6Network | str) -> str:
    if isinstance(value, str) or value.num_addresses > 1:
        return str(value)
    return str(value.network_address)


def _broker(value: object, place: Place) -> str | None:
    if value is None:
        return None
    text = text_of(value, "a URL")
    if not re.match(r"[a-z][a-z0-9+.-]*:.", text):
        raise WrongValue("is not a URL", "write it like 'redis://localhost:6379'")
    return text


def _show(value: object, place: Place) -> str:
    if not isinstance(value, str) or set(value) - set("HhBb"):
        raise WrongValue("is not made of the letters H, h, B and b")
    return value


def _ciphers(value: object, place: Place) -> str | None:
    if value is None:
        return None
    names = value if isinstance(value, list | tuple) else [value]
    return ":".join(text_of(name, "an OpenSSL cipher list") for name in names)


def _workers(value: object, place: Place) -> int | str:
    if value == "auto":
        return "auto"
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1024:
        raise WrongValue("is not a number of workers")
    return value


def _text(allowed: str, parse: Callable[[Any, Place], Any], *, null: bool = False) -> Grammar:
    """A kind that is a string in the file."""
    schema = {"type": ["string", "null"]} if null else _STRING
    return Grammar(allowed, parse, schema, (lambda value: None if value is None else str(value)))


Size = Annotated[
    int, Grammar(SIZE_ALLOWED, lambda value, place: parse_size(value), _NUMBER_OR_STRING, show_size)
]
SizeOrZero = Annotated[
    int,
    Grammar(
        SIZE_ALLOWED + "; 0 is allowed", lambda v, p: parse_size(v, least=0), _NUMBER_OR_STRING, show_size
    ),
]
Count = Annotated[
    int, Grammar(COUNT_ALLOWED, lambda value, place: parse_count(value), _NUMBER_OR_STRING, show_count)
]
Duration = Annotated[
    float, Grammar(TIME_ALLOWED, lambda value, place: parse_duration(value), _NUMBER_OR_STRING, show_duration)
]
OptionalDuration = Annotated[
    float | None,
    Grammar(
        TIME_ALLOWED,
        _optional_duration,
        {"type": ["number", "string", "null"]},
        lambda value: None if value is None else show_duration(value),
    ),
]
Flag = Annotated[bool, Grammar("true or false, without quotes", _flag, {"type": "boolean"}, same)]
File = Annotated[Path, _text("a path; a relative one starts at the folder of the file", _path)]
OptionalFile = Annotated[
    Path | None,
    _text(
        "a path; a relative one starts at the folder of the file",
        lambda value, place: None if value is None else _path(value, place),
        null=True,
    ),
]
Documents = Annotated[
    Path,
    Grammar("a path, or '@site' for the packaged site", _documents, _STRING, lambda p: show_documents(p)),
]
OptionalDocuments = Annotated[
    Path | None,
    Grammar(
        "a path, or '@site' for the packaged site",
        lambda value, place: None if value is None else _documents(value, place),
        {"type": ["string", "null"]},
        lambda path: None if path is None else show_documents(path),
    ),
]
Control = Annotated[Path, _text("the path of a unix socket", _control)]
LogPath = Annotated[
    Path | Literal["stdout", "stderr"], _text("'stdout', 'stderr' or the path of a file", _log_path)
]
HostName = Annotated[str | None, _text("a host name such as 'device.example.com'", _host_name, null=True)]
FileName = Annotated[str, _text("the name of a file, without a folder", _file_name)]
Listen = Annotated[Endpoint, _text(ENDPOINT_ALLOWED, _endpoint)]
Match = Annotated[str, _text("a path: ending in '/' = prefix, without = exact, '' = everything", _match)]
OptionalMatch = Annotated[str | None, _text("a path beginning with '/'", _optional_match, null=True)]
Method = Annotated[str, Grammar(", ".join(METHODS), _method, {"enum": list(METHODS)}, same)]
Location = Annotated[str, _text("a path beginning with '/', or a URL", _location)]
OptionalLocation = Annotated[
    str | None, _text("a path beginning with '/', or a URL", _optional_location, null=True)
]
Status = Annotated[int, Grammar("301, 302, 303, 307 or 308", _status, {"enum": list(REDIRECT_STATUS)}, same)]
Cache = Annotated[
    str | None,
    Grammar(
        "how long a browser may keep the answer ('1 day', 'forever'), false for not at all, or a Cache-Control text",
        _cache,
        {"type": ["number", "string", "boolean", "null"]},
        same,
    ),
]
Role = Annotated[str | None, Grammar("'public'", _role, {"enum": ["public", None]}, same)]
HeaderName = Annotated[str, _text("a header name", _header_name)]
HeaderValue = Annotated[str, _text("one line of ASCII", _header_value)]
Extension = Annotated[str, _text("a file extension such as '.html'", _extension)]
MimeType = Annotated[str, _text("a media type such as 'text/html'", _mime_type)]
Token = Annotated[str, _text("a sub-protocol name, a list of names, or null", _token)]
Origin = Annotated[
    str,
    _text(
        "a host ('app.example.com'), an origin ('https://app.example.com') or a pattern ('*.example.com')",
        _origin,
    ),
]
Address = Annotated[
    ipaddress.IPv4Network | ipaddress.IPv6Network | Literal["unix"],
    Grammar(
        "an IP address, a network such as '10.0.0.0/8', or 'unix' for unix sockets",
        _address,
        _STRING,
        _show_address,
    ),
]
Broker = Annotated[str | None, _text("a URL such as 'redis://localhost:6379'", _broker, null=True)]
Show = Annotated[str, _text("any of the letters H, h, B and b, such as 'Hh'", _show)]
Ciphers = Annotated[
    str | None, Grammar("an OpenSSL cipher list", _ciphers, {"type": ["string", "array", "null"]}, same)
]
Workers = Annotated[
    int | Literal["auto"],
    Grammar(
        "a number of processes from 1 to 1024, or 'auto'", _workers, {"type": ["integer", "string"]}, same
    ),
]
Level = Annotated[Literal["error", "warning", "info", "debug"], choice("error", "warning", "info", "debug")]
Format = Annotated[Literal["auto", "json", "console"], choice("auto", "json", "console")]
Handler = Annotated[Literal["file", "action"], choice("file", "action")]


def show_documents(path: Path) -> str:
    """Write a folder of documents the way the file does."""
    return "@site" if path == SITE else str(path)
