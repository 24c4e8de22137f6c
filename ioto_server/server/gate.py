"""Who may come in: checks of Host and Origin before anything is done for a request (SPEC 3)."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from ioto_server.config import Config, Location, named, port_of
from ioto_server.http import HttpError, Request, without_query
from ioto_server.http.target import check_host as check_form
from ioto_server.websocket import handshake

from .peer import Peer, is_trusted

# RFC 1035, 2.3.4: a name has at most 255 octets. A longer one is not worth remembering.
_LONGEST_NAME: Final = 255
# What a proxy may call the scheme that the client has used.
_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


def is_loopback(host: str) -> bool:
    """Whether a host name or address, without a port, always means this machine (RFC 6761, 6.3)."""
    return len(host) <= _LONGEST_NAME and _is_loopback(host)


@lru_cache(maxsize=256)
def _is_loopback(host: str) -> bool:
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=256)
def _is_expected(host: str, local: str) -> bool:
    """Whether a Host needs no look at the configuration where one has connected to `local`."""
    return not host or not is_loopback(local) or is_loopback(host_name(host))


def host_name(host: str) -> str:
    """The Host field's value without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def check_host(request: Request, config: Config, local: str, socket_peer: Peer) -> None:
    """Refuse a foreign Host on a loopback listener: some web page has rebound its name to us (403).

    `local` is the address the connection came in at. HTTP/1.0 without a Host comes from no browser.
    """
    host = request.host
    if (len(host) <= _LONGEST_NAME and _is_expected(host, local)) or not is_loopback(local):
        return
    name = host_name(host)
    if is_loopback(name) or is_trusted(socket_peer, config.trusted_proxies):
        return
    if config.name is not None and name.lower() == host_name(config.name).lower():
        return
    raise HttpError(
        403,
        f"Host {name} is not a name of this loopback listener: set `name` in web.json5 to allow it, "
        "or trustedProxies for a proxy",
        close=True,
    )


def asked_at(request: Request, config: Config, scheme: str, socket_peer: Peer) -> tuple[str, str]:
    """The scheme and the host that the client has in its URL. Raises HttpError 400 for malformed ones.

    A proxy that is trusted may still hand on what its client has put into these fields, so they are held
    to what holds for Host: they end up in Location.
    """
    host = request.host
    if is_trusted(socket_peer, config.trusted_proxies):
        # A list is one entry for each proxy on the way: the first is the one that the browser met.
        if said := _first(request, "x-forwarded-proto"):
            if said not in _SCHEMES:
                raise HttpError(400, "X-Forwarded-Proto is no scheme of ours: send http or https")
            scheme = _SCHEMES[said]
        if said := _first(request, "x-forwarded-host"):
            check_form(said, "X-Forwarded-Host")
            host = said
    return scheme, host


def own_host(config: Config, scheme: str, at: Location, local: str) -> str:
    """What we are called by a scheme: `name`, or else what a client calls us who has asked `at` a URL.

    `local` is the address that a client has connected to who names no host.
    """
    if config.name is not None:
        return named(config.name, config.listen, scheme)
    if at.host and at.scheme == scheme:
        # With the port that the client has come by: a proxy's is none of ours.
        return at.host
    endpoint = next((one for one in config.listen if one.scheme == scheme), None)
    name = host_name(at.host) or _in_url(endpoint.host if endpoint is not None else "") or _in_url(local)
    return (name or "localhost") + port_of(config.listen, scheme)


def _in_url(address: str) -> str:
    """An address as a URL has it; of none where it is all addresses."""
    if address in {"0.0.0.0", "::"}:
        return ""
    # The zone of a link-local address means something to this machine alone (RFC 6874, 1).
    return f"[{address.partition('%')[0]}]" if ":" in address else address


def check_origin(request: Request, config: Config, scheme: str, socket_peer: Peer) -> None:
    """Refuse a browser's page of another origin (RFC 6455, 4.2.2 and 10.2) with 403."""
    origin = request.headers.get("origin")
    scheme, host = asked_at(request, config, scheme, socket_peer)
    if handshake.check_origin(origin, host, scheme, config.web_sockets.origins):
        return
    shown = without_query("origin", origin or "")[:_LONGEST_NAME]
    raise HttpError(
        403,
        f"Origin {shown} may not connect here: add it to webSockets.origins in web.json5",
    )


def _first(request: Request, name: str) -> str:
    return (request.headers.get(name) or "").partition(",")[0].strip().lower()
