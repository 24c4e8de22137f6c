"""The short form of the bad-weather run, and what a server must hold out in one piece (SPEC 5)."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.support.raw import BINARY, CLOSE, PING, PONG, TEXT, frame

from .run import MEGABYTE, Plan, soak
from .server import Server
from .socket_client import GoneError, SocketClient

pytestmark = pytest.mark.alone


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Any]:
    """A function that starts a server; at the end of the test each is killed if it still runs."""
    started: list[Server] = []

    def start(changes: dict[str, Any] | None = None, actions: dict[str, str] | None = None) -> Server:
        started.append(Server(tmp_path / f"server{len(started)}", changes, actions))
        return started[-1]

    yield start
    for server in started:
        server.kill()


def test_bad_weather_leaves_nothing_behind(servers: Any) -> None:
    quick = {
        "timeouts": {"parse": 1, "inactivity": 10, "close": 1, "pong": 3},
        "webSockets": {"ping": 1},
        "limits": {"maxBacklog": "100KB"},
    }
    server = servers(quick)
    plan = Plan(seconds=12, clients=250, rate=60, stay=4, seed=1)
    found = uvloop.run(soak(server, plan, print))
    assert not found["wrong"], found
    assert server.stop() == 0


# For clients who have no time to answer pings.
_PATIENT: dict[str, Any] = {"webSockets": {"ping": "never"}, "timeouts": {"inactivity": "5 mins"}}


async def open_many(server: Server, count: int, path: str) -> list[SocketClient]:
    clients = []
    for _ in range(count):
        client = await SocketClient(server.address).__aenter__()
        await client.upgrade(path)
        clients.append(client)
    return clients


async def until_closed(client: SocketClient) -> list[tuple[int, bytes]]:
    """All frames until the server closes TCP; pings and the Close are answered."""
    frames = []
    try:
        while True:
            opcode, payload = await client.answer()
            frames.append((opcode, payload))
            if opcode == CLOSE:
                await client.send(frame(CLOSE, payload[:2]))
    except GoneError:
        client.socket.close()
        return frames


def stop_with_many(server: Server, count: int, slow: int) -> None:
    """SIGTERM with `count` open connections, of which `slow` read the most of what was sent only then."""

    async def run() -> None:
        clients = await open_many(server, count, "/soak/echo")
        sent = [bytes([number % 256]) * 100_000 for number in range(20)]
        for client in clients[:slow]:
            # More than the kernel's buffers take: the rest waits in the server.
            for message in sent:
                await client.send(frame(BINARY, message, key=bytes(4)))
        for client in clients[slow:]:
            await client.send(frame(TEXT, b"before"))
        await asyncio.sleep(1)
        begun = time.monotonic()
        server.terminate()
        closes = [(CLOSE, struct.pack("!H", 1001) + b"Server stopping")]
        received = await asyncio.gather(*(until_closed(client) for client in clients))
        for frames in received[:slow]:
            assert frames == [*((BINARY, message) for message in sent), *closes]
        for frames in received[slow:]:
            assert frames == [(TEXT, b"before"), *closes]
        assert server.wait() == 0
        assert time.monotonic() - begun < 30

    uvloop.run(run())


def test_a_stop_tells_everybody_and_loses_nothing(servers: Any) -> None:
    stop_with_many(servers({"limits": {"maxBacklog": "4MB"}, **_PATIENT}), 400, slow=5)


@pytest.mark.long
def test_a_stop_with_ten_thousand_connections(servers: Any) -> None:
    patient = {**_PATIENT, "timeouts": {"inactivity": "5 mins", "close": "20 secs"}}
    stop_with_many(servers({"limits": {"maxBacklog": "4MB"}, **patient}), 10_000, slow=5)


_BLOCKS = """\
import time

from ioto_server import Event, Web, action


@action("/soak/blocks")
async def blocks(web: Web) -> None:
    web.on_event(on_event)
    await web.wait()


def on_event(ws, event, data, arg):
    if event is Event.MESSAGE:
        time.sleep(float(data))
        ws.send("done")
