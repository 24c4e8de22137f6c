"""What an operator and a monitor do to a daemon all day, once a cycle of the soak."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from ioto_server.daemon.ask import AskError, ask

from .server import Server
from .socket_client import GoneError, SocketClient

_EDITED = """\
import asyncio

from ioto_server import Host, Web, action

VERSION = {version}
BALLAST = [str(number) for number in range(5000)]


@action("/soak/edited")
async def edited(web: Web) -> None:
    web.write(f"{{VERSION}} {{len(BALLAST)}}")


def io_start(host: Host) -> None:
    host.spawn(asyncio.Event().wait())
"""


class Operator:
    """Looks at the daemon and interferes."""

    def __init__(self, server: Server, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._control = folder / "run" / "control.sock"
        self._version = 0
        self.rotated: list[Path] = []

    async def shift(self) -> None:
        """A plugin edited and reloaded, a broken edit refused, status, connections, metrics, log rotated."""
        self._version += 1
        plugin = self._folder / "actions" / "edited.py"
        plugin.write_text(_EDITED.format(version=self._version))
        await asyncio.to_thread(ask, self._control, "reload")
        config = self._folder / "web.json5"
        whole = config.read_text()
        config.write_text("{ broken")
        try:
            with pytest.raises(AskError, match=r"web\.json5"):
                await asyncio.to_thread(ask, self._control, "reload")
        finally:
            config.write_text(whole)
        for command in ("status", "connections"):
            await asyncio.to_thread(ask, self._control, command)
        await self._scrape()
        self._rotate()

    async def _scrape(self) -> None:
        async with SocketClient(("127.0.0.1", self._server.metrics_port)) as client:
            await client.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try:
                while True:
                    client.received += await client.read()
            except GoneError:
                assert b"ioto_connections " in client.received, bytes(client.received[:200])

    def _rotate(self) -> None:
        log = self._folder / "server.log"
        self.rotated.append(log.rename(self._folder / f"server.log.{self._version}"))
        os.kill(self._server.pid, signal.SIGUSR1)
