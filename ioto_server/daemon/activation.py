"""Sockets that were listening before we began: systemd's socket units pass them on (sd_listen_fds(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from ioto_server.config import Endpoint
from ioto_server.server import Listener

# The first descriptor that is passed on; the others follow it.
_FIRST: Final = 3

_WILDCARDS: Final = ("0.0.0.0", "::")


class ActivationError(Exception):
    """What was passed on does not fit the configuration: which socket, and what to change."""


class Adopted(Listener):
    """A listener whose socket somebody else has made, and keeps."""

    def remove(self) -> None:
        """Leave the file of a unix socket where it is: it is its maker's."""


class _Handed(NamedTuple):
    name: str
    socket: socket.socket

    @property
    def address(self) -> str:
        """The address as a socket unit has it in ListenStream=."""
        if self.socket.family == socket.AF_UNIX:
            return os.fsdecode(self.socket.getsockname())
        host, port = self.socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def serves(self, endpoint: Endpoint) -> bool:
        """Whether this is a socket of `endpoint`: one of its addresses, no wider and no narrower."""
        if self.socket.family == socket.AF_UNIX:
            return endpoint.path is not None and _same_file(self.address, endpoint.path)
        host, port = self.socket.getsockname()[:2]
        if endpoint.path is not None or port != endpoint.port:
            return False
        return host in (_addresses(endpoint.host) if endpoint.host else _WILDCARDS)


class Activation:
    """The sockets that were passed on, until each has found its endpoint."""

    def __init__(self, environ: MutableMapping[str, str], pid: int) -> None:
        """Take the sockets that the variables name, if they mean this process, and the variables away.

        Raises ActivationError for a descriptor that is no listening stream socket.
        """
        count = environ.pop("LISTEN_FDS", "")
        names = environ.pop("LISTEN_FDNAMES", "").split(":")
        meant_for = environ.pop("LISTEN_PID", "")
        self._left: list[_Handed] = []
        if meant_for != str(pid) or not count.isdecimal():
            return
        for place in range(int(count)):
            name = names[place] if place < len(names) else ""
            self._left.append(_Handed(name, _open(_FIRST + place, name)))

    def take(self, endpoint: Endpoint) -> list[Listener]:
        """The sockets of `endpoint`; none where it has to be bound here."""
        taken = [handed for handed in self._left if handed.serves(endpoint)]
        self._left = [handed for handed in self._left if handed not in taken]
        return [Adopted(endpoint, handed.socket) for handed in taken]

    def check(self, endpoints: Sequence[Endpoint]) -> None:
        """Raise ActivationError for sockets that nobody took: clients would wait there for ever."""
        if not self._left:
            return
        sockets = ", ".join(f"{one.address} ({one.name or 'unnamed'})" for one in self._left)
        wanted = ", ".join(map(str, endpoints))
        raise ActivationError(
            f"systemd passed on sockets that no endpoint of the configuration has: {sockets}; "
            f"the endpoints are {wanted}: make ListenStream= of the .socket unit and `listen` the same"
        )


def _open(descriptor: int, name: str) -> socket.socket:
    try:
        handed = socket.socket(fileno=descriptor)
        listening = (
            handed.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM
            and handed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
        )
    except OSError as error:
        raise ActivationError(_unusable(descriptor, name, str(error))) from None
    if not listening:
        raise ActivationError(_unusable(descriptor, name, "it is no stream socket that listens"))
    handed.setblocking(False)
    os.set_inheritable(descriptor, False)
    return handed


def _unusable(descriptor: int, name: str, why: str) -> str:
    return (
        f"Descriptor {descriptor} ({name or 'unnamed'}), which systemd passed on, cannot be used: {why}; "
        "the .socket unit needs ListenStream= and Accept=no"
    )


def _addresses(host: str) -> set[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {str(address[0]) for _, _, _, _, address in found}


def _same_file(address: str, path: Path) -> bool:
    return address == str(path) or (address != "" and os.path.realpath(address) == os.path.realpath(path))
