"""A client on a bare non-blocking socket, so that it can misbehave in every way TCP allows."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import struct
from typing import Self

from tests.support.raw import CLOSE, PING, PONG, frame

# TCP_REPAIR of linux/tcp.h: a socket in this mode is closed without a word to its peer.
_TCP_REPAIR = 19


class GoneError(Exception):
    """The server has closed the connection."""


class SocketClient:
    """One connection to `address`; what it does is up to its caller."""

    def __init__(self, address: tuple[str, int], *, receive_buffer: int | None = None) -> None:
        self.address = address
        self.received = bytearray()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)

    async def __aenter__(self) -> Self:
        try:
            await asyncio.get_running_loop().sock_connect(self.socket, self.address)
        except BaseException:
            self.socket.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.socket.close()

    async def send(self, data: bytes) -> None:
        """Send everything."""
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def read(self, size: int = 65536) -> bytes:
        """What has arrived, at most `size` bytes; raises GoneError at the end."""
        data = await asyncio.get_running_loop().sock_recv(self.socket, size)
        if not data:
            raise GoneError
        return data

    async def upgrade(self, path: str) -> None:
        """Become a WebSocket; raises GoneError when that is refused."""
        key = base64.b64encode(os.urandom(16)).decode()
        await self.send(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self.received:
            self.received += await self.read()
        head, _, rest = bytes(self.received).partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            raise GoneError
        self.received = bytearray(rest)

    async def frame(self) -> tuple[int, bytes]:
        """The next frame of the server: opcode and payload."""
        head = await self._take(2)
        size = head[1]
        if size == 126:
            size = int.from_bytes(await self._take(2), "big")
        elif size == 127:
            size = int.from_bytes(await self._take(8), "big")
        return head[0] & 0x0F, await self._take(size)

    async def _take(self, size: int) -> bytes:
        while len(self.received) < size:
            self.received += await self.read()
        taken = bytes(self.received[:size])
        del self.received[:size]
        return taken

    async def answer(self) -> tuple[int, bytes]:
        """The next frame that is no ping; pings are answered."""
        while True:
            opcode, payload = await self.frame()
            if opcode != PING:
                return opcode, payload
            await self.send(frame(PONG, payload))

    async def close(self) -> None:
        """The whole closing handshake."""
        await self.send(frame(CLOSE, struct.pack("!H", 1000)))
        while (await self.answer())[0] != CLOSE:
            pass

    def finish_sending(self) -> None:
        """Shut our side only."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """End with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def vanish(self) -> bool:
        """End without a word, as a machine that loses power; False where the system does not allow that."""
        try:
            self.socket.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)
        except OSError:
            return False
        self.socket.close()
        return True
