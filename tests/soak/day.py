"""`python -m tests.soak.day --for 1h`: a day in the life of a daemon, quickly, and does anything grow?

The clock is not ours to turn in a real daemon on real sockets. So the timeouts are minutes made seconds, and
connections come and go as quickly as the machine lets them: cycle after cycle of bad weather, of quick
visitors and of an operator who edits, reloads, looks and rotates the log. After each cycle, when everybody
has left, it is counted what is left: that must not grow. Written to artefacts/soak-day.svg and .json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import ssl
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import trustme
import uvloop

from tests.support import REPOSITORY

from .__main__ import seconds
from .churn import Churn, ask_for_many, churn_until
from .operator import Operator
from .plot import Panel, svg
from .run import NEVER
from .server import Server
from .trend import Trend, trend
from .weather import Weather, blow

MEGABYTE = 1024 * 1024

# Rests without which there is no trend to speak of.
_FEWEST = 12

ACTIONS = """\
import asyncio

from ioto_server import Event, Web, action


@action("/soak/iterates")
async def iterates(web: Web) -> None:
    async for message in web.websocket:
        await web.websocket.send(message)


@action("/soak/topics")
async def topics(web: Web) -> None:
    async for topic in web.websocket:
        web.websocket.subscribe(topic)
        web.host.publish(topic, topic)


@action("/soak/raises")
async def raises(web: Web) -> None:
    web.on_event(on_event)
    await web.wait()


def on_event(ws, event, data, arg) -> None:
    if event is Event.MESSAGE:
        raise RuntimeError("as asked")


@action("/soak/events")
async def events(web: Web) -> None:
    for number in range(1000):
        await web.write_event(str(number))
        await asyncio.sleep(0.05)
