"""The opening handshake, both sides (RFC 6455, section 4), on headers that an HTTP parser has read."""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import b2a_base64
from collections.abc import Sequence
from hashlib import sha1
from os import urandom
from typing import Protocol as Interface

#: "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" is what the accept value is made with (RFC 6455, 1.3).
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

#: A token of HTTP (RFC 9110, 5.6.2).
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

#: 16 bytes in base64 (RFC 6455, 4.3).
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")

#: An origin as a browser serialises it (RFC 6454, 6.2): scheme, host, port.
_ORIGIN = re.compile(
    r"([a-z][a-z0-9+.\-]*)://(\[[0-9a-f:.]+\]|[^/:?#@\[\]\s]+)(?::([0-9]{1,5}))?", re.IGNORECASE
)

_DEFAULT_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443"}

#: What a refusal says about the way in (RFC 6455, 4.4; RFC 9110, 15.5.22).
_UPGRADE_TO = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")]


class HeaderSource(Interface):
    """Where headers are read from: any multi-map that ignores case."""

    def get_all(self, name: str) -> Sequence[str]:
        """Return the values of every header of that name, in order, without blanks around them."""
        ...  # pragma: no cover


class HandshakeError(Exception):
    """The handshake is refused: answer ``status``, ``headers`` and ``text``, one line that says which rule.

    On the client's side ``status`` is that of the server's answer, for the caller to show.
    """

    def __init__(self, status: int, text: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text
        self.headers = list(headers)

    def __str__(self) -> str:
        return self.text


def accept_key(key: str) -> str:
    """Return the ``Sec-WebSocket-Accept`` that answers a key (RFC 6455, 4.2.2, 5.4)."""
    digest = sha1(key.encode("ascii") + _GUID, usedforsecurity=False).digest()
    return b2a_base64(digest, newline=False).decode()


def elements(values: Sequence[str]) -> list[str]:
    """Split the values of a header that holds a list; empty elements do not count (RFC 9110, 5.6.1)."""
    return [item for value in values for item in (part.strip(" \t") for part in value.split(",")) if item]


def _has_token(values: Sequence[str], token: str) -> bool:
    return any(item.lower() == token for item in elements(values))


# The server's side


def check_request(method: str, version: str, headers: HeaderSource, has_body: bool) -> str:
    """Check a request for a WebSocket (RFC 6455, 4.2.1) and return its key.

    ``version`` is HTTP's, ``'1.1'``. Raises :class:`HandshakeError` with 400, 405 or 426. Host and Origin are
    only counted here: whether they may come in is the caller's and :func:`check_origin`'s decision.
    """
    if method != "GET":
        raise HandshakeError(
            405, f"WebSocket needs GET, not {method[:20]} (RFC 6455 4.1)", [("Allow", "GET")]
        )
    if not _has_token(headers.get_all("upgrade"), "websocket"):
        raise HandshakeError(426, "This address speaks WebSocket only (RFC 6455)", _UPGRADE_TO)
    if version != "1.1":
        raise HandshakeError(400, f"WebSocket needs HTTP/1.1, not HTTP/{version} (RFC 6455 4.1)")
    _single(headers, "Host")
    if not _has_token(headers.get_all("connection"), "upgrade"):
        raise HandshakeError(400, "Header Connection lacks the token upgrade (RFC 6455 4.2.1)")
    if _single(headers, "Sec-WebSocket-Version") != "13":
        raise HandshakeError(426, "Sec-WebSocket-Version must be 13 (RFC 6455 4.4)", _UPGRADE_TO)
    key = _single(headers, "Sec-WebSocket-Key")
    if not _KEY.fullmatch(key):
        raise HandshakeError(400, "Sec-WebSocket-Key must be 16 bytes in base64 (RFC 6455 4.2.1)")
    if len(headers.get_all("origin")) > 1:
        raise HandshakeError(400, "Header Origin is there more than once (RFC 6454 7.3)")
    if has_body:
        raise HandshakeError(400, "WebSocket request must not have a body (RFC 6455 4.1)")
    return key


def _single(headers: HeaderSource, name: str) -> str:
    values = headers.get_all(name.lower())
    if len(values) != 1:
        count = "is missing" if not values else "is there more than once"
        raise HandshakeError(400, f"Header {name} {count} (RFC 6455 4.2.1)")
    return values[0]


def offered_protocols(headers: HeaderSource) -> list[str]:
    """Return the sub-protocols that a request offers, in the client's order of preference (RFC 6455, 4.2.1).

    Raises :class:`HandshakeError` 400 for a header that is no list of unlike tokens.
    """
    values = headers.get_all("sec-websocket-protocol")
    offered = elements(values)
    if values and not offered:
        raise HandshakeError(400, "Sec-WebSocket-Protocol is empty (RFC 6455 4.1)")
    if not all(_TOKEN.fullmatch(item) for item in offered):
        raise HandshakeError(400, "Sec-WebSocket-Protocol must be a list of tokens (RFC 6455 4.1)")
    if len(set(offered)) < len(offered):
        raise HandshakeError(400, "Sec-WebSocket-Protocol names one protocol twice (RFC 6455 4.1)")
    return offered


def choose_protocol(offered: Sequence[str], ours: Sequence[str] | None) -> str | None:
    """Choose the sub-protocol: the first of ours that is offered; the client's first where ours is ``None``.

    ``None`` where the client offers none. Raises :class:`HandshakeError` 400 where none of its offers is
    ours.
    """
    if not offered:
        return None
    if ours is None:
        return offered[0]
    for protocol in ours:
        if protocol in offered:
            return protocol
    raise HandshakeError(400, "Unsupported Sec-WebSocket-Protocol")


def check_origin(origin: str | None, host: str, scheme: str, allowed: Sequence[str] | None) -> bool:
    """Tell whether a page of that origin may connect (RFC 6455, 10.2; ``webSockets.origins``).

    ``origin``: the header, ``None`` if absent: not a browser, allowed. ``host``: the request's Host, whose
    port defaults to that of ``scheme``, ``'http'`` or ``'https'``. ``allowed``: ``None`` = same host and
    port. Else a list of

    * ``'*'``: any origin, ``'null'`` too;
    * hosts: ``'example.com'``, ``'example.com:8080'``, under any scheme;
    * origins: ``'https://example.com'``;

    where no port means the default one of the origin's scheme, and ``*`` within a host or port stands for any
    characters of it: ``'https://*.example.com'``, ``'localhost:*'``.
    """
    if origin is None:
        return True
    if allowed is not None and "*" in allowed:
        return True
    parts = _ORIGIN.fullmatch(origin)
    if parts is None:
        # "null", the origin of files and sandboxes (RFC 6454, 6.1), or nothing a browser sends.
        return allowed is not None and origin in allowed
    theirs = parts[1].lower()
    name = parts[2].lower()
    default = _DEFAULT_PORTS.get(theirs, "")
    port = parts[3] or default
    if allowed is None:
        ours, _, our_port = _split_port(host.lower())
        return (name, port) == (ours, our_port or _DEFAULT_PORTS[scheme])
    return any(_origin_matches(pattern.lower(), theirs, name, port, default) for pattern in allowed)


def _split_port(host: str) -> tuple[str, str, str]:
    """Split ``host:port``; the colons inside an IPv6 address in brackets separate nothing."""
    name, colon, port = host.rpartition(":")
    return (name, colon, port) if colon and not port.endswith("]") else (host, "", "")


def _origin_matches(pattern: str, scheme: str, host: str, port: str, default: str) -> bool:
    wanted, separator, rest = pattern.partition("://")
    if not separator:
        wanted, rest = scheme, pattern
    name, _, wanted_port = _split_port(rest)
    return wanted == scheme and _matches(name, host) and _matches(wanted_port or default, port)


def _matches(pattern: str, value: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), value) is not None


