"""Bytes meet sockets: listeners, connections, timers, TLS, stopping."""

from .gate import check_host
from .listener import Listener, ListenError, bind, listens_at, probe
from .peer import peer_of
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
    "check_host",
    "listens_at",
    "make_context",
    "peer_of",
    "probe",
]
