"""Measure the codec beside others' in one process: `make bench-codec`.

Parse + unmask + deliver as `bytes`, and frame + send, for four sizes of binary messages; every round measures
each codec once, so that what else the machine does falls on all of them. Unmasking stands beside memcpy.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import os
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from ioto_server.websocket import BUILD, octets
from tests.bench.codec.codecs import CODECS
from tests.websocket.wire import length

SIZES = {"64 B": 64, "1 KiB": 1024, "64 KiB": 65536, "1 MiB": 1 << 20}
KEY = b"\x37\xfa\x21\x3d"


def timed(work: Callable[[], object], times: int) -> float:
    """Seconds of the processor for one call: what else runs here meanwhile does not count."""
    start = process_time()
    for _ in range(times):
        work()
    return (process_time() - start) / times


def interleaved(
    works: dict[str, Callable[[], object]], rounds: int, seconds: float
) -> dict[str, list[float]]:
    """Measure each in turn, `rounds` times, each time for about so many seconds."""
    times = {name: max(1, int(seconds / max(timed(work, 3), 1e-7))) for name, work in works.items()}
    results: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            results[name].append(timed(work, times[name]))
    return results


def show(title: str, results: dict[str, list[float]], base: str) -> None:
    print(f"\n{title}: processor's microseconds, min-median-max; times as long as {base}'s median")
    for name, values in results.items():
        low, middle, high = (value * 1e6 for value in (min(values), median(values), max(values)))
        ratio = median(values) / median(results[base])
        print(f"  {name:12} {low:10.3f} {middle:10.3f} {high:10.3f}   x {ratio:6.2f}")


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.02)
    options = parser.parse_args()
    print(f"the {BUILD} build; {options.rounds} rounds, interleaved")
    codecs = {name: make() for name, make in CODECS.items()}
    for name, size in SIZES.items():
        payload = os.urandom(size)
        wire = memoryview(b"\x82" + length(size) + KEY + octets.mask(payload, KEY))
        for codec, (deliver, _) in codecs.items():
            got = deliver(wire)
            assert type(got) is bytes, codec
            assert got == payload, codec
        works = {
            codec: lambda deliver=deliver, wire=wire: deliver(wire) for codec, (deliver, _) in codecs.items()
        }
        show(f"parse, unmask, deliver {name}", interleaved(works, options.rounds, options.seconds), "ours")
        works = {
            codec: lambda send=send, payload=payload: send(payload) for codec, (_, send) in codecs.items()
        }
        show(f"frame, send {name}", interleaved(works, options.rounds, options.seconds), "ours")
    compare_with_memcpy(options.rounds, options.seconds)


def compare_with_memcpy(rounds: int, seconds: float) -> None:
    size = 1 << 20
    source = bytearray(os.urandom(size))
    target = bytearray(size)
    to = (ctypes.c_char * size).from_buffer(target)
    of = (ctypes.c_char * size).from_buffer(source)
    key = octets.read_key(bytearray(KEY), 0)
    works: dict[str, Callable[[], object]] = {
        "memcpy": lambda: ctypes.memmove(to, of, size),
        "copy": lambda: bytes(source),
        "unmask": lambda: octets.unmask(source, 0, size, key),
    }
    show("unmask 1 MiB into new bytes", interleaved(works, rounds, seconds), "memcpy")


if __name__ == "__main__":
    asyncio.run(main())
