"""The server under the weather: the real daemon with its log in a file, and what can be seen of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.daemon import PROGRAM, environment, write_project

from .socket_client import GoneError, SocketClient

_ACTIONS = """\
import asyncio
import json
import sys

from ioto_server import Event, Host, Web, WebSocket, action

@action("/soak/echo")
async def echo(web: Web) -> None:
    web.on_event(on_event)
    await web.wait()


def on_event(ws: WebSocket, event: Event, data: str | bytes | None, _arg: object) -> None:
    if event is Event.MESSAGE and data is not None:
        ws.send(data)


@action("/soak/news")
async def news(web: Web) -> None:
    web.websocket.subscribe("news")
    await web.wait()


@action("/soak/state")
async def state(web: Web) -> None:
    host = web.host
    web.write_json(
        {
            "tasks": len(asyncio.all_tasks()),
            "websockets": len(host.websockets),
            "held": host.core.memory.total,
            "holders": len(host.core.memory),
            "subscribers": host.topics.count("news"),
            "blocks": sys.getallocatedblocks(),
        }
    )


def io_start(host: Host) -> None:
    host.spawn(publish(host))


async def publish(host: Host) -> None:
    while True:
        host.publish("news", "n" * 2000)
        await asyncio.sleep(0.5)
"""

_CONFIG: dict[str, Any] = {
    "listen": ["http://127.0.0.1:0"],
    "log": {"path": "server.log", "format": "json"},
    "limits": {"connections": 12_000, "memory": "256MB"},
    "webSockets": {"ping": "5 secs"},
    "timeouts": {"parse": "3 secs", "inactivity": "30 secs", "close": "2 secs", "pong": "4 secs"},
}


class Server:
    """One running `ioto-server start` in `folder`."""

    def __init__(
        self,
        folder: Path,
        changes: Mapping[str, Any] | None = None,
        actions: Mapping[str, str] | None = None,
    ) -> None:
        config = {name: dict(value) if isinstance(value, dict) else value for name, value in _CONFIG.items()}
        for section, values in (changes or {}).items():
            merged = isinstance(values, dict) and isinstance(config.get(section), dict)
            config[section] = {**config[section], **values} if merged else values
        file = write_project(folder, config, {"soak.py": _ACTIONS, **(actions or {})})
        self._log = folder / "server.log"
        self._log.touch()
        with (folder / "stderr.txt").open("w") as stderr:
            self._process = subprocess.Popen(
                [PROGRAM, "start", "--config", file],
                cwd=folder,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
            )
        self.pid = self._process.pid
        self._ports = self._wait_until_it_listens()
        self.port = self._ports["http"]
        self.address = ("127.0.0.1", self.port)

    @property
    def tls_port(self) -> int:
        """Where it speaks TLS."""
        return self._ports["https"]

    @property
    def metrics_port(self) -> int:
        """Where it is scraped."""
        return self._ports["metrics"]

    def _wait_until_it_listens(self) -> dict[str, int]:
        end = time.monotonic() + 120
        while time.monotonic() < end and self._process.poll() is None:
            for line in self.log():
                if line["event"] == "ready":
                    return dict(map(_port, filter(_tells_a_port, self.log())))
            time.sleep(0.05)
        self._process.kill()
        raise SystemExit(f"the server did not start: {(self._log.parent / 'stderr.txt').read_text()}")

    # What it says

    def log(self, file: Path | None = None) -> Iterator[dict[str, Any]]:
        """Each line of its log so far, or of another `file` of it."""
        with (file or self._log).open() as lines:
            for line in lines:
                if line.endswith("\n"):
                    yield json.loads(line)

    def causes(self, file: Path | None = None) -> Counter[str]:
        """Why WebSockets were closed, and what else the log reports, each with its number."""
        found: Counter[str] = Counter()
        for line in self.log(file):
            event = line["event"]
            if event == "websocket close":
                found[f"closed: {line['cause']}"] += 1
            elif event in ("refused", "request"):
                found[f"{event}: {line['status']}"] += 1
            else:
                found[event] += 1
        return found

    # What can be seen from outside

    @property
    def resident(self) -> int:
        """Resident memory in bytes (proc(5), /proc/PID/status)."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    @property
    def cpu(self) -> float:
        """CPU time used, in seconds (proc(5), /proc/PID/stat)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def descriptors(self) -> int:
        """Open descriptors."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    async def state(self) -> dict[str, int]:
        """What the server counts of itself; asked again for a minute while it refuses, being full or busy."""
        for _ in range(600):
            with suppress(GoneError, ConnectionError):
                return await self._ask()
            await asyncio.sleep(0.1)
        raise AssertionError("it never tells its state")

    async def _ask(self) -> dict[str, int]:
        async with SocketClient(self.address) as client:
            await client.send(b"GET /soak/state HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while b"}" not in client.received:
                client.received += await client.read()
        assert client.received.startswith(b"HTTP/1.1 200 "), bytes(client.received)
        state: dict[str, int] = json.loads(bytes(client.received).partition(b"\r\n\r\n")[2])
        return state

    async def rest(self) -> dict[str, int]:
        """Wait until nobody is connected any more; returns the state then."""
        for _ in range(600):
            state = await self.state()
            if not state["websockets"] and state["tasks"] <= 4:
                break
            await asyncio.sleep(0.1)
        return state

    # How it ends

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.terminate()
        return self.wait()

    def wait(self) -> int:
        """Its exit code, when it has ended."""
        return self._process.wait(60)

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def _tells_a_port(line: dict[str, Any]) -> bool:
    return line["event"] in ("listening", "metrics")


def _port(line: dict[str, Any]) -> tuple[str, int]:
    parts = urlsplit(line["url"])
    assert parts.port is not None
    return line["event"] if line["event"] == "metrics" else parts.scheme, parts.port
