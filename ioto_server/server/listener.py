"""Sockets to listen at, bound as `listen` says, before anything else of the server is running."""

from __future__ import annotations

import errno
import os
import socket
import stat
from dataclasses import dataclass
from typing import Any, Final

from ioto_server.config import Endpoint

from .settings import LISTEN_BACKLOG


class ListenError(Exception):
    """An endpoint cannot be listened at: which, why, and what to change."""


# What the kernel takes for one client beyond what is on its way to it, in bytes (tcp(7)). It would take
# megabytes for each client that does not read, and a thousand of those would exhaust TCP's memory for all.
MOST_UNSENT: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Listener:
    """One bound socket and the endpoint of the configuration that it came from."""

    endpoint: Endpoint
    socket: socket.socket

    def __post_init__(self) -> None:
        if self.endpoint.scheme != "unix":
            # Inherited by every connection that is accepted.
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MOST_UNSENT)

    @property
    def url(self) -> str:
        """Where clients connect to, with the port that was really bound."""
        if self.endpoint.scheme == "unix":
            return str(self.endpoint)
        host, port = self.socket.getsockname()[:2]
        return (
            f"{self.endpoint.scheme}://[{host}]:{port}"
            if ":" in host
            else f"{self.endpoint.scheme}://{host}:{port}"
        )

    def remove(self) -> None:
        """Remove what the socket has left in the file system; the socket itself is closed by its server."""
        if self.endpoint.path is not None:
            self.endpoint.path.unlink(missing_ok=True)


def bind(endpoint: Endpoint, copies: int = 1) -> list[Listener]:
    """Bind every address that an endpoint stands for; raises ListenError, with nothing left bound.

    With `copies` over 1, each TCP address gets as many sockets, among which the kernel shares out those who
    connect (SO_REUSEPORT, socket(7)). A path has one socket whatever is asked for.
    """
    if endpoint.scheme == "unix":
        return [Listener(endpoint, _bind_unix(endpoint))]
    bound: list[Listener] = []
    try:
        port = endpoint.port
        for family, address in _addresses(endpoint):
            for place in range(copies):
                # With port 0 the first socket draws a port, and the others take the same.
                where = (address[0], port, *address[2:])
                listener = Listener(endpoint, _bind_tcp(endpoint, family, where, place, copies))
                bound.append(listener)
                port = listener.socket.getsockname()[1]
    except BaseException:
        for listener in bound:
            listener.socket.close()
        raise
    return bound


def _addresses(endpoint: Endpoint) -> list[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    try:
        found = socket.getaddrinfo(
            endpoint.host or None, endpoint.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise ListenError(
            f"Cannot listen at {endpoint}: the host is not known ({error}); write an address of this machine"
        ) from error
    unique = dict.fromkeys((family, address) for family, _, _, _, address in found)
    addresses: list[tuple[socket.AddressFamily, tuple[Any, ...]]] = [
        (family, address) for family, address in unique if _usable(family)
    ]
    if not addresses:
        raise ListenError(f"Cannot listen at {endpoint}: this machine has no address of that kind")
    return addresses


def _usable(family: int) -> bool:
    """Whether the kernel speaks this address family: many containers have no IPv6."""
    if family != socket.AF_INET6:
        return True
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _bind_tcp(
    endpoint: Endpoint, family: int, address: tuple[Any, ...], place: int = 0, copies: int = 1
) -> socket.socket:
    """Bind one socket, number `place` of `copies` for the same address."""
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # IPv4 has a socket of its own: one behaviour, whatever the system's default.
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if place == 0:
            # Without the option, so that an address somebody listens at already is refused: it would let
            # a second server of the same user in.
            bound.bind(address)
        if copies > 1:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if place > 0:
            bound.bind(address)
        bound.listen(LISTEN_BACKLOG)
    except OSError as error:
        bound.close()
        raise ListenError(f"Cannot listen at {endpoint}: {_why(error)}") from error
    bound.setblocking(False)
    return bound


def _bind_unix(endpoint: Endpoint) -> socket.socket:
    path = endpoint.path
    assert path is not None
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode) and not _answers(path):
            # Left by a process that was killed: nobody listens there any more.
            path.unlink()
        bound.bind(os.fspath(path))
        bound.listen(LISTEN_BACKLOG)
    except OSError as error:
        bound.close()
        raise ListenError(f"Cannot listen at {endpoint}: {_why(error)}") from error
    bound.setblocking(False)
    return bound


def _answers(path: os.PathLike[str]) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(os.fspath(path)) == 0


def _why(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another process listens there already; stop it, or choose another port in `listen`"
    if error.errno == errno.EACCES:
        return (
            "not permitted; ports below 1024 and foreign folders need more rights, choose another in `listen`"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine does not have that address; name one that it has in `listen`"
    return error.strerror or str(error)
