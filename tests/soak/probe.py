"""Healthy clients in a process of their own, who measure how long an echo takes them.

python -m tests.soak.probe PORT SECONDS     prints {"p50": ms, "p99": ms, "count": n}
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

import uvloop

from tests.support.raw import TEXT, frame

from .socket_client import SocketClient

_CLIENTS = 20
_PAUSE = 0.05


async def one(address: tuple[str, int], until: float, times: list[float]) -> None:
    """One client: a small message, its echo, a pause."""
    async with SocketClient(address) as client:
        await client.upgrade("/soak/echo")
        while time.monotonic() < until:
            text = os.urandom(16).hex().encode()
            begun = time.monotonic()
            await client.send(frame(TEXT, text))
            answer = await client.answer()
            times.append(time.monotonic() - begun)
            if answer != (TEXT, text):
                raise SystemExit(f"a healthy client got {answer!r} for {text!r}")
            await asyncio.sleep(_PAUSE)
        await client.close()


async def measure(port: int, seconds: float) -> dict[str, float]:
    times: list[float] = []
    until = time.monotonic() + seconds
    await asyncio.gather(*(one(("127.0.0.1", port), until, times) for _ in range(_CLIENTS)))
    times.sort()
    return {
        "p50": round(times[len(times) // 2] * 1000, 2),
        "p99": round(times[len(times) * 99 // 100] * 1000, 2),
        "count": len(times),
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(measure(int(sys.argv[1]), float(sys.argv[2])))))