# The client's side


def new_key() -> str:
    """Return a fresh ``Sec-WebSocket-Key``: 16 unpredictable bytes in base64 (RFC 6455, 4.1)."""
    return b64encode(urandom(16)).decode()


def request_headers(
    host: str, key: str, *, origin: str | None = None, protocols: Sequence[str] = (), extensions: str = ""
) -> list[tuple[str, str]]:
    """Return the headers of a client's request (RFC 6455, 4.1); ``host``: Host's value, port included."""
    headers = [
        ("Host", host),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Version", "13"),
    ]
    if origin is not None:
        headers.append(("Origin", origin))
    if protocols:
        headers.append(("Sec-WebSocket-Protocol", ", ".join(protocols)))
    if extensions:
        headers.append(("Sec-WebSocket-Extensions", extensions))
    return headers


def check_response(status: int, headers: HeaderSource, key: str, protocols: Sequence[str] = ()) -> str | None:
    """Check the server's answer to a client's request (RFC 6455, 4.1) and return the sub-protocol it chose.

    ``key`` and ``protocols`` are what the request carried; extensions are checked where they were offered.
    Raises :class:`HandshakeError`.
    """
    if status != 101:
        raise HandshakeError(status, f"Server answered {status} instead of 101 Switching Protocols")
    if [item.lower() for item in elements(headers.get_all("upgrade"))] != ["websocket"]:
        raise HandshakeError(status, "Server's Upgrade header is not websocket (RFC 6455 4.1)")
    if not _has_token(headers.get_all("connection"), "upgrade"):
        raise HandshakeError(status, "Server's Connection header lacks the token upgrade (RFC 6455 4.1)")
    if list(headers.get_all("sec-websocket-accept")) != [accept_key(key)]:
        raise HandshakeError(status, "Server's Sec-WebSocket-Accept does not match the key (RFC 6455 4.1)")
    chosen = headers.get_all("sec-websocket-protocol")
    if not chosen:
        return None
    if len(chosen) > 1 or chosen[0] not in protocols:
        raise HandshakeError(status, "Server chose a sub-protocol that was not offered (RFC 6455 4.1)")
    return chosen[0]
