"""`make bench-http`: files over HTTP, beside nginx and Python's servers, on this machine in this run.

python tests/bench/http/run.py [--rounds N] [--seconds S] [--only NAME ...] [--realtime]

Rounds are interleaved, so that what disturbs the machine disturbs all. The servers share core 0 and wrk has
core 1; what is printed is min, median and max, the ratio of ours to each peer's, of the medians, and which of
the bounds hold. So many connections are kept busy that the server is never idle: else it is measured how long
a sleeping processor takes to wake up, which is the same for all. How busy it was is printed too.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.bench.http.peers import CLIENT_CORE, Server, start_all

OURS = "ioto-server"
NGINX = "nginx"
CONNECTIONS = 128
# Our memory may move by this from round to round, in bytes.
FLAT = 2 << 20
SMALL, LARGE = 1024, 10 * 1024 * 1024
_UNITS = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}


@dataclass
class Round:
    """What one server did in one round."""

    requests: float
    """A second."""
    size: float
    """Bytes a second."""
    work: float
    """The server's processor time for a request, in seconds."""

    @property
    def busy(self) -> float:
        """The part of its core that the server has used."""
        return self.requests * self.work


def wrk(server: Server, path: str, connections: int, seconds: float) -> Round:
    before = server.cpu
    command = ["taskset", "-c", CLIENT_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s"]
    said = subprocess.run([*command, server.url(path)], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"{server.name} failed:\n{said}")
    requests = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])
    size, unit = re.search(r"Transfer/sec:\s+([\d.]+)([KMG]?B)", said).groups()
    total = int(re.search(r"(\d+) requests in", said)[1])
    return Round(requests, float(size) * _UNITS[unit], (server.cpu - before) / total)


def table(title: str, unit: str, scale: float, measured: dict[str, list[float]]) -> None:
    print(f"\n{title}\n{'':24}{'min':>10}{'median':>10}{'max':>10}  {unit:12}ours to it")
    ours = median(measured[OURS])
    for name, values in measured.items():
        low, middle, high = min(values) / scale, median(values) / scale, max(values) / scale
        print(f"{name:24}{low:10.0f}{middle:10.0f}{high:10.0f}{'':14}{ours / median(values):10.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--only", nargs="*", default=[], help="names of peers, such as nginx aiohttp")
    parser.add_argument("--realtime", action="store_true", help="go before all else on the machine (root)")
    options = parser.parse_args()
    if options.realtime:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    wanted = [OURS, *options.only] if options.only else []
    with tempfile.TemporaryDirectory() as name:
        documents = Path(name) / "documents"
        documents.mkdir()
        (documents / "small.txt").write_bytes(b"x" * SMALL)
        (documents / "large.bin").write_bytes(os.urandom(LARGE))
        servers = start_all(Path(name), documents, wanted)
        try:
            measure(servers, options.rounds, options.seconds)
        finally:
            for server in servers:
                server.stop()


def measure(servers: list[Server], rounds: int, seconds: float) -> None:
    small: dict[str, list[Round]] = {server.name: [] for server in servers}
    large: dict[str, list[Round]] = {server.name: [] for server in servers}
    memory: dict[str, list[float]] = {server.name: [] for server in servers}
    # The first is not counted: caches fill, and a file counts as settled only seconds after it was written.
    for counted in [False] + [True] * rounds:
        for server in servers:
            of_small = wrk(server, "small.txt", CONNECTIONS, seconds)
            of_large = wrk(server, "large.bin", 4, seconds)
            if counted:
                small[server.name].append(of_small)
                large[server.name].append(of_large)
                memory[server.name].append(server.memory)
    speed = {name: [one.requests for one in found] for name, found in small.items()}
    stream = {name: [one.size for one in found] for name, found in large.items()}
    table(f"1 KiB file, {CONNECTIONS} connections kept alive", "requests/s", 1, speed)
    busy = {name: [one.busy for one in found] for name, found in small.items()}
    table("The same, the part of its core that the server was busy", "%", 0.01, busy)
    work = {name: [one.work for one in found] for name, found in small.items()}
    table("The same, in the server's processor time", "us/request", 1e-6, work)
    table("10 MiB file, 4 connections kept alive", "MB/s", 1 << 20, stream)
    table("Memory after each round, resident", "MB", 1 << 20, memory)
    print("\nWhat has to be shown")
    for name in speed:
        if name != OURS:
            least = 0.5 if name == NGINX else 1
            verdict(f"requests a second for a 1 KiB file, to {name}", ratio(speed, name), least)
    if NGINX in stream:
        verdict(f"bytes a second of a 10 MiB file, to {NGINX}", ratio(stream, NGINX), 0.5)
    moved = max(memory[OURS]) - min(memory[OURS])
    held = "holds" if moved <= FLAT else "DOES NOT HOLD"
    print(f"{held:>14}  memory flat: it moved by {moved / 1024:.0f} KiB")


def ratio(measured: dict[str, list[float]], name: str) -> float:
    return median(measured[OURS]) / median(measured[name])


def verdict(what: str, found: float, least: float) -> None:
    print(f"{'holds' if found >= least else 'DOES NOT HOLD':>14}  {what}: {found:.2f}, at least {least:g}")


if __name__ == "__main__":
    main()
