"""What reads the values that end up on the wire: paths, methods, headers, origins, addresses."""

from __future__ import annotations

import ipaddress
import math
import re
from posixpath import normpath
from urllib.parse import unquote

from ioto_server.config.broker import Broker, parse_broker
from ioto_server.config.grammar import Place
from ioto_server.config.nearest import nearest
from ioto_server.config.readers import text_of
from ioto_server.config.values import WrongValue, parse_duration

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
REDIRECT_STATUS = (301, 302, 303, 307, 308)

# RFC 9110 5.6.2.
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MIME = r"(?a)[\w!#$&^.+-]+/[\w!#$&^.+-]+(\s*;\s*[\w.-]+=(\"[^\"]*\"|[\w.+-]+))*"
_EXTENSION = r"(?a)\.?[\w+-]+(\.[\w+-]+)*"
_ORIGIN = r"(?ai)(?:[a-z][a-z0-9+.-]*://)?(?:\[[0-9a-f:.]+\]|[a-z0-9*_.-]+)(?::(?:[0-9]{1,5}|\*))?"
# The server frames the answer itself; a second opinion in these fields would break it
# (RFC 9112 6, RFC 6455 4.2.2).
_FRAMING = {"connection", "content-length", "date", "keep-alive", "transfer-encoding", "trailer", "upgrade"}


def match(value: object, place: Place) -> str:
    """The paths of a route or redirect (SPEC 8): '' for all."""
    if isinstance(value, list):
        raise WrongValue("is a list", "write an entry of its own for each path")
    return "" if value == "" else url_path(value, place)


def source(value: object, place: Place) -> str:
    """What a redirect takes: a `match`, which may have a scheme, and a host, in front."""
    url = re.match(
        r"(?ai)(https?)://([a-z0-9.-]*(?::[0-9]{1,5})?|\[[0-9a-f:.]+\](?::[0-9]{1,5})?)(/.*)?$", str(value)
    )
    if not isinstance(value, str) or url is None:
        return match(value, place)
    path = url_path(url[3], place) if url[3] else ""
    return f"{url[1].lower()}://{url[2].lower()}{path}"


def url_path(value: object, place: Place) -> str:
    """A path as routes see it: decoded, without query (SPEC 8)."""
    text = text_of(value, "a path")
    url = re.match(r"[a-z]+://[^/]*(/.*)?", text)
    if url:
        raise WrongValue("is a URL", f"write the path alone: '{url[1] or '/'}'")
    if text.startswith("^") or text.endswith("$"):
        plain = re.match(r"\^?(/?[\w/-]*)", text)
        path = "/" + (plain[1] if plain else "").lstrip("/")
        raise WrongValue("is written as a regular expression", f"write the path as it is: '{path}'")
    if not text.startswith("/"):
        raise WrongValue("does not begin with '/'", f"write '/{text.lstrip('*.')}'")
    if "?" in text or "#" in text:
        raise WrongValue(
            "has a query or a fragment", f"routes see the path alone: write '{re.split('[?#]', text)[0]}'"
        )
    if text.endswith("*"):
        raise WrongValue(
            "has a * at its end", f"for everything below write '{text.rstrip('*').rstrip('/')}/'"
        )
    if re.search(r"%[0-9A-Fa-f]{2}", text):
        raise WrongValue("is percent-encoded", f"routes see the path decoded: write {unquote(text)!r}")
    if re.search(r"/\.\.?(/|$)", text):
        short = normpath(text).rstrip("/") + "/" * (text[-1] in "./")
        raise WrongValue("has a dot segment", f"routes see the path without: write '{short}'")
    return text


def method(value: object, place: Place) -> str:
    """A method of a route."""
    if isinstance(value, str) and value in METHODS:
        return value
    if isinstance(value, str) and re.search(r"\w[,\s]+\w", value):
        names = ", ".join(f"'{name}'" for name in re.findall(r"\w+", value[:100].upper()))
        raise WrongValue("holds several methods", f"write a list: [{names}]")
    guess = nearest(value.upper(), METHODS) if isinstance(value, str) else None
    raise WrongValue("is not a method", f"write '{guess}'" if guess else None)


def location(value: object, place: Place) -> str:
    """Where a redirect leads: what a Location header takes (RFC 9110 10.2.2)."""
    if isinstance(value, dict) and isinstance(value.get("to"), str):
        hint = f"write {value['to']!r} alone; the redirect list at the root takes from, to and status"
        raise WrongValue("is an object", hint)
    text = text_of(value, "a path or a URL")
    if not text.isascii() or " " in text:
        raise WrongValue("has a blank or a letter outside ASCII", "write it percent-encoded, a blank as %20")
    if not re.match(r"(?i)/|https?://", text):
        raise WrongValue("is not a path or a URL", f"write '/{text}' or 'https://{text}'")
    return text


