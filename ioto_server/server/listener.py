"""Sockets to listen at, bound as `listen` says, before anything else of the server is running."""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
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


def bind(endpoint: Endpoint, copies: int = 1, directive: str = "listen") -> list[Listener]:
    """Bind every address of an endpoint that `directive` names; raises ListenError, with nothing left bound.

    With `copies` over 1, each TCP address gets as many sockets, among which the kernel shares out those who
    connect (SO_REUSEPORT, socket(7)). A path has one socket whatever is asked for.
    """
    if endpoint.scheme == "unix":
        return [Listener(endpoint, _bind_unix(endpoint, directive))]
    bound: list[Listener] = []
    try:
        port = endpoint.port
        for family, address in _addresses(endpoint):
            for place in range(copies):
                # With port 0 the first socket draws a port, and the others take the same.
                where = (address[0], port, *address[2:])
                made = _bind_tcp(endpoint, directive, family, where, place, copies)
                listener = Listener(endpoint, _listening(made, endpoint, directive))
                bound.append(listener)
                port = listener.socket.getsockname()[1]
    except BaseException:
        for listener in bound:
            listener.socket.close()
        raise
    return bound


def probe(endpoint: Endpoint, directive: str = "listen") -> None:
    """Tell whether an endpoint could be listened at now; raises the ListenError that `bind` would.

    Nobody can connect meanwhile, and nothing is left or taken away.
    """
    if endpoint.path is not None:
        pid = listens_at(endpoint.path)
        if pid is not None:
            raise ListenError(_taken(endpoint, directive, pid))
        return
    for family, address in _addresses(endpoint):
        _bind_tcp(endpoint, directive, family, address).close()


def listens_at(path: Path) -> int | None:
    """Return the process that listens at a unix socket, 0 where it cannot be told, None where nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.setblocking(False)
        failed = caller.connect_ex(os.fspath(path))
        if failed:
            # A full queue, or one that we may not join, is somebody's.
            return 0 if failed in (errno.EAGAIN, errno.EACCES) else None
        # struct ucred of unix(7): pid, uid, gid of who called listen(2).
        credentials = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid: int = struct.unpack("3i", credentials)[0]
        return pid


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
    endpoint: Endpoint,
    directive: str,
    family: int,
    address: tuple[Any, ...],
    place: int = 0,
    copies: int = 1,
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
    except OSError as error:
        bound.close()
        raise _refusal(endpoint, directive, error) from error
    return bound


def _listening(bound: socket.socket, endpoint: Endpoint, directive: str) -> socket.socket:
    try:
        bound.listen(LISTEN_BACKLOG)
    except OSError as error:
        bound.close()
        raise _refusal(endpoint, directive, error) from error
    bound.setblocking(False)
    return bound


def _bind_unix(endpoint: Endpoint, directive: str) -> socket.socket:
    path = endpoint.path
    assert path is not None
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
            pid = listens_at(path)
            if pid is not None:
                raise ListenError(_taken(endpoint, directive, pid))
            # Left by a process that was killed: nobody listens there any more.
            path.unlink()
        bound.bind(os.fspath(path))
    except OSError as error:
        bound.close()
        raise _refusal(endpoint, directive, error) from error
    except ListenError:
        bound.close()
        raise
    return _listening(bound, endpoint, directive)


def _taken(endpoint: Endpoint, directive: str, pid: int = 0) -> str:
    who = f"process {pid}" if pid else "another process"
    other = "path" if endpoint.scheme == "unix" else "port"
    return (
        f"Cannot listen at {endpoint}: {who} listens there already; "
        f"stop it, or choose another {other} in `{directive}`"
    )


def _refusal(endpoint: Endpoint, directive: str, error: OSError) -> ListenError:
    if error.errno == errno.EADDRINUSE:
        return ListenError(_taken(endpoint, directive))
    why = error.strerror or str(error)
    if error.errno == errno.EACCES:
        why = (
            "not permitted; ports below 1024 and foreign folders need more rights, "
            f"choose another in `{directive}`"
        )
    elif error.errno == errno.EADDRNOTAVAIL:
        why = f"this machine does not have that address; name one that it has in `{directive}`"
    elif error.errno == errno.ENOENT and endpoint.path is not None:
        why = f"the folder {endpoint.path.parent} does not exist; make it, or choose another in `{directive}`"
    return ListenError(f"Cannot listen at {endpoint}: {why}")
