"""The endpoints that are open: which sockets stand for each, opened and closed while connections live on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from ioto_server.config import Endpoint

from .listener import Listener
from .loop_tls import Arrive
from .plain import Plain
from .secure import serve
from .tls import TlsContext
from .tls_watch import TlsWatch


class Listening:
    """Accepts connections at any number of endpoints.

    Closing an endpoint ends the accepting only: what was accepted stays.
    """

    def __init__(
        self,
        connection: Callable[[str], asyncio.BaseProtocol],
        handshake: Callable[[], float],
        arrive: Arrive,
    ) -> None:
        """Make each connection by `connection(scheme)`.

        TLS must be agreed on in `handshake()` seconds, asked anew for each connection; who begins with it is
        counted by `arrive`.
        """
        self._connection = connection
        self._handshake = handshake
        self._arrive = arrive
        self._watch: TlsWatch | None = None
        self._open: dict[Endpoint, list[tuple[Listener, asyncio.AbstractServer]]] = {}

    def beside(self) -> Listening:
        """Another group of sockets for the same connections, opened and closed by itself."""
        return Listening(self._connection, self._handshake, self._arrive)

    @property
    def endpoints(self) -> set[Endpoint]:
        """Where connections are accepted, as the configuration has it."""
        return set(self._open)

    @property
    def urls(self) -> list[str]:
        """Where clients connect to."""
        return [listener.url for opened in self._open.values() for listener, _ in opened]

    async def open(self, listeners: Sequence[Listener], tls: TlsContext | None) -> None:
        """Accept connections on sockets that are bound already; `tls` and its files serve those of https."""
        loop = asyncio.get_running_loop()
        plain = Plain(loop)
        for listener in listeners:
            endpoint = listener.endpoint
            scheme = "https" if endpoint.scheme == "https" else "http"
            protocol = partial(self._connection, scheme)
            server: asyncio.AbstractServer
            if endpoint.scheme == "https":
                assert tls is not None
                server = await serve(plain, listener.socket, protocol, tls, self._handshake, self._arrive)
            else:
                server = await plain.serve(listener.socket, protocol)
            self._open.setdefault(endpoint, []).append((listener, server))
        if tls is not None and self._watch is None and self._serves_https:
            self._watch = TlsWatch(tls, loop.call_later)

    def close(self, endpoints: Iterable[Endpoint]) -> None:
        """Accept no more at these endpoints, and remove what they left in the file system."""
        for endpoint in endpoints:
            for listener, server in self._open.pop(endpoint):
                server.close()
                listener.remove()
        if self._watch is not None and not self._serves_https:
            self._watch.stop()
            self._watch = None

    @property
    def _serves_https(self) -> bool:
        return any(endpoint.scheme == "https" for endpoint in self._open)
