"""The real server on connections in memory, with a wheel that the test turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from ioto_server.config import Config
from ioto_server.plugins import Plugin, Plugins
from ioto_server.plugins.finder import PluginFile
from ioto_server.server import Server
from ioto_server.server.http_connection import HttpConnection
from ioto_server.server.plain import Taker
from ioto_server.server.wheel import TICK, Wheel
from ioto_server.session import Action, Host, Web

UNLIMITED = 2**63 - 1


class MemoryTransport(asyncio.Transport):
    """A TCP connection as uvloop shows it: what the kernel takes leaves in the same call."""

    def __init__(self, protocol: asyncio.BufferedProtocol, peername: tuple[str, int]) -> None:
        super().__init__({"peername": peername, "sockname": ("127.0.0.1", 4100)})
        self.protocol = protocol
        self.room = UNLIMITED
        self.taken = bytearray()
        self.reading = True
        self.eof = False
        self.closed = False
        self.aborted = False
        self.lost = False
        self._waiting = bytearray()
        self._paused = False

    # What the server calls

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.eof, "written after write_eof()"
        if self.lost:
            return
        self._waiting += data
        self._move()
        if self._waiting and not self._paused:
            self._paused = True
            self.protocol.pause_writing()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.eof = True

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def close(self) -> None:
        self.closed = True
        self._end()

    def abort(self) -> None:
        self.aborted = True
        self._waiting.clear()
        self._end()

    def get_write_buffer_size(self) -> int:
        return len(self._waiting)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high == low == 0

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.BufferedProtocol | Taker)
        self.protocol = protocol

    # What the kernel does

    def take(self, count: int = UNLIMITED) -> None:
        """There is room for `count` bytes more."""
        self.room = min(self.room + count, UNLIMITED)
        self._move()
        if not self._waiting and self._paused:
            self._paused = False
            self.protocol.resume_writing()
        self._end()

    def _move(self) -> None:
        count = min(self.room, len(self._waiting))
        if self.room < UNLIMITED:
            self.room -= count
        self.taken += self._waiting[:count]
        del self._waiting[:count]

    def _end(self) -> None:
        if (self.aborted or (self.closed and not self._waiting)) and not self.lost:
            self.lost = True
            asyncio.get_running_loop().call_soon(self._lose)

    def _lose(self) -> None:
        protocol = self.protocol
        # uvloop's transports let go of their protocol, too.
        del self.protocol
        protocol.connection_lost(None)


class Client:
    """A client of a server in memory."""

    def __init__(self, server: Server, address: str = "192.0.2.1") -> None:
        self.server = server
        self.transport = MemoryTransport(HttpConnection(server, "http"), (address, 50_000))
        self._read = 0
        protocol = self.transport.protocol
        assert isinstance(protocol, HttpConnection)
        self.connection = protocol
        protocol.connection_made(self.transport)

    def send(self, data: bytes) -> None:
        """Bytes arrive at the server, as much at once as its buffer takes."""
        while data and not self.transport.is_closing():
            assert self.transport.reading, "the server does not read"
            buffer = self.transport.protocol.get_buffer(-1)
            size = min(len(buffer), len(data))
            buffer[:size] = data[:size]
            self.transport.protocol.buffer_updated(size)
            data = data[size:]

    def get(self, path: str, headers: str = "") -> None:
        self.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())

    def upgrade(self, path: str, headers: str = "") -> None:
        self.get(
            path,
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}",
        )

    def leave(self) -> None:
        """The client shuts its side."""
        self.transport.protocol.eof_received()

    def reset(self) -> None:
        """The client is gone."""
        self.transport.lost = True
        self.transport.aborted = True
        self.transport.protocol.connection_lost(ConnectionResetError("reset"))

    def received(self) -> str:
        """What has arrived at the client since the last time."""
        new = bytes(self.transport.taken[self._read :])
        self._read += len(new)
        return new.decode("latin-1")

    @property
    def status(self) -> int:
        """The status of the answer that has just arrived."""
        return int(self.received().split(" ")[1])


class StillWheel(Wheel):
    """A wheel that the test turns: the ticks of the loop, which come on a slow machine, pass it by."""

    def resume(self, clock: float) -> None:
        pass

    def turn(self, clock: float) -> None:
        pass

    def tick(self) -> None:
        """Turn by one tick."""
        super().turn(self._clock + TICK)


def make_server(
    actions: dict[str, Callable[[Web], Any]] | None = None,
    wheel: StillWheel | None = None,
    **directives: Any,
) -> Server:
    """A server with these actions and `section={directive: value}`."""
    here = Path(__file__)
    plugin = Plugin(PluginFile(here.parent, here, ("harness",)), ModuleType("harness"))
    plugin.actions = [Action(prefix, function, here, 1) for prefix, function in (actions or {}).items()]
    plugins = Plugins(())
    plugins.add(plugin)
    server = Server(Config.read(directives), plugins, StillWheel(0.0) if wheel is None else wheel)
    plugin.host = Host(server.host, str(here))
    return server


async def pass_time(server: Server, seconds: float) -> None:
    """Turn the wheel, running what is due in between."""
    wheel = server.wheel
    assert isinstance(wheel, StillWheel)
    for _ in range(round(seconds / TICK)):
        wheel.tick()
        for _ in range(3):
            await asyncio.sleep(0)
