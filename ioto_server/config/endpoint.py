"""Where the server listens: the text of one `listen` entry, taken apart."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ioto_server.config.values import WrongValue

ENDPOINT_ALLOWED = (
    "'http://HOST:PORT', 'https://HOST:PORT', 'http://:PORT' for all interfaces, or 'unix:/PATH'"
)

_URL = re.compile(r"(https?)://(\[[^\[\]/]*\]|[^\[\]/:]*)(?::([0-9]{0,10}))?/?", re.IGNORECASE)
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", re.IGNORECASE | re.ASCII)
# What misses a part of an endpoint, or has it in another spelling.
_ALMOST = re.compile(
    r"(?:(https?|tcp|tls|ssl)(?::/*|/+))?(\*|\[[0-9a-f:.]+\]|[a-z0-9.-]*)(?::([0-9]{1,5}))?/?", re.IGNORECASE
)
# RFC 1035 2.3.4, as text.
_LONGEST_HOST = 253
_LARGEST_PORT = 65535
_PORTS = "a port is a number from 1 to 65535, or 0 for any free one"
_DEFAULT_PORT = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address to listen at.

    `host` is '' for all interfaces, and an IPv6 address without its brackets. `port` 0 lets the system
    choose. `path` is set for `unix` only.
    """

    scheme: Literal["http", "https", "unix"]
    host: str = ""
    port: int = 0
    path: Path | None = None

    def __str__(self) -> str:
        if self.scheme == "unix":
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_endpoint(value: object, base: Path) -> Endpoint:
    """Read one `listen` entry; a relative unix path is taken from `base`. Raises `WrongValue`."""
    if isinstance(value, Endpoint):
        return value
    if not isinstance(value, str):
        number = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536
        hint = _port_alone(value) if number else None
        raise WrongValue("is not an endpoint", hint)
    if value.startswith("unix:"):
        return _unix(value.removeprefix("unix:"), base)
    match = _URL.fullmatch(value)
    if match is None:
        raise WrongValue("is not an endpoint", _guess(value))
    scheme: Literal["http", "https"] = "https" if match[1].lower() == "https" else "http"
    host = match[2]
    if match[3] == "":
        raise WrongValue("has no port after the colon", f"write '{value.rstrip('/:')}:4100'")
    port = int(match[3]) if match[3] else _DEFAULT_PORT[scheme]
    if port > _LARGEST_PORT:
        raise WrongValue(f"has the port {port}", _PORTS)
    return Endpoint(scheme, check_host(host, scheme, port), port)


def check_host(host: str, scheme: str = "http", port: int | None = None) -> str:
    """Return a host name, or an address without brackets. Raises `WrongValue`."""
    suffix = "" if port is None else f":{port}"
    if host == "":
        return host
    if host == "*":
        raise WrongValue("has '*' for its host", f"for all interfaces write '{scheme}://{suffix}'")
    if host.startswith("["):
        try:
            return str(ipaddress.IPv6Address(host[1:-1]))
        except ValueError:
            raise WrongValue(f"has '{host}' where an IPv6 address in brackets is expected") from None
    if not host.isascii():
        raise WrongValue(f"has the host '{host}' with letters outside ASCII", "write it in its xn-- form")
    if len(host) > _LONGEST_HOST or not _HOST.fullmatch(host):
        raise WrongValue(f"has '{host}' where a host name or address is expected")
    if re.fullmatch(r"[0-9.]+", host):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            hint = "write four numbers from 0 to 255, as in 127.0.0.1"
            raise WrongValue(f"has '{host}', which is no IPv4 address", hint) from None
    return host.lower()


def _unix(text: str, base: Path) -> Endpoint:
    if text in ("", "/", "//"):
        raise WrongValue("has no path", "write 'unix:/run/ioto-server/web.sock'")
    if "\0" in text:
        raise WrongValue("has a NUL character in its path")
    # unix:///run/x is the same path as unix:/run/x.
    path = "/" + text.lstrip("/") if text.startswith("/") else text
    return Endpoint("unix", path=Path(base, path))


def _guess(value: str) -> str | None:
    """What somebody who wrote `value` most likely meant."""
    # A name and a password have no place in an endpoint, and a password none in a hint.
    text = re.sub(r"(?<=//).*@", "", value.strip())
    if re.fullmatch(r"[0-9]{1,5}", text):
        return _port_alone(text) if int(text) <= _LARGEST_PORT else _PORTS
    if text.startswith("/"):
        return f"for a unix socket write 'unix:{text}'"
    if re.fullmatch(r"wss?://[^ ]+", text):
        return f"WebSockets share the HTTP port: write '{text.replace('ws', 'http', 1)}'"
    if re.fullmatch(r"https?://[^ /]+/.+", text):
        return f"an endpoint has no path: write '{'/'.join(text.split('/')[:3])}'"
    if re.fullmatch(r"https?://[0-9a-f:]*::[0-9a-f:]*", text, re.IGNORECASE):
        return "an IPv6 address stands in brackets: 'http://[::1]:4100'"
    match = _ALMOST.fullmatch(text)
    if match is None or (match[2] == "" and match[3] is None):
        return None
    if int(match[3] or 0) > _LARGEST_PORT:
        return _PORTS
    scheme = "https" if (match[1] or "").lower() in ("https", "tls", "ssl") else "http"
    host = "" if match[2] == "*" else match[2]
    return f"write '{scheme}://{host}:{match[3] or 4100}'"


def _port_alone(port: object) -> str:
    return f"write 'http://localhost:{port}', or 'http://:{port}' for all interfaces"
