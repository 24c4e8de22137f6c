"""The run itself: calm, storm, calm again; what was there before must be there after."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support import REPOSITORY
from tests.support.priority import prefer

from .server import Server
from .weather import Weather, blow

MEGABYTE = 1024 * 1024

# What each kind of misbehaviour must have been called in the log.
NAMED = (
    "closed: connection lost",
    "closed: keep-alive timeout",
    "closed: peer broke the protocol",
    "closed: peer closed",
    "closed: peer left without a Close",
    "closed: peer reads too slowly",
    "closed: peer sent invalid data",
    "closed: peer went over a limit",
    "refused: 408",
)

# What must not be in the log whatever comes.
NEVER = ("unhandled", "action failed", "timer failed", "action ignores its cancellation", "action cancelled")


@dataclass
class Plan:
    """How long and how hard it blows."""

    seconds: float
    clients: int
    rate: float
    stay: float
    seed: int
    measure_latency: bool = False
    realtime: bool = False


async def probe(server: Server, seconds: float, realtime: bool) -> dict[str, float]:
    """What healthy clients measure for so long."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.soak.probe",
        str(server.port),
        str(seconds),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
    )
    if realtime:
        prefer(process.pid)
    output, _ = await process.communicate()
    assert process.returncode == 0, "a healthy client lost its connection or got a wrong answer"
    measured: dict[str, float] = json.loads(output)
    return measured


async def soak(server: Server, plan: Plan, say: Callable[[str], None]) -> dict[str, Any]:
    """Run the plan; returns what was found, with what is wrong under `wrong`."""
    weather = Weather(server.address, random.Random(plan.seed), plan.stay)
    # The first storm fills what is kept for ever: caches, free lists, the heap's pools.
    first = plan.seconds / 3
    if plan.realtime:
        prefer(server.pid)
    calm = [await probe(server, 5, plan.realtime) for _ in range(3)] if plan.measure_latency else []
    await blow(weather, plan.clients, first, plan.rate)
    before = await settle(server)
    say(f"after the first {first:.0f} s: {before}")
    storm: list[dict[str, float]] = []

    async def keep_probing() -> None:
        while plan.measure_latency:
            storm.append(await probe(server, min(15, (plan.seconds - first) / 3), plan.realtime))
            websockets = (await server.state())["websockets"]
            resident = server.resident // MEGABYTE
            say(f"{websockets} WebSockets, {resident} MB, p99 of healthy clients {storm[-1]['p99']} ms")

    probing = asyncio.ensure_future(keep_probing())
    cpu = server.cpu
    await blow(weather, plan.clients, plan.seconds - first, plan.rate)
    cpu = (server.cpu - cpu) / (plan.seconds - first)
    probing.cancel()
    await asyncio.wait([probing])
    # It ends by itself only when a healthy client was treated badly.
    unwell = None if probing.cancelled() else probing.exception()
    after = await settle(server, before["descriptors"])
    say(f"after the storm, in which the clients were up to {weather.late:.1f} s late: {after}")
    found = {
        "before": before,
        "after": after,
        "server's share of a core": round(cpu, 2),
        "met": dict(weather.met.most_common()),
        "log": dict(sorted(server.causes().items())),
        "wrong": faults(server, before, after) + ([f"beside the storm: {unwell!r}"] if unwell else []),
    }
    if storm:
        found["p99 calm"] = statistics.median(one["p99"] for one in calm)
        found["p99 storm"] = statistics.median(one["p99"] for one in storm)
    return found


async def settle(server: Server, descriptors: int | None = None) -> dict[str, int]:
    """Wait until everybody has gone; returns what the server holds then.

    A connection without a WebSocket may linger for its timeout still, the one that asked for the state among
    them, so descriptors are waited for: until no more are open than `descriptors`, for a minute; the first
    time, for the fewest of some seconds.
    """
    state = await server.rest()
    fewest = server.descriptors
    for _ in range(30 if descriptors is None else 600):
        if descriptors is not None and fewest <= descriptors:
            break
        await asyncio.sleep(0.1)
        fewest = min(fewest, server.descriptors)
    return {**state, "descriptors": fewest, "resident": server.resident}


def faults(server: Server, before: dict[str, int], after: dict[str, int]) -> list[str]:
    """What did not hold."""
    wrong = [
        f"{name}: {before[name]} before, {after[name]} after"
        for name in ("tasks", "websockets", "held", "holders", "subscribers", "descriptors")
        if after[name] > before[name]
    ]
    if after["resident"] > before["resident"] * 1.1 + 2 * MEGABYTE:
        wrong.append(f"resident memory: {before['resident']} bytes before, {after['resident']} after")
    log = server.causes()
    wrong += [f"the log never says {cause!r}" for cause in NAMED if not log[cause]]
    wrong += [f"the log says {event!r} {log[event]} times" for event in NEVER if log[event]]
    return wrong