"""


def block(server: Server, seconds: float) -> None:
    """An action blocks the loop for so long, twice; nobody beside it may lose the connection."""

    async def run() -> None:
        clients = await open_many(server, 50, "/soak/echo")
        blocker = (await open_many(server, 1, "/soak/blocks"))[0]
        told: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()

        async def listen(client: SocketClient) -> None:
            while True:
                told.put_nowait(await client.answer())

        listening = [asyncio.ensure_future(listen(client)) for client in (*clients, blocker)]
        for _ in range(2):
            await blocker.send(frame(TEXT, str(seconds).encode()))
            assert await told.get() == (TEXT, b"done")
            # Long enough for deadlines that were wrongly kept to come.
            await asyncio.sleep(3)
        assert told.empty()
        for task, client in zip(listening, (*clients, blocker), strict=True):
            task.cancel()
            client.socket.close()
        await asyncio.wait(listening)

    uvloop.run(run())
    log = server.causes()
    assert log["callback held the loop"] >= 2
    assert not log["closed: keep-alive timeout"]


_KEEPALIVE = {"webSockets": {"ping": 1}, "timeouts": {"pong": 2}}


def test_a_blocked_loop_costs_nobody_the_connection(servers: Any) -> None:
    block(servers(_KEEPALIVE, {"blocks.py": _BLOCKS}), 3)


@pytest.mark.long
def test_a_loop_blocked_for_half_a_minute_costs_nobody_the_connection(servers: Any) -> None:
    block(servers(_KEEPALIVE, {"blocks.py": _BLOCKS}), 30)


_PUBLISHES = """\
import asyncio
import os

from ioto_server import Event, Host, Web, action


@action("/soak/publish")
async def publish(web: Web) -> None:
    async for message in web.websocket:
        for _ in range(int(message)):
            web.host.publish("news", os.urandom(1_000_000))
            await asyncio.sleep(0.01)
        await web.websocket.send("published")
"""


def hold(server: Server, limit: int, halves: int, deaf: int, messages: int) -> None:
    """Half-sent messages of 1 MB from `halves` clients, `deaf` ones that never read `messages` MB."""

    async def run() -> None:
        idle = server.resident
        listeners = await open_many(server, deaf, "/soak/news")
        senders = await open_many(server, halves, "/soak/echo")
        publisher = (await open_many(server, 1, "/soak/publish"))[0]
        half = frame(BINARY, bytes(1_000_000), key=bytes(4))[:500_000]
        most = [0]

        async def watch() -> None:
            while True:
                most[0] = max(most[0], server.resident)
                await asyncio.sleep(0.05)

        async def send(client: SocketClient) -> None:
            with suppress(ConnectionError):
                await client.send(half)

        watching = asyncio.ensure_future(watch())
        await publisher.send(frame(TEXT, str(messages).encode()))
        await asyncio.gather(*(send(client) for client in senders))
        assert await publisher.answer() == (TEXT, b"published")
        state = await server.state()
        watching.cancel()
        print(f"idle {idle / MEGABYTE:.1f} MB, most {most[0] / MEGABYTE:.1f} MB, {state}")
        assert state["held"] <= limit
        assert most[0] <= 1.2 * (limit + idle)
        assert state["websockets"] > 0
        for client in (*listeners, *senders, publisher):
            client.socket.close()
        await server.rest()

    uvloop.run(run())
    assert server.causes()["closed: over limits.memory"] > 0


_LARGE = {"maxFrame": "2MB", "maxMessage": "2MB"}


def test_memory_stays_within_its_limit(servers: Any) -> None:
    server = servers({"limits": {"memory": "32MB", **_LARGE}, **_PATIENT}, {"publishes.py": _PUBLISHES})
    hold(server, 32 * MEGABYTE, halves=300, deaf=50, messages=4)


@pytest.mark.long
def test_memory_stays_within_its_limit_with_thousands(servers: Any) -> None:
    server = servers({"limits": {"memory": "64MB", **_LARGE}, **_PATIENT}, {"publishes.py": _PUBLISHES})
    hold(server, 64 * MEGABYTE, halves=2000, deaf=200, messages=10)


def test_pings_of_a_healthy_client_are_answered_beside_a_flood(servers: Any) -> None:
    """One connection that sends nothing but tiny frames does not keep the loop for itself."""
    server = servers()

    async def run() -> None:
        flooder, healthy = await open_many(server, 2, "/soak/echo")
        flood = frame(PING, b"x", key=bytes(4)) * 20_000

        async def keep_flooding() -> None:
            while True:
                await flooder.send(flood)

        async def keep_reading() -> None:
            while True:
                await flooder.read()

        beside = [asyncio.ensure_future(keep_flooding()), asyncio.ensure_future(keep_reading())]
        for number in range(20):
            await healthy.send(frame(PING, b"%d" % number))
            assert await asyncio.wait_for(healthy.frame(), 20) == (PONG, b"%d" % number)
        for task in beside:
            task.cancel()
        await asyncio.wait(beside)
        flooder.socket.close()
        healthy.socket.close()

    uvloop.run(run())
