"""Clients that come and go as quickly as the machine lets them, each with something else to do."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import websockets
from websockets.asyncio.client import connect

from tests.support.raw import BINARY, TEXT, frame

from .server import Server
from .socket_client import GoneError, SocketClient

Errand = Callable[["Churn"], Awaitable[None]]

# More than twice as many as are remembered of anything, and how many are asked for on one connection.
_PATHS = 2500
_OF_ONE = 500

MESSAGE = frame(TEXT, b"a short message", key=bytes(4))
MANY = frame(BINARY, bytes(200), key=bytes(4)) * 20


@dataclass
class Churn:
    """What all of them share."""

    server: Server
    trust: ssl.SSLContext
    chance: random.Random
    done: Counter[str] = field(default_factory=Counter)

    def client(self) -> SocketClient:
        return SocketClient(self.server.address)


async def says_hello(churn: Churn) -> None:
    """One message, its echo, the closing handshake."""
    async with churn.client() as client:
        await client.upgrade("/soak/echo")
        await client.send(MESSAGE)
        assert await client.answer() == (TEXT, b"a short message")
        await client.close()


async def talks(churn: Churn) -> None:
    """Twenty messages in one piece, and then it is gone without a word."""
    async with churn.client() as client:
        await client.upgrade("/soak/iterates")
        await client.send(MANY)
        for _ in range(20):
            assert await client.answer() == (BINARY, bytes(200))


async def subscribes(churn: Churn) -> None:
    """A topic of its own, made with it and gone with it."""
    async with churn.client() as client:
        await client.upgrade("/soak/topics")
        topic = f"room/{churn.chance.randrange(10**9)}"
        await client.send(frame(TEXT, topic.encode()))
        assert await client.answer() == (TEXT, topic.encode())
        await client.close()


async def is_refused(churn: Churn) -> None:
    """A handshake that the server cannot take."""
    async with churn.client() as client:
        await client.send(
            b"GET /soak/echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n"
        )
        while True:
            await client.read()


async def fails_in_the_action(churn: Churn) -> None:
    """An exception in a callback: logged, 1011."""
    async with churn.client() as client:
        await client.upgrade("/soak/raises")
        await client.send(MESSAGE)
        while True:
            await client.read()


async def browses(churn: Churn) -> None:
    """A few pages on one connection, one of them not there."""
    async with churn.client() as client:
        for path in ("/", "/app.js", "/style.css", f"/none/{churn.chance.randrange(10**9)}"):
            await client.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            await _whole_answer(client)


async def uploads(churn: Churn) -> None:
    """PUT, GET and DELETE of a file; every fifth breaks off in the middle."""
    path = f"/upload/{churn.chance.randrange(100)}.bin"
    async with churn.client() as client:
        head = f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30000\r\n\r\n".encode()
        if churn.chance.random() < 0.2:
            await client.send(head + bytes(10_000))
            return
        await client.send(head + bytes(30_000))
        await _whole_answer(client)
        for method in ("GET", "DELETE"):
            await client.send(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            await _whole_answer(client)


async def compresses(churn: Churn) -> None:
    """permessage-deflate over TLS, with another's client."""
    uri = f"wss://localhost:{churn.server.tls_port}/soak/iterates"
    with suppress(websockets.WebSocketException, OSError, TimeoutError):
        async with connect(uri, ssl=churn.trust, proxy=None, open_timeout=30) as client:
            text = "again and " * churn.chance.randrange(1, 300)
            await client.send(text)
            assert await client.recv() == text


async def follows_events(churn: Churn) -> None:
    """A stream of events over HTTP, left in the middle."""
    async with churn.client() as client:
        await client.send(b"GET /soak/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while b"data: 2" not in client.received:
            client.received += await client.read()


ERRANDS: dict[Errand, int] = {
    says_hello: 40,
    talks: 15,
    subscribes: 10,
    browses: 10,
    is_refused: 5,
    fails_in_the_action: 3,
    uploads: 7,
    compresses: 5,
    follows_events: 5,
}


async def ask_for_many(server: Server) -> None:
    """Ask for more paths than the server remembers: all that it keeps of those that came lately is full then.

    Visitors who come by chance take half an hour to fill it, which looks like growth.
    """
    for first in range(0, _PATHS, _OF_ONE):
        async with SocketClient(server.address) as client:
            for number in range(first, first + _OF_ONE):
                await client.send(f"GET /none/first/{number} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                await _whole_answer(client)


async def churn_until(churn: Churn, end: float, at_once: int) -> None:
    """Keep `at_once` errands going until the loop's time is `end`."""
    loop = asyncio.get_running_loop()
    errands, weights = list(ERRANDS), list(ERRANDS.values())

    async def run() -> None:
        while loop.time() < end:
            (errand,) = churn.chance.choices(errands, weights)
            with suppress(GoneError, ConnectionError):
                await errand(churn)
            churn.done[errand.__name__] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(run())


async def _whole_answer(client: SocketClient) -> None:
    """Read one response with a Content-Length, or without a body."""
    while b"\r\n\r\n" not in client.received:
        client.received += await client.read()
    head, _, rest = bytes(client.received).partition(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    while len(rest) < length:
        rest += await client.read()
    client.received = bytearray(rest[length:])
