"""Bytes meet sockets: listeners, connections, timers, TLS, stopping."""

from .listener import Listener, ListenError, bind
from .server import Server
from .tls import TlsError, configure, make_context

__all__ = ["ListenError", "Listener", "Server", "TlsError", "bind", "configure", "make_context"]
