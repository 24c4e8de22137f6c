"""A stop while TLS handshakes are under way: they end, and what is asked for behind them is answered."""

from __future__ import annotations

import signal
import socket
import ssl
import struct
import time

import pytest

from tests.conftest import StartDaemon
from tests.support.daemon import Daemon
from tests.support.raw import close_frame, trusting

ECHO = """\
from ioto_server import Web, action


@action("/ws/echo")
async def echo(web: Web) -> None:
    async for message in web.websocket:
        await web.websocket.send(message)
"""
GET = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
UPGRADE = (
    b"GET /ws/echo HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Newcomer:
    """A client that leaves its handshake half done until it is told to go on."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = trusting().wrap_bio(self._incoming, self._outgoing)
        with pytest.raises(ssl.SSLWantReadError):
            self._tls.do_handshake()
        self.socket.sendall(self._outgoing.read())
        # The server has answered: it is in the midst of it too.
        self._incoming.write(self.socket.recv(1 << 16))

    def go_on(self, request: bytes) -> None:
        """Finish the handshake, with a request right behind it."""
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._incoming.write(self.socket.recv(1 << 16))
        self.send(request)

    def send(self, data: bytes) -> None:
        if data:
            self._tls.write(data)
        self.socket.sendall(self._outgoing.read())

    def read(self, until: bytes | None = None) -> bytes:
        """All that comes until it ends with this, or ends, which TLS has to say."""
        data = b""
        while until is None or not data.endswith(until):
            try:
                piece = self._tls.read(1 << 16)
            except ssl.SSLWantReadError:
                received = self.socket.recv(1 << 16)
                assert received, "cut off in the midst of TLS"
                self._incoming.write(received)
                continue
            except ssl.SSLZeroReturnError:
                break
            if not piece:
                break
            data += piece
        return data


def stop(daemon: Daemon) -> None:
    """Tell it to stop, and give it the time in which one that waited for nobody would have ended."""
    daemon.signal(signal.SIGTERM)
    daemon.log("stopping")
    time.sleep(0.5)


def test_what_is_asked_for_right_after_the_handshake_is_answered(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"close": "30 secs"}})
    newcomer = Newcomer(daemon.port)
    stop(daemon)
    newcomer.go_on(GET)
    head, _, body = newcomer.read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nConnection: close" in head
    assert body
    newcomer.socket.close()
    assert daemon.wait() == 0


def test_a_websocket_that_begins_then_is_told(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"close": "30 secs"}}, {"echo.py": ECHO})
    newcomer = Newcomer(daemon.port)
    stop(daemon)
    newcomer.go_on(UPGRADE)
    told = b"\x88\x11" + struct.pack("!H", 1001) + b"Server stopping"
    data = newcomer.read(until=told)
    assert data.startswith(b"HTTP/1.1 101 ")
    assert data.endswith(told)
    newcomer.send(close_frame(1001))
    assert newcomer.read() == b""
    newcomer.socket.close()
    assert daemon.wait() == 0


def test_a_handshake_that_does_not_go_on_is_not_waited_for(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"parse": "never", "close": "1 sec", "drain": "never"}})
    silent = socket.create_connection(("127.0.0.1", daemon.port))
    half = Newcomer(daemon.port)
    assert daemon.stop() == 0
    silent.close()
    half.socket.close()


def test_nor_is_a_client_that_asks_for_nothing(start_daemon: StartDaemon) -> None:
    timeouts = {"parse": "never", "inactivity": "never", "close": "2 secs", "drain": "never"}
    daemon = start_daemon({"timeouts": timeouts})
    newcomer = Newcomer(daemon.port)
    stop(daemon)
    newcomer.go_on(b"")
    assert newcomer.read() == b""
    newcomer.socket.close()
    assert daemon.wait() == 0
