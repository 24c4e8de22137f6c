"""`make bench-http`: files over HTTP, beside nginx and Python's servers, on this machine in this run.

python tests/bench/http/run.py [--rounds N] [--seconds S] [--only NAME ...]

Rounds are interleaved, so that what disturbs the machine disturbs all. The servers share core 0 and wrk has
core 1; what is printed is min, median and max, and the ratio of ours to each peer's, of the medians.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.bench.http.peers import CLIENT_CORE, Server, start_all

OURS = "ioto-server"
SMALL, LARGE = 1024, 10 * 1024 * 1024
_UNITS = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}


def wrk(server: Server, path: str, connections: int, seconds: float) -> tuple[float, float, float]:
    """Requests and bytes a second, and the server's processor time for a request, in seconds."""
    before = server.cpu
    command = ["taskset", "-c", CLIENT_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s"]
    said = subprocess.run([*command, server.url(path)], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"{server.name} failed:\n{said}")
    requests = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])
    size, unit = re.search(r"Transfer/sec:\s+([\d.]+)([KMG]?B)", said).groups()
    total = int(re.search(r"(\d+) requests in", said)[1])
    return requests, float(size) * _UNITS[unit], (server.cpu - before) / total


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
    options = parser.parse_args()
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
    small: dict[str, list[float]] = {server.name: [] for server in servers}
    work: dict[str, list[float]] = {server.name: [] for server in servers}
    large: dict[str, list[float]] = {server.name: [] for server in servers}
    memory: dict[str, list[float]] = {server.name: [] for server in servers}
    # The first is not counted: caches fill, and a file counts as settled only seconds after it was written.
    for counted in [False] + [True] * rounds:
        for server in servers:
            requests, _, cpu = wrk(server, "small.txt", 32, seconds)
            _, size, _ = wrk(server, "large.bin", 4, seconds)
            if counted:
                small[server.name].append(requests)
                work[server.name].append(cpu)
                large[server.name].append(size)
                memory[server.name].append(server.memory)
    table("1 KiB file, 32 connections kept alive", "requests/s", 1, small)
    table("The same, in the server's processor time", "us/request", 1e-6, work)
    table("10 MiB file, 4 connections kept alive", "MB/s", 1 << 20, large)
    table("Memory after each round, resident", "MB", 1 << 20, memory)


if __name__ == "__main__":
    main()
