"""Who is at the other end: the socket's address, or what one of `trustedProxies` says of it (SPEC 2)."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal

from ioto_server.http import Headers

from .plain import is_own

# An entry of `trustedProxies`: `unix` is whoever comes through a unix socket.
Network = IPv4Network | IPv6Network | Literal["unix"]

# Some proxies give the port of the client, too.
_WITH_PORT = re.compile(r"(?:\[([^\]]+)\]|([0-9.]+))(?::[0-9]{1,5})?")


class Peer:
    """The address of a client: `address` without a port, `name` as it stands in logs."""

    __slots__ = ("address", "name")

    def __init__(self, address: str, name: str) -> None:
        self.address = address
        self.name = name

    @property
    def ip(self) -> IPv4Address | IPv6Address | None:
        """The address as a number; None for a unix socket."""
        try:
            found = ip_address(self.address.partition("%")[0])
        except ValueError:
            return None
        # A dual-stack socket sees IPv4 clients as ::ffff:a.b.c.d: they are the same clients.
        return getattr(found, "ipv4_mapped", None) or found


def peer_of(peername: object) -> Peer:
    """The peer of a socket by its `getpeername()`."""
    if isinstance(peername, tuple) and len(peername) >= 2:
        host, port = str(peername[0]), peername[1]
        return Peer(host, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    return Peer("", "unix")


def remote_name(transport: asyncio.BaseTransport) -> object:
    """What `getpeername()` says of a transport's socket; None where there is no socket any more."""
    if is_own(transport):
        return transport.get_extra_info("peername")
    return _ask(transport, socket.socket.getpeername, "peername")


def local_name(transport: asyncio.BaseTransport) -> object:
    """What `getsockname()` says of a transport's socket; None where there is no socket any more."""
    if is_own(transport):
        return transport.get_extra_info("sockname")
    return _ask(transport, socket.socket.getsockname, "sockname")


def _ask(
    transport: asyncio.BaseTransport, method: Callable[[socket.socket], object], known_as: str
) -> object:
    """Ask the kernel, not the transport: uvloop's keeps each answer for as long as the connection lives."""
    kept = transport.get_extra_info("socket")
    if kept is None:
        return transport.get_extra_info(known_as)
    try:
        asked = socket.socket(kept.family, kept.type, kept.proto, kept.fileno())
    except OSError:
        return None
    try:
        return method(asked)
    except OSError:
        return None
    finally:
        asked.detach()


def is_trusted(peer: Peer, proxies: Sequence[Network]) -> bool:
    """Whether what this peer says of its clients is believed."""
    if not proxies:
        return False
    ip = peer.ip
    if ip is None:
        return peer.name == "unix" and "unix" in proxies
    return any(network != "unix" and ip in network for network in proxies)


def forwarded(peer: Peer, headers: Headers, proxies: Sequence[Network]) -> Peer:
    """The client behind trusted proxies: the last address of X-Forwarded-For that is not one of them."""
    if not is_trusted(peer, proxies):
        return peer
    client = peer
    for line in reversed(headers.get_all("x-forwarded-for")):
        for text in reversed(line.split(",")):
            hop = _hop(text.strip())
            if hop.ip is None:
                return client
            client = hop
            if not is_trusted(hop, proxies):
                return client
    return client


def _hop(text: str) -> Peer:
    found = _WITH_PORT.fullmatch(text)
    return Peer((found[1] or found[2]) if found else text, text)
