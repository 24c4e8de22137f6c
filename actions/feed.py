"""Live feed: the machine's load, once a second, to everybody who listens.

One background task measures, however many listen, and only while somebody does. It belongs to this plugin: it
is cancelled when the server stops, and when a reload puts another edition of this file in its place.
"""

import asyncio
import json
import os
import time
from pathlib import Path

from ioto_server import Host, Web, action

TOPIC = "feed/load"


@action("/ws/feed")
async def feed(web: Web) -> None:
    """Serve one listener until it leaves."""
    web.websocket.subscribe(TOPIC)
    await web.wait()


def io_start(host: Host) -> None:
    """Begin to measure."""
    host.spawn(push(host), name="feed")


async def push(host: Host) -> None:
    """Measure once a second and publish, while somebody listens."""
    before = None
    while True:
        # A reading needs a second to look back at: the first one comes when that has passed.
        await asyncio.sleep(1)
        after = cpu_times() if host.topics.count(TOPIC) else None
        if before is not None and after is not None:
            host.publish(TOPIC, json.dumps(measure(host, before, after)))
        before = after


def measure(host: Host, before: tuple[int, int], after: tuple[int, int]) -> dict[str, object]:
    """One reading of the machine."""
    total, idle = after[0] - before[0], after[1] - before[1]
    return {
        "time": time.time(),
        "load": list(os.getloadavg()),
        "cpu": round(100 * (1 - idle / total), 1) if total else 0.0,
        "memory": memory_used(),
        "connections": len(host.websockets),
    }


def cpu_times() -> tuple[int, int]:
    """All CPU time since boot and the idle part of it, in clock ticks (proc(5), /proc/stat)."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(fields), fields[3] + fields[4]


def memory_used() -> float:
    """Memory in use, in percent (proc(5), /proc/meminfo)."""
    sizes: dict[str, int] = {}
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        sizes[name] = int(rest.split()[0])
    return round(100 * (1 - sizes["MemAvailable"] / sizes["MemTotal"]), 1)
