"""The endpoints that are open: which sockets stand for each, opened and closed while connections live on."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable, Sequence

from ioto_server.config import Endpoint

from .listener import Listener


class Listening:
    """Accepts connections at any number of endpoints.

    Closing an endpoint ends the accepting only: what was accepted stays.
    """

    def __init__(self, connection: Callable[[str], asyncio.BaseProtocol]) -> None:
        """Make each connection by `connection(scheme)`."""
        self._connection = connection
        self._open: dict[Endpoint, list[tuple[Listener, asyncio.Server]]] = {}

    @property
    def endpoints(self) -> set[Endpoint]:
        """Where connections are accepted, as the configuration has it."""
        return set(self._open)

    @property
    def urls(self) -> list[str]:
        """Where clients connect to."""
        return [listener.url for opened in self._open.values() for listener, _ in opened]

    async def open(self, listeners: Sequence[Listener], tls: ssl.SSLContext | None) -> None:
        """Accept connections on sockets that are bound already."""
        loop = asyncio.get_running_loop()
        for listener in listeners:
            endpoint = listener.endpoint
            scheme = "https" if endpoint.scheme == "https" else "http"

            def protocol(scheme: str = scheme) -> asyncio.BaseProtocol:
                return self._connection(scheme)

            if endpoint.scheme == "unix":
                server = await loop.create_unix_server(protocol, sock=listener.socket)
            else:
                server = await loop.create_server(
                    protocol, sock=listener.socket, ssl=tls if scheme == "https" else None
                )
            self._open.setdefault(endpoint, []).append((listener, server))

    def close(self, endpoints: Iterable[Endpoint]) -> None:
        """Accept no more at these endpoints, and remove what they left in the file system."""
        for endpoint in endpoints:
            for listener, server in self._open.pop(endpoint):
                server.close()
                listener.remove()