def status(value: object, place: Place) -> int:
    """A status that redirects (RFC 9110 15.4)."""
    if isinstance(value, bool) or not isinstance(value, int) or value not in REDIRECT_STATUS:
        number = isinstance(value, str) and value in map(str, REDIRECT_STATUS)
        raise WrongValue("is not a redirect status", f"write {value}, without quotes" if number else None)
    return value


def cache(value: object, place: Place) -> str:
    """The Cache-Control text of a route's answers."""
    if value is False:
        return "no-store"
    if isinstance(value, str) and re.search(r"[a-z]-[a-z]|^(public|private|immutable)\b|=", value):
        return header_value(value, place)
    if isinstance(value, str) and value.strip().lower() == "never":
        raise WrongValue("can be understood in two ways", "write false to forbid caching, or 'forever'")
    seconds = parse_duration(value)
    return (
        "public, max-age=31536000, immutable"
        if seconds == math.inf
        else f"public, max-age={math.ceil(seconds)}"
    )


def role(value: object, place: Place) -> str:
    """The role of a route: until authentication exists, anything but 'public' is refused (SPEC 2)."""
    if value == "public":
        return "public"
    raise WrongValue(
        "asks for authentication, which this version does not have: everybody would get in",
        "take the route out, or write 'public' if everybody may have it",
    )


def header_name(value: object, place: Place) -> str:
    """A header of the user's own."""
    text = text_of(value, "a header name")
    if not re.fullmatch(_TOKEN, text):
        raise WrongValue(
            "is not a header name", "letters, digits and - are allowed, such as 'X-Frame-Options'"
        )
    if text.lower() in _FRAMING or text.lower().startswith("sec-websocket-"):
        raise WrongValue("is a header that the server sets itself", "take it out")
    return text


def header_value(value: object, place: Place) -> str:
    """Its value."""
    text = text_of(value, "a header value")
    if not text.isascii():
        raise WrongValue("has a letter outside ASCII", "write ASCII only")
    return text.strip()


def extension(value: object, place: Place) -> str:
    """A file extension, in lower case with its dot."""
    text = text_of(value, "a file extension")
    if not re.fullmatch(_EXTENSION, text):
        raise WrongValue("is not a file extension", "write it like '.html'")
    return "." + text.lower().lstrip(".")


def mime_type(value: object, place: Place) -> str:
    """A media type (RFC 9110 8.3.1)."""
    text = text_of(value, "a media type")
    if not re.fullmatch(_MIME, text):
        raise WrongValue("is not a media type", "write it like 'text/html' or 'text/html; charset=utf-8'")
    return text


def protocol(value: object, place: Place) -> str:
    """A sub-protocol, which is a token (RFC 6455 4.1)."""
    text = text_of(value, "a sub-protocol name")
    if "," in text:
        names = ", ".join(f"'{name.strip()}'" for name in text.split(","))
        raise WrongValue("holds several names", f"write a list: [{names}]")
    if not re.fullmatch(_TOKEN, text):
        raise WrongValue(
            "is not a sub-protocol name", "letters, digits, '-', '.' and '_' are allowed, no blanks"
        )
    return text


def origin(value: object, place: Place) -> str:
    """What `webSockets.origins` may hold."""
    text = text_of(value, "an origin")
    if not re.fullmatch(_ORIGIN, text):
        host = re.sub(r"^([a-z]+://[^/]+)/.*$", r"\1", text)
        raise WrongValue(
            "is not an origin", f"an origin has no path: write '{host}'" if host != text else None
        )
    return text.lower()


def address(value: object, place: Place) -> ipaddress.IPv4Network | ipaddress.IPv6Network | str:
    """An address or network of proxies; 'unix' for who comes through a unix socket."""
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
        raise WrongValue("is not an IP address or network", _address_meant(text)) from None


def _address_meant(text: str) -> str | None:
    """What somebody who wrote no address most likely meant."""
    if text == "localhost":
        return "write ['127.0.0.1', '::1']"
    port = re.fullmatch(r"(?a)(\d+(?:\.\d+){3}):\d+", text)
    return f"write the address alone: '{port[1]}'" if port else None


def show_address(value: ipaddress.IPv4Network | ipaddress.IPv6Network | str) -> str:
    """Write an address or network the way the file does."""
    if isinstance(value, str) or value.num_addresses > 1:
        return str(value)
    return str(value.network_address)


def broker(value: object, place: Place) -> Broker:
    """The URL of a messaging server."""
    return value if isinstance(value, Broker) else parse_broker(text_of(value, "a URL"))
