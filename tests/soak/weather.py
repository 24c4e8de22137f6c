"""The clients of the bad-weather run: each a way to behave badly, and a few good ones among them."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from tests.support.raw import BINARY, CONTINUATION, PING, TEXT, frame

from .socket_client import GoneError, SocketClient

Address = tuple[str, int]
Behaviour = Callable[["Weather"], Awaitable[None]]


# Made once: masking them takes these clients longer than it takes the server to undo it.
LARGE = frame(BINARY, bytes(60_000), key=bytes(4))
HALF = frame(BINARY, bytes(130_000), key=bytes(4))[:100_000]
PINGS = frame(PING, b"x" * 20) * 1000
FRAGMENTS = frame(CONTINUATION, b"", fin=False) * 1000


@dataclass
class Weather:
    """What all clients share: where the server is, chance, and for how long a client stays."""

    address: Address
    chance: random.Random
    stay: float
    # By how much, in seconds, these clients were late themselves: who is later than timeouts.pong is lost.
    late: float = 0.0
    met: Counter[str] = field(default_factory=Counter)

    def client(self, *, receive_buffer: int | None = None) -> SocketClient:
        return SocketClient(self.address, receive_buffer=receive_buffer)

    def while_it_lasts(self) -> float:
        """How long this one stays, in seconds."""
        return self.chance.uniform(0.1, 1.0) * self.stay


async def behaves(weather: Weather) -> None:
    """Sends now and then, answers pings at once, reads everything, closes properly."""
    async with weather.client() as client:
        await client.upgrade("/soak/echo")
        end = asyncio.get_running_loop().time() + weather.while_it_lasts()
        while asyncio.get_running_loop().time() < end:
            # One read at a time, and none is ever given up: what it had taken would be lost.
            answer = asyncio.ensure_future(client.answer())
            try:
                early, _ = await asyncio.wait([answer], timeout=weather.chance.uniform(0.2, 6.0))
                assert not early, f"nothing was sent, got {answer.result()!r}"
                text = os.urandom(weather.chance.randrange(1, 300)).hex().encode()
                await client.send(frame(TEXT, text))
                assert await answer == (TEXT, text), f"sent {text!r}, got {answer.result()!r}"
            finally:
                answer.cancel()
        await client.close()


async def listens(weather: Weather) -> None:
    """Subscribes, hears what is published, answers pings, closes properly."""
    async with weather.client() as client:
        await client.upgrade("/soak/news")
        end = asyncio.get_running_loop().time() + weather.while_it_lasts()
        while asyncio.get_running_loop().time() < end:
            opcode, payload = await client.answer()
            assert (opcode, payload) == (TEXT, b"n" * 2000), f"heard {payload[:50]!r}"
        await client.close()


async def stops_reading(weather: Weather) -> None:
    """Subscribes to everything and reads nothing."""
    async with weather.client(receive_buffer=4096) as client:
        await client.upgrade("/soak/news")
        await asyncio.sleep(weather.stay)


async def stops_reading_echoes(weather: Weather) -> None:
    """Sends large messages and reads none of the answers."""
    async with weather.client(receive_buffer=4096) as client:
        await client.upgrade("/soak/echo")
        for _ in range(100):
            await client.send(LARGE)
        await asyncio.sleep(weather.stay)


async def reads_a_byte_a_second(weather: Weather) -> None:
    """Takes what is published, one byte at a time."""
    async with weather.client(receive_buffer=4096) as client:
        await client.upgrade("/soak/news")
        end = asyncio.get_running_loop().time() + weather.stay
        while asyncio.get_running_loop().time() < end:
            await client.read(1)
            await asyncio.sleep(1)


async def sends_a_byte_a_second(weather: Weather) -> None:
    """A message that comes one byte at a time, with every ping answered late or not at all."""
    async with weather.client() as client:
        await client.upgrade("/soak/echo")
        end = asyncio.get_running_loop().time() + weather.while_it_lasts()
        for place in frame(TEXT, b"x" * 1000):
            await client.send(bytes([place]))
            await asyncio.sleep(1)
            if asyncio.get_running_loop().time() > end:
                break


async def sends_a_header_byte_by_byte(weather: Weather) -> None:
    """The request itself comes too slowly: 408."""
    async with weather.client() as client:
        for place in b"GET /soak/echo HTTP/1.1\r\nHost: localhost\r\n":
            await client.send(bytes([place]))
            await asyncio.sleep(0.5)


async def says_nothing(weather: Weather) -> None:
    """Connects, as browsers do in advance, and waits to be closed."""
    async with weather.client() as client:
        await client.read()


async def vanishes(weather: Weather) -> None:
    """Loses power: no FIN, no reset, no answer to pings."""
    async with weather.client() as client:
        await client.upgrade("/soak/echo")
        await client.send(frame(TEXT, b"last words"))
        await asyncio.sleep(weather.chance.uniform(0, 1))
        if not client.vanish():
            await asyncio.sleep(weather.stay)


async def half_closes(weather: Weather) -> None:
    """Shuts its side without a Close and goes on reading."""
    async with weather.client() as client:
        await client.upgrade("/soak/echo")
        await client.send(frame(TEXT, b"over"))
        client.finish_sending()
        while True:
            await client.read()


async def only_pings(weather: Weather) -> None:
    """Pings and never says anything else."""
    async with weather.client() as client:
        await client.upgrade("/soak/echo")
        end = asyncio.get_running_loop().time() + weather.while_it_lasts()
        while asyncio.get_running_loop().time() < end:
            await client.send(frame(PING, b"still here?"))
            await client.frame()
            await asyncio.sleep(0.5)
        await client.close()


async def floods_pings(weather: Weather) -> None:
    """Sends pings as fast as they are taken, and reads no pong."""
    async with weather.client() as client:
        await client.upgrade("/soak/echo")
        for _ in range(20):
            await client.send(PINGS)
            await asyncio.sleep(0.05)


async def floods_empty_fragments(weather: Weather) -> None:
    """A message of nothing but empty fragments, until the limit on them ends it."""
    async with weather.client() as client:
        await client.upgrade("/soak/echo")
        await client.send(frame(TEXT, b"", fin=False))
        for _ in range(200):
            await client.send(FRAGMENTS)
            await asyncio.sleep(0.02)


async def resets_in_mid_frame(weather: Weather) -> None:
    """Breaks off with a reset, half of a message sent."""
    async with weather.client() as client:
        await client.upgrade("/soak/echo")
        await client.send(LARGE[: weather.chance.randrange(1, 40_000)])
        await asyncio.sleep(weather.chance.uniform(0, 2))
        client.reset()


async def holds_half_a_message(weather: Weather) -> None:
    """Sends half of a large message and keeps its promise of the rest to itself."""
    async with weather.client() as client:
        await client.upgrade("/soak/echo")
        await client.send(HALF)
        await asyncio.sleep(weather.while_it_lasts())


async def breaks_the_rules(weather: Weather) -> None:
    """Sends what no client may send, and stays to see what happens."""
    wrong = weather.chance.choice(
        [b"\xff\xff", b"\x83\x80\0\0\0\0", b"\x81\x05hello", b"\x81\x81\0\0\0\0\xff"]
    )
    async with weather.client() as client:
        await client.upgrade("/soak/echo")
        await client.send(frame(TEXT, b"before") + wrong)
        while True:
            await client.read()


async def leaves_at_once(weather: Weather) -> None:
    """Closes the socket in the midst of the handshake."""
    async with weather.client() as client:
        await client.send(b"GET /soak/echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n")


# How many of some hundred clients behave in which way, and how many of a kind there may be at once: floods
# keep a core busy each, and this is about bad weather, not about how much of it there can be.
KINDS: dict[Behaviour, tuple[int, int]] = {
    behaves: (50, 10_000),
    listens: (16, 200),
    only_pings: (14, 2_000),
    says_nothing: (8, 10_000),
    sends_a_byte_a_second: (6, 10_000),
    vanishes: (6, 10_000),
    half_closes: (4, 10_000),
    resets_in_mid_frame: (4, 10_000),
    leaves_at_once: (4, 10_000),
    breaks_the_rules: (3, 10_000),
    holds_half_a_message: (3, 500),
    sends_a_header_byte_by_byte: (3, 10_000),
    reads_a_byte_a_second: (2, 200),
    stops_reading: (2, 200),
    stops_reading_echoes: (1, 30),
    floods_pings: (1, 1),
    floods_empty_fragments: (1, 1),
}


async def run_one(behaviour: Behaviour, weather: Weather) -> None:
    """Be one client to its end; what the server does to it is no error here."""
    weather.met[behaviour.__name__] += 1
    # They come one by one, not in step with the loop that makes them.
    await asyncio.sleep(weather.chance.uniform(0, 0.1))
    with suppress(GoneError, ConnectionError):
        await behaviour(weather)


async def blow(weather: Weather, clients: int, seconds: float, spawn_rate: float) -> None:
    """Keep about `clients` connected for `seconds`, with `spawn_rate` new ones a second; then all leave."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    running: dict[asyncio.Task[None], Behaviour] = {}
    counts: Counter[Behaviour] = Counter()
    failures: list[BaseException] = []

    def ended(task: asyncio.Task[None]) -> None:
        counts[running.pop(task)] -= 1
        if not task.cancelled() and task.exception() is not None:
            failures.append(task.exception())  # type: ignore[arg-type]

    kinds = list(KINDS)
    weights = [KINDS[kind][0] for kind in kinds]
    while loop.time() < end and not failures:
        turn = loop.time()
        for behaviour in weather.chance.choices(kinds, weights, k=max(1, round(spawn_rate / 10))):
            if len(running) < clients and counts[behaviour] < KINDS[behaviour][1]:
                task = asyncio.ensure_future(run_one(behaviour, weather))
                running[task] = behaviour
                counts[behaviour] += 1
                task.add_done_callback(ended)
        await asyncio.sleep(0.1)
        weather.late = max(weather.late, loop.time() - turn - 0.1)
    for task in list(running):
        task.cancel()
    while running:
        await asyncio.wait(list(running))
        await asyncio.sleep(0)
    if failures:
        raise failures[0]