"""

QUICKLY: dict[str, Any] = {
    "listen": ["http://127.0.0.1:0", "https://127.0.0.1:0"],
    "metrics": {"listen": "http://127.0.0.1:0"},
    "limits": {"maxBacklog": "200KB"},
    "timeouts": {"parse": 1, "inactivity": 8, "close": 1, "pong": 3},
    "webSockets": {"ping": 1, "compress": True},
    "routes": [
        {"match": "/soak/", "handler": "action"},
        {"match": "/upload/", "methods": ["DELETE", "GET", "PUT"], "trim": "/upload", "documents": "upload"},
        {},
    ],
}


@dataclass(frozen=True)
class Sample:
    """What the daemon held when everybody had left; `at` in seconds, memory in bytes."""

    at: float
    resident: int
    blocks: int
    descriptors: int
    tasks: int
    held: int


@dataclass
class Day:
    """Everything that was seen."""

    rests: list[Sample] = field(default_factory=list)
    busy: list[tuple[float, int, int]] = field(default_factory=list)
    log: Counter[str] = field(default_factory=Counter)
    did: Counter[str] = field(default_factory=Counter)
    cpu: float = 0.0

    @property
    def settled(self) -> list[Sample]:
        """Without the first quarter, in which caches and the heap's pools are filled."""
        return self.rests[len(self.rests) // 4 :]

    def trend(self, of: str) -> Trend:
        """Per hour."""
        return trend([one.at / 3600 for one in self.settled], [getattr(one, of) for one in self.settled])

    def faults(self) -> list[str]:
        """What grows, or should not have happened."""
        wrong = [
            f"{name} grows by {found.slope:.1f} ± {found.margin:.1f} an hour"
            for name in ("resident", "blocks", "descriptors", "tasks")
            if (found := self.trend(name)).grows
        ]
        first, last = self.settled[0], self.settled[-1]
        wrong += [
            f"{name}: {getattr(first, name)} after the warm-up, {getattr(last, name)} at the end"
            for name in ("descriptors", "tasks", "held")
            if getattr(last, name) > getattr(first, name)
        ]
        return wrong + [
            f"the log says {event!r}" for event in NEVER if self.log[event] and event != "action failed"
        ]


async def live(
    server: Server,
    folder: Path,
    trust: ssl.SSLContext,
    span: float,
    cycle: float,
    seed: int,
    say: Callable[[str], None],
) -> Day:
    """Cycles of `cycle` seconds until `span` is over, each with a rest behind it."""
    loop = asyncio.get_running_loop()
    day, chance = Day(), random.Random(seed)
    operator = Operator(server, folder)
    churn = Churn(server, trust, chance)
    begun = loop.time()

    async def watch() -> None:
        while True:
            await asyncio.sleep(2)
            day.busy.append((loop.time() - begun, server.resident, server.descriptors))

    await ask_for_many(server)
    watching = asyncio.ensure_future(watch())
    while loop.time() - begun < span or len(day.rests) < _FEWEST:
        weather = Weather(server.address, chance, cycle / 2)
        await asyncio.gather(
            blow(weather, 150, cycle, 25),
            churn_until(churn, loop.time() + cycle, 24),
            operator.shift(),
        )
        day.did += weather.met
        state = await server.rest()
        # Freed memory goes back when the wheel has been quiet for a second.
        await asyncio.sleep(2)
        sample = Sample(
            loop.time() - begun,
            server.resident,
            state["blocks"],
            server.descriptors,
            state["tasks"],
            state["held"],
        )
        day.rests.append(sample)
        for old in operator.rotated:
            day.log += server.causes(old)
            old.unlink()
        operator.rotated.clear()
        say(f"{sum(churn.done.values()) + sum(day.did.values())} visits, {asdict(sample)}")
    watching.cancel()
    day.did += churn.done
    day.log += server.causes()
    day.cpu = server.cpu
    return day


def draw(day: Day) -> str:
    """The day as three diagrams."""
    memory = day.trend("resident")
    minutes = [(one.at / 60, one) for one in day.rests]
    busy = [(at / 60, resident / MEGABYTE, open_now) for at, resident, open_now in day.busy]
    slope = f"{memory.slope / MEGABYTE:+.3f} ± {memory.margin / MEGABYTE:.3f} MB an hour"
    return svg(
        f"{sum(day.did.values())} visits in {day.rests[-1].at / 60:.0f} minutes",
        "minutes (grey: while they come and go; blue: when everybody has left)",
        [
            Panel(
                f"resident memory, MB: {slope} at rest, 95 % confidence, first quarter left out",
                [("#bbb", [(at, resident) for at, resident, _ in busy])],
                [("#06c", [(at, one.resident / MEGABYTE) for at, one in minutes])],
            ),
            Panel(
                "thousands of blocks allocated by Python, at rest",
                dots=[("#06c", [(at, one.blocks / 1000) for at, one in minutes])],
                from_zero=False,
            ),
            Panel(
                "open descriptors",
                [("#bbb", [(at, open_now) for at, _, open_now in busy])],
                [("#06c", [(at, one.descriptors) for at, one in minutes])],
            ),
            Panel("tasks, at rest", dots=[("#06c", [(at, one.tasks) for at, one in minutes])]),
        ],
    )


def summary(day: Day) -> dict[str, Any]:
    """The figures, for people and programs."""
    trends = {name: day.trend(name) for name in ("resident", "blocks", "descriptors", "tasks")}
    return {
        "minutes": round(day.rests[-1].at / 60, 1),
        "visits": sum(day.did.values()),
        "visits a second": round(sum(day.did.values()) / day.rests[-1].at, 1),
        "server's CPU seconds": round(day.cpu, 1),
        "an hour, with 95 % confidence": {
            name: f"{one.slope:+.1f} ± {one.margin:.1f}" for name, one in trends.items()
        },
        "first rest": asdict(day.rests[0]),
        "after the warm-up": asdict(day.settled[0]),
        "last rest": asdict(day.rests[-1]),
        "did": dict(day.did.most_common()),
        "log": dict(sorted(day.log.items())),
        "wrong": day.faults(),
    }


def serve(folder: Path, actions: dict[str, str]) -> tuple[Server, ssl.SSLContext]:
    """Start the daemon of such a day; returns how to trust its certificate too."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "crt").write_bytes(b"".join(one.bytes() for one in issued.cert_chain_pems))
    (folder / "key").write_bytes(issued.private_key_pem.bytes())
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    changes = {**QUICKLY, "tls": {"certificate": "crt", "key": "key"}}
    return Server(folder, changes, {"day.py": ACTIONS, **actions}), trust


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.day", description=__doc__)
    parser.add_argument("--for", dest="seconds", type=seconds, default=3600.0, help="how long in all (1h)")
    parser.add_argument("--cycle", type=seconds, default=20.0, help="between two rests (20s)")
    parser.add_argument("--seed", type=int, default=0, help="of chance (another each day of the year)")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "artefacts", help="folder of the plot")
    options = parser.parse_args()
    begun = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - begun:6.0f} s  {text}", flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "server")
        server, trust = serve(folder, {})
        try:
            seed = options.seed or time.localtime().tm_yday
            day = uvloop.run(live(server, folder, trust, options.seconds, options.cycle, seed, say))
            code = server.stop()
        finally:
            server.kill()
    found = summary(day)
    if code != 0:
        found["wrong"].append(f"exit code {code} on SIGTERM")
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "soak-day.svg").write_text(draw(day))
    everything = {**found, "rests": [asdict(one) for one in day.rests], "busy": day.busy}
    (options.output / "soak-day.json").write_text(json.dumps(everything))
    print(json.dumps(found, indent=2))
    raise SystemExit(1 if found["wrong"] else 0)


if __name__ == "__main__":
    main()
