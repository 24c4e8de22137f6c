"""Where a client connects to: the URL of RFC 6455, section 3, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

_SECURE: Final = {"ws": False, "wss": True, "http": False, "https": True}
_DEFAULT_PORT: Final = {False: 80, True: 443}

_URL: Final = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*)://)?([^/?#]*)([^#]*)(#.*)?", re.DOTALL)
_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+(?:%25[A-Za-z0-9._~-]+)?\]|[^\[\]:@]+)(?::([0-9]{1,5}))?")

# What may stand in a request target as it is (RFC 3986, 3.3 and 3.4), "%" for what is encoded already.
_TARGET_SAFE: Final = "/?:@!$&'()*+,;=-._~%"


class AddressError(ValueError):
    """A text is not the URL of a WebSocket: which part, and how to write it."""


@dataclass(frozen=True, slots=True)
class Address:
    """One URL: `host` is a name, or an address without brackets; `target` is path and query as sent."""

    secure: bool
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """The Host header's value: without the port where it is the scheme's own (RFC 9110, 7.2)."""
        # The zone of a link-local address means something on this machine only (RFC 6874, 4).
        name = self.host.partition("%")[0]
        host = f"[{name}]" if ":" in name else name
        return host if self.port == _DEFAULT_PORT[self.secure] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{'wss' if self.secure else 'ws'}://{self.authority}{self.target}"


def parse_address(text: str) -> Address:
    """Read `ws://host:port/path?query`, `wss://…`, the same with http and https, or without a scheme.

    Raises AddressError for anything else.
    """
    if any(character <= " " or character == "\x7f" for character in text):
        raise AddressError(f"The URL {text!r} has a blank or control character in it: encode it as %20")
    scheme, authority, target, fragment = _parts(text)
    secure = _SECURE.get((scheme or "ws").lower())
    if secure is None:
        raise AddressError(f"The URL {text} begins with {scheme}://: write ws:// or wss://")
    if fragment:
        raise AddressError(f"The URL {text} has a fragment (RFC 6455 3): leave {fragment} out")
    if "@" in authority:
        raise AddressError(
            "The URL holds a name or password before the @ (RFC 6455 3): "
            "leave it out, and send it with --header 'Authorization: …'"
        )
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise AddressError(f"The URL {text} names no host: write ws://HOST:PORT/PATH")
    port = int(match[2]) if match[2] else _DEFAULT_PORT[secure]
    if not 0 < port < 65536:
        raise AddressError(f"The URL {text} has the port {port}: a port is a number from 1 to 65535")
    path = target if target.startswith("/") else f"/{target}"
    return Address(secure, _host(match[1], text), port, quote(path, safe=_TARGET_SAFE))


def _parts(text: str) -> tuple[str, str, str, str]:
    match = _URL.fullmatch(text)
    assert match is not None
    return match[1] or "", match[2], match[3], match[4] or ""


def _host(host: str, text: str) -> str:
    if host.startswith("["):
        return host[1:-1].replace("%25", "%")
    try:
        return host.encode("idna").decode("ascii") if not host.isascii() else host
    except UnicodeError:
        raise AddressError(f"The URL {text} has a host name that DNS does not know: correct it") from None
