"""Connections with TLS: accepted, read and written. The compiled build has its own way, in secure.pyx.

Here they are the loop's own transports, which move every byte through objects of Python's ssl module. There,
the handshake is made by that module too, with whatever its context says; after it, records are opened and
sealed by calling the same OpenSSL directly, between the buffers of plain.pyx's transports.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from .loop_tls import Arrive, keep_names, order_suites, serve_by_loop, server_name
from .plain import Plain

if TYPE_CHECKING:
    from .tls import TlsContext

__all__ = ["BY_LOOP", "keep_names", "order_suites", "serve", "server_name"]

#: Why TLS is left to the event loop; None where it is not.
BY_LOOP: Final[str | None] = "not compiled"


async def serve(
    _plain: Plain,
    listener: socket.socket,
    protocol: Callable[[], asyncio.BaseProtocol],
    context: TlsContext,
    handshake: Callable[[], float],
    arrive: Arrive,
) -> asyncio.AbstractServer:
    """Accept at a socket that is bound already, until the result is closed, and `listener` with it.

    A client that `arrive(peername)` has no place for is closed. The others' TLS has to be agreed on within
    `handshake()` seconds, asked anew for each, then a protocol is told of the connection. What was accepted
    lives on.
    """
    return serve_by_loop(listener, protocol, context, handshake, arrive)
