"""Bytes meet sockets: listeners, connections, timers, TLS, stopping."""

from .listener import Listener, ListenError, bind, listens_at, probe
from .server import Server
from .tls import TlsContext, TlsError, make_context
from .uploads import FileReceiver

__all__ = [
    "FileReceiver",
    "ListenError",
    "Listener",
    "Server",
    "TlsContext",
    "TlsError",
    "bind",
    "listens_at",
    "make_context",
    "probe",
]
