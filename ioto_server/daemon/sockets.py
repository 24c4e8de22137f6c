"""The listening sockets of a process: passed on by systemd, left by a predecessor, or made here."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ioto_server.config import Endpoint
from ioto_server.server import Listener, ListenError, bind

from .activation import Activation
from .control import bind_control

# Where a successor reads which descriptor is what; ours alone, unlike LISTEN_FDS, which has no room for more.
VARIABLE: Final = "IOTO_SERVER_HERITAGE"


class Estate:
    """Whose the files of the unix sockets are.

    `owned`: those inherited are ours, no predecessor takes them back. `left`: a successor has all of them.
    """

    owned = False
    left = False


@dataclass(frozen=True, slots=True)
class Held(Listener):
    """A listener whose file is removed only by the last process that goes on with it.

    `borrowed` sockets are systemd's for ever; `inherited` ones came from a predecessor.
    """

    estate: Estate
    borrowed: bool = False
    inherited: bool = False

    def remove(self) -> None:
        """Remove the file of a unix socket that is ours."""
        estate = self.estate
        if not self.borrowed and not estate.left and (estate.owned or not self.inherited):
            Listener.remove(self)


class Sockets:
    """Every listening socket of the process, by endpoint."""

    def __init__(self, environ: MutableMapping[str, str], pid: int, processes: int = 1) -> None:
        """Take what systemd and a predecessor have passed on, for `processes`. Raises ActivationError."""
        self._processes = processes
        heritage: dict[str, Any] = json.loads(environ.pop(VARIABLE, "{}"))
        self._inherited = [
            (role, name, _adopt(descriptor), borrowed)
            for role, name, descriptor, borrowed in heritage.get("sockets", ())
        ]
        channel = heritage.get("channel")
        self.channel = None if channel is None else _adopt(channel)
        self._activation = Activation(environ, pid)
        self._estate = Estate()
        # By what for, too: with port 0 the metrics and a `listen` entry may read the same.
        self._held: dict[tuple[str, Endpoint], list[Held]] = {}

    def open_all(self, endpoints: Iterable[Endpoint], metrics: Endpoint | None, control: Path) -> None:
        """Have a socket for each endpoint, for the metrics' and for the control socket.

        Raises ActivationError before anything is bound, and ListenError or OSError with nothing left bound.
        """
        wanted = [("listen", endpoint) for endpoint in endpoints]
        wanted += [("metrics", metrics)] if metrics is not None else []
        controlling = ("control", Endpoint("unix", path=control))
        for key in [*wanted, controlling]:
            self._held[key] = self._take(*key)
        self._activation.check([endpoint for _, endpoint in wanted])
        for _, _, unused, _ in self._inherited:
            unused.close()
        try:
            for key in wanted:
                if not self._held[key]:
                    self._held[key] = [self._hold(listener) for listener in self._bind(key)]
            if not self._held[controlling]:
                self._held[controlling] = [self._hold(bind_control(control))]
        except BaseException:
            self.close()
            raise

    def _take(self, role: str, endpoint: Endpoint) -> list[Held]:
        mine = [one for one in self._inherited if one[:2] == (role, str(endpoint))]
        self._inherited = [one for one in self._inherited if one not in mine]
        held = [Held(endpoint, left, self._estate, borrowed, inherited=True) for _, _, left, borrowed in mine]
        handed = self._activation.take(endpoint)
        return held or [Held(endpoint, one.socket, self._estate, borrowed=True) for one in handed]

    def _hold(self, listener: Listener) -> Held:
        return Held(listener.endpoint, listener.socket, self._estate)

    def _bind(self, key: tuple[str, Endpoint]) -> list[Listener]:
        role, endpoint = key
        if role == "listen":
            return bind(endpoint, self._processes)
        return bind(endpoint, directive="metrics.listen")

    def open(self, endpoint: Endpoint) -> list[Held]:
        """Bind one more endpoint, which none that stays is in the way of. Raises ListenError.

        From http to https and back, the sockets of the other are shared: no client is refused meanwhile.
        """
        before = self._at_port_of(endpoint)
        if before is not None and before.host == endpoint.host:
            held = [
                Held(endpoint, one.socket.dup(), one.estate, one.borrowed, one.inherited)
                for one in self.at(before)
            ]
        else:
            try:
                held = [self._hold(listener) for listener in self._bind(("listen", endpoint))]
            except ListenError:
                if before is None:
                    raise
                raise ListenError(
                    f"Cannot listen at {endpoint} while {before} is open; restart the server, "
                    "or reload without either of them first"
                ) from None
        self._held["listen", endpoint] = held
        return held

    def _at_port_of(self, endpoint: Endpoint) -> Endpoint | None:
        """Which open endpoint has the port of one that is wanted."""
        ports = {
            other: self._held[role, other][0].socket.getsockname()[1]
            for role, other in self._held
            if role == "listen" and other.scheme != "unix"
        }
        return next((other for other, port in ports.items() if port == endpoint.port), None)

    def forget(self, endpoints: Iterable[Endpoint]) -> None:
        """These endpoints are closed."""
        for endpoint in endpoints:
            self._held.pop(("listen", endpoint), None)

    def at(self, endpoint: Endpoint) -> list[Held]:
        """The sockets of an endpoint."""
        return self._held["listen", endpoint]

    def share(self, endpoint: Endpoint, place: int) -> list[Held]:
        """The sockets of an endpoint at which worker `place` of all, from 0 on, accepts.

        Of each address: one of its own where there are enough, else one with others (a path has one socket,
        systemd passes one on); where a predecessor had more workers, what is left over too.
        """
        count = self._processes
        by_address: dict[Any, list[Held]] = {}
        for held in self.at(endpoint):
            by_address.setdefault(held.socket.getsockname(), []).append(held)
        return [
            held
            for sockets in by_address.values()
            for number, held in enumerate(sockets)
            if (number % count == place if len(sockets) >= count else number == place % len(sockets))
        ]

    def metrics(self, endpoint: Endpoint) -> list[Held]:
        """The sockets of the metrics."""
        return self._held["metrics", endpoint]

    def control(self, path: Path) -> Held:
        """The control socket."""
        return self._held["control", Endpoint("unix", path=path)][0]

    def close(self) -> None:
        """Give up all of them."""
        for held in self._held.values():
            for listener in held:
                listener.socket.close()
                listener.remove()
        self._held = {}

    # ---- before and after us ------------------------------------------------------------------------------

    @property
    def descriptors(self) -> list[int]:
        """What a successor has to be given."""
        return [listener.socket.fileno() for held in self._held.values() for listener in held]

    def testament(self, channel: socket.socket) -> dict[str, str]:
        """The environment in which a successor finds its heritage; `channel` leads back to us."""
        sockets = [
            (role, str(endpoint), listener.socket.fileno(), listener.borrowed)
            for (role, endpoint), held in self._held.items()
            for listener in held
        ]
        return {VARIABLE: json.dumps({"channel": channel.fileno(), "sockets": sockets})}

    def own(self) -> None:
        """The predecessor has left us what it had."""
        self._estate.owned = True

    def leave(self) -> None:
        """A successor goes on with all of them: closing ours ends nothing."""
        self._estate.left = True


def _adopt(descriptor: int) -> socket.socket:
    adopted = socket.socket(fileno=descriptor)
    adopted.setblocking(False)
    os.set_inheritable(descriptor, False)
    return adopted
