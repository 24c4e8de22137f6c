"""Connections with TLS by way of the event loop: for the Python sources, and where there is no other way."""

from __future__ import annotations

import asyncio
import errno
import re
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from .settings import LISTEN_BACKLOG

if TYPE_CHECKING:
    from .tls import TlsContext


class Arrival(Protocol):
    """The place of a client whose handshake is under way."""

    def leave(self) -> None:
        """The handshake is over, in whatever way. May be called again."""


Arrive = Callable[[object], Arrival | None]
"""Takes the name of a peer that begins with TLS; None where there is no place for it."""

# As in plain.pyx: how many connections are accepted in one turn; how long nobody is, in seconds, when the
# kernel has no descriptor or memory left.
_ACCEPTED: Final = 64
_REST: Final = 0.1
_SPENT: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

# The loop wants a bound of its own for a connection's end, in seconds. It is left to the deadlines that every
# connection has: they know whether the client is still taking what was sent.
_A_DAY: Final = 86400.0

# RFC 6066, 3: ASCII without blanks. Other letters the ssl module refuses itself.
_NAME: Final = re.compile(r"[!-~]+")


def order_suites(context: ssl.SSLContext, names: list[str]) -> None:
    """Have a server prefer these TLS 1.3 ciphers in this order, where Python can say so: from 3.15 on."""
    set_suites: Any = getattr(context, "set_ciphersuites", None)
    if set_suites is not None:
        set_suites(":".join(names))


def keep_names(context: ssl.SSLContext) -> None:
    """Have the connections of a server know which name their client has asked for."""
    context.sni_callback = _keep_name


def _keep_name(made: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> int | None:
    if name is not None and not _NAME.fullmatch(name):
        return int(ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
    made.asked_for = name  # type: ignore[attr-defined]
    return None


def server_name(transport: asyncio.BaseTransport) -> str | None:
    """The name that a client has asked for (SNI, RFC 6066, 3); None where it named none."""
    name: str | None = getattr(transport.get_extra_info("ssl_object"), "asked_for", None)
    return name


def serve_by_loop(
    listener: socket.socket,
    protocol: Callable[[], asyncio.BaseProtocol],
    context: TlsContext,
    handshake: Callable[[], float],
    arrive: Arrive,
) -> asyncio.AbstractServer:
    """Accept at a socket that is bound already; see `secure.serve`."""
    return cast(asyncio.AbstractServer, _Acceptor(listener, protocol, context, handshake, arrive))


class _Acceptor:
    """A listening socket. The loop's own server says nothing of a connection before its handshake is over."""

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.BaseProtocol],
        context: TlsContext,
        handshake: Callable[[], float],
        arrive: Arrive,
    ) -> None:
        self._listener = listener
        self._protocol = protocol
        self._context = context
        self._handshake = handshake
        self._arrive = arrive
        self._loop = asyncio.get_running_loop()
        self._shaking: set[asyncio.Task[None]] = set()
        listener.listen(LISTEN_BACKLOG)
        listener.setblocking(False)
        # Accepted sockets inherit it: an answer never waits for the acknowledgement of the last one.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop.add_reader(listener, self._ready)

    def close(self) -> None:
        """Accept no more; what was accepted lives on."""
        if self._listener.fileno() >= 0:
            self._loop.remove_reader(self._listener)
            self._listener.close()

    def _ready(self) -> None:
        for _ in range(_ACCEPTED):
            try:
                accepted, peername = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _SPENT:
                    self._loop.remove_reader(self._listener)
                    self._loop.call_later(_REST, self._go_on)
                    return
                # This one has gone again, or its network has: the next may be well.
                continue
            arrival = self._arrive(peername)
            if arrival is None:
                accepted.close()
                continue
            accepted.setblocking(False)
            task = self._loop.create_task(self._shake(accepted, arrival))
            self._shaking.add(task)
            task.add_done_callback(self._shaking.discard)

    def _go_on(self) -> None:
        if self._listener.fileno() >= 0:
            self._loop.add_reader(self._listener, self._ready)

    async def _shake(self, accepted: socket.socket, arrival: Arrival) -> None:
        try:
            # Whoever fails here was nobody yet: OSError is also what TLS and the time-out are.
            with suppress(OSError):
                await self._loop.connect_accepted_socket(
                    partial(_Newcomer, self._protocol, arrival),
                    accepted,
                    ssl=self._context,
                    ssl_handshake_timeout=min(self._handshake(), _A_DAY),
                    ssl_shutdown_timeout=_A_DAY,
                )
        finally:
            arrival.leave()


class _Newcomer(asyncio.Protocol):
    """Gives the place of a handshake back, in time for the connection to take it."""

    def __init__(self, protocol: Callable[[], asyncio.BaseProtocol], arrival: Arrival) -> None:
        self._protocol = protocol
        self._arrival = arrival

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TLS is agreed on."""
        self._arrival.leave()
        protocol = self._protocol()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
