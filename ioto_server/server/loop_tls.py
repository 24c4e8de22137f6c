"""Connections with TLS by way of the event loop: for the Python sources, and where there is no other way."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from .settings import LISTEN_BACKLOG

if TYPE_CHECKING:
    from .tls import TlsContext

# The loop wants a bound of its own for a connection's end, in seconds. It is left to the deadlines that every
# connection has: they know whether the client is still taking what was sent.
_A_DAY: Final = 86400.0


def order_suites(context: ssl.SSLContext, names: list[str]) -> None:
    """Have a server prefer these TLS 1.3 ciphers in this order, where Python can say so: from 3.15 on."""
    set_suites: Any = getattr(context, "set_ciphersuites", None)
    if set_suites is not None:
        set_suites(":".join(names))


async def serve_by_loop(
    listener: socket.socket,
    protocol: Callable[[], asyncio.BaseProtocol],
    context: TlsContext,
    handshake: float,
) -> asyncio.AbstractServer:
    """Accept at a socket that is bound already, and make TLS in `handshake` seconds; see `secure.serve`."""
    return await asyncio.get_running_loop().create_server(
        protocol,
        sock=listener,
        backlog=LISTEN_BACKLOG,
        ssl=context,
        ssl_handshake_timeout=min(handshake, _A_DAY),
        ssl_shutdown_timeout=_A_DAY,
    )
