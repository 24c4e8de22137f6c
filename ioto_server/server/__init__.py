"""Bytes meet sockets: listeners, connections, timers, TLS, stopping."""

from .listener import Listener, ListenError, bind
from .server import Server
from .tls import TlsError, configure, make_context
from .uploads import FileReceiver

__all__ = [
    "FileReceiver",
    "ListenError",
    "Listener",
    "Server",
    "TlsError",
    "bind",
    "configure",
    "make_context",
]
