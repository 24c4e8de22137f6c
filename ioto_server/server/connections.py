"""Who is connected: counted against `limits.connections` and `limits.perAddress` (SPEC 5)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from ioto_server.config import Limits
from ioto_server.http import HttpError

if TYPE_CHECKING:
    from ioto_server.session.conversation import Conversation

    from .http_connection import HttpConnection
    from .http_life import HttpLife

# Refused clients that are given the time to read why; more than these are just closed.
_MOST_REFUSED: Final = 256


class Arrival:
    """A client whose TLS handshake is under way: it has a place, or is only to be told that there is none."""

    __slots__ = ("_address", "_admitted", "_clients")

    def __init__(self, clients: Connections, address: str, admitted: bool) -> None:
        self._clients: Connections | None = clients
        self._address = address
        self._admitted = admitted

    def leave(self) -> None:
        """The handshake is over, in whatever way; its connection is admitted next. May be called again."""
        if self._clients is not None:
            self._clients.arrived(self._address, self._admitted)
            self._clients = None


class Connections:
    """Every open connection of a process.

    Refused ones do not count: a flood of them leaves the limits to those who are in. An empty address is
    that of a client who is not counted by address: behind a proxy or a unix socket many have the same.
    """

    __slots__ = (
        "_addresses",
        "_admitted",
        "_arriving",
        "_hopeless",
        "_last",
        "_refused",
        "_websockets",
        "limits",
    )

    def __init__(self, limits: Limits, websockets: Collection[Conversation]) -> None:
        """`limits` may be replaced by others later; `websockets` are those of the host that are open."""
        self.limits = limits
        self._websockets = websockets
        # Those that still speak HTTP.
        self._admitted: set[HttpConnection] = set()
        self._refused: set[HttpConnection] = set()
        self._addresses: dict[str, int] = {}
        # Somebody has gone, or a handshake has ended, and it may have been the last.
        self._last = asyncio.Event()
        # TLS handshakes under way: of those who have a place, and of those who will be refused.
        self._arriving = 0
        self._hopeless = 0

    def __len__(self) -> int:
        return len(self._admitted) + len(self._websockets)

    def all(self) -> list[HttpConnection | Conversation]:
        """Everybody, those too who are being refused."""
        return [*self._websockets, *self._admitted, *self._refused]

    def admit(self, connection: HttpConnection) -> HttpError | None:
        """Count a new connection in; returns the refusal where a limit is reached."""
        if self._is_full():
            self._refused.add(connection)
            return HttpError(
                503, "The server has limits.connections connections: try again later", close=True
            )
        if self.is_crowded(connection.address):
            connection.address = ""
            self._refused.add(connection)
            return _crowded()
        self._admitted.add(connection)
        self._count(connection.address)
        return None

    def arrive(self, address: str) -> Arrival | None:
        """Count a client in whose TLS handshake begins; None where he is to be closed without a word."""
        if not self._is_full() and not self.is_crowded(address):
            self._arriving += 1
            self._count(address)
            return Arrival(self, address, True)
        if len(self._refused) + self._hopeless >= _MOST_REFUSED:
            return None
        self._hopeless += 1
        return Arrival(self, "", False)

    def arrived(self, address: str, admitted: bool) -> None:
        """The handshake of one who has arrived is over."""
        if admitted:
            self._arriving -= 1
            self._release(address)
        else:
            self._hopeless -= 1
        if not self._arriving and not self._hopeless:
            self._last.set()

    def _is_full(self) -> bool:
        return len(self) + self._arriving >= self.limits.connections

    def is_crowded(self, address: str) -> bool:
        """Whether an address has as many connections as `limits.perAddress` allows."""
        return bool(address) and self._addresses.get(address, 0) >= self.limits.per_address

    def claim(self, connection: HttpConnection, address: str) -> None:
        """Count an admitted connection for the client that a trusted proxy names. Raises HttpError (503)."""
        if self.is_crowded(address):
            raise _crowded()
        self._release(connection.address)
        connection.address = address
        self._count(address)

    def may_linger(self, connection: HttpLife) -> bool:
        """Whether a refused client can be waited for."""
        return connection in self._admitted or len(self._refused) <= _MOST_REFUSED

    def upgraded(self, connection: HttpConnection) -> None:
        """A connection is a WebSocket's now; its address stays counted."""
        self._admitted.remove(connection)

    def closed(self, connection: HttpConnection) -> None:
        """A connection that spoke HTTP is closed."""
        if connection in self._admitted:
            self._admitted.remove(connection)
            self._release(connection.address)
        self._refused.discard(connection)
        self._notice()

    def websocket_closed(self, address: str) -> None:
        """A WebSocket is closed that was counted for `address`."""
        self._release(address)
        self._notice()

    def _notice(self) -> None:
        if not self._refused and not len(self):
            self._last.set()

    async def settled(self) -> None:
        """Wait until no TLS handshake is under way."""
        while self._arriving or self._hopeless:
            self._last.clear()
            await self._last.wait()

    async def gone(self) -> None:
        """Wait until nobody is connected, but for handshakes under way."""
        while self._refused or len(self):
            self._last.clear()
            await self._last.wait()

    def _count(self, address: str) -> None:
        if address:
            self._addresses[address] = self._addresses.get(address, 0) + 1

    def _release(self, address: str) -> None:
        if address:
            left = self._addresses[address] - 1
            if left:
                self._addresses[address] = left
            else:
                del self._addresses[address]


def _crowded() -> HttpError:
    return HttpError(503, "This address has limits.perAddress connections: close one", close=True)
