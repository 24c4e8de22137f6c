"""Reload under load: connections echo all the while, and not one of them, nor one message, is lost."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.conftest import StartDaemon
from tests.support.daemon import Daemon
from tests.support.raw import accept_for, frame, trusting

ECHO = """\
from ioto_server import Event, Web, action

# generation {number}

@action("/ws/echo")
async def echo(web: Web) -> None:
    web.on_event(on_event)
    await web.wait()


def on_event(ws, event, data, arg):
    if event is Event.MESSAGE:
        ws.send(data)
"""

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


class Echoing:
    """One client that sends numbered messages, each when the answer to the one before has come."""

    def __init__(self) -> None:
        self.answered = 0

    async def connect(self, daemon: Daemon) -> None:
        tls = trusting() if daemon.url.startswith("https:") else None
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", daemon.port, ssl=tls)
        self._writer.write(
            f"GET /ws/echo HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n".encode()
        )
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert accept_for(KEY).encode() in head

    async def run(self, until: asyncio.Event) -> None:
        while not until.is_set():
            payload = b"message %d" % self.answered
            self._writer.write(frame(1, payload))
            answer = await self._reader.readexactly(2 + len(payload))
            assert answer == bytes([0x81, len(payload)]) + payload
            self.answered += 1

    async def close(self) -> None:
        self._writer.write(frame(8, b"\x03\xe8"))
        assert await self._reader.readexactly(4) == b"\x88\x02\x03\xe8"
        assert await self._reader.read() == b""
        self._writer.close()


async def ask(daemon: Daemon, command: str) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(daemon.folder / "run" / "control.sock")
    writer.write(json.dumps({"command": command}).encode() + b"\n")
    answer: dict[str, Any] = json.loads(await reader.readline())
    writer.close()
    return answer


async def change(daemon: Daemon, number: int) -> None:
    """One change of the configuration or the plugin, good or bad, and what the daemon says to it."""
    plugin = daemon.folder / "actions" / "echo.py"
    good = {"listen": "http://127.0.0.1:0", "limits": {"maxBacklog": 100_000 + number}}
    match number % 5:
        case 0 | 1:
            daemon.config.write_text(json.dumps(good))
            answer = await ask(daemon, "reload")
            assert answer["ok"]
            assert any(text.startswith("limits.maxBacklog:") for text in answer["changed"])
        case 2:
            daemon.config.write_text(json.dumps({**good, "limits": {"maxBacklog": "much"}}))
            answer = await ask(daemon, "reload")
            assert (answer["ok"], "limits.maxBacklog" in answer["error"]) == (False, True)
            daemon.config.write_text(json.dumps(good))
        case 3:
            plugin.write_text(ECHO.format(number=number))
            answer = await ask(daemon, "reload")
            assert (answer["ok"], "echo.py: loaded anew" in answer["changed"]) == (True, True)
        case 4:
            plugin.write_text("def broken(:\n")
            answer = await ask(daemon, "reload")
            assert (answer["ok"], "SyntaxError" in answer["error"]) == (False, True)
            plugin.write_text(ECHO.format(number=number - 1))


async def progress(echoing: list[Echoing], before: int) -> None:
    """Wait until more messages than `before` were answered."""
    step = asyncio.get_running_loop().create_future
    while sum(client.answered for client in echoing) == before:
        turn = step()
        asyncio.get_running_loop().call_soon(turn.set_result, None)
        await turn


async def reload_under_load(daemon: Daemon, clients: int, changes: int) -> None:
    echoing = [Echoing() for _ in range(clients)]
    for begin in range(0, clients, 100):
        await asyncio.gather(*(client.connect(daemon) for client in echoing[begin : begin + 100]))
    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(client.run(over)) for client in echoing]
        for number in range(changes):
            before = sum(client.answered for client in echoing)
            await change(daemon, number)
            # The clients go on between two changes: the next one meets messages on their way.
            await asyncio.wait_for(progress(echoing, before), 60)
        over.set()
        await asyncio.gather(*running)
    status = await ask(daemon, "status")
    assert (status["websockets"], status["connections"]) == (clients, clients)
    for begin in range(0, clients, 100):
        await asyncio.gather(*(client.close() for client in echoing[begin : begin + 100]))
    assert all(client.answered for client in echoing)
    assert status["reloads"] == sum(number % 5 in (0, 1, 3) for number in range(changes))


@pytest.mark.alone
@pytest.mark.parametrize(
    ("clients", "changes"),
    [(200, 25), pytest.param(1000, 100, marks=pytest.mark.long)],
    ids=["short", "long"],
)
@pytest.mark.timeout(900)
def test_no_connection_and_no_message_is_lost(start_daemon: StartDaemon, clients: int, changes: int) -> None:
    daemon = start_daemon({}, {"echo.py": ECHO.format(number=-1)})
    daemon.log("ready")
    asyncio.run(reload_under_load(daemon, clients, changes))
