"""What the daemon has to stand, at scale: `make scale`, or `python -m tests.scale kill|upgrade|idle`.

Each run raises AssertionError where something does not hold, and returns its figures.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ioto_server.daemon.ask import AskError, ask
from tests.support.daemon import Daemon, write_project
from tests.support.waiting import until as until_within

ACTIONS = """\
from ioto_server import Web, action


def ignore(ws, event, data, arg):
    pass


@action("/ws")
async def ws(web: Web) -> None:
    web.on_event(ignore)
    await web.wait()
"""
# Connections of one client process.
SHARE = 19_000
PATIENCE = 600.0
Figures = dict[str, Any]
until = partial(until_within, patience=PATIENCE)


class Clients:
    """One client process, and what it has told last."""

    def __init__(self, port: int, *arguments: object) -> None:
        command = [sys.executable, Path(__file__).with_name("client.py"), str(port), *map(str, arguments)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.told: Figures = {"open": 0, "done": False}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.told = json.loads(line)

    def end(self) -> Figures:
        """Have it close everything; what it says at the end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self.told["done"], self.told
        return self.told

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join(PATIENCE)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


class Asked:
    """The status, asked several times a second from beginning to end, with the time that each took.

    What takes the machine's cores meanwhile takes them from who asks, too: so each `phase` stands alone.
    """

    def __init__(self, control: Path) -> None:
        self._control = control
        self._over = threading.Event()
        self.phase = "all"
        self.times: dict[str, list[float]] = {}
        self.failed = 0
        self.last: Figures = {}
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        while not self._over.wait(0.2):
            begun = time.monotonic()
            phase = self.phase
            try:
                self.last = ask(self._control, "status", timeout=30)
            except AskError:
                self.failed += 1
            else:
                self.times.setdefault(phase, []).append((time.monotonic() - begun) * 1000)

    def end(self) -> Figures:
        self._over.set()
        self._thread.join()
        return {"failed": self.failed, **{phase: _spread(times) for phase, times in self.times.items()}}


def _spread(times: list[float]) -> Figures:
    ordered = sorted(times)
    return {
        "asked": len(ordered),
        "median_ms": round(statistics.median(ordered), 1),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)], 1),
        "worst_ms": round(ordered[-1], 1),
    }


@contextmanager
def serving(workers: int, count: int, **settings: Any) -> Iterator[tuple[Daemon, int, Path]]:
    """A daemon that lets in `count` connections, its port, and its control socket."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        config: dict[str, Any] = {
            "workers": workers,
            "limits": {"connections": count},
            "log": {"level": "warning"},
            "control": "run/control.sock",
            **settings,
        }
        with free_port() as port:
            config["listen"] = [f"http://127.0.0.1:{port}"]
        control = Path(folder) / "run" / "control.sock"
        daemon = Daemon(write_project(Path(folder), config, {"ws.py": ACTIONS}))
        try:
            until(lambda: _listens(control), "listening")
            yield daemon, port, control
        finally:
            for pid in _pids(control):
                if pid != daemon.pid:
                    # A successor, no child of ours; the one that it follows ends by itself.
                    os.kill(pid, signal.SIGTERM)
                    daemon.wait()
                    until(lambda pid=pid: not Path(f"/proc/{pid}").exists(), "the last successor ends")
            daemon.close()


@contextmanager
def free_port() -> Iterator[int]:
    """A port that nobody has."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(urlsplit(f"//{listener.getsockname()[0]}:{listener.getsockname()[1]}").port or 0)
    yield port


def _listens(control: Path) -> bool:
    try:
        return bool(ask(control, "status")["listening"])
    except AskError:
        return False


def _pids(control: Path) -> list[int]:
    """Who serves by now: after an upgrade, no child of ours."""
    try:
        return [ask(control, "status", timeout=30)["pid"]]
    except AskError:
        return []


def resident(pids: list[int]) -> int:
    """Bytes of memory that these processes have for themselves."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Private_"):
                total += int(line.split()[1]) * 1024
    return total


# ---- the runs -----------------------------------------------------------------------------------------


def kill(workers: int, held: int, rate: float, seconds: int) -> Figures:
    """Kill a worker every second under load: the port is never closed, and only its connections drop."""
    with serving(workers, held + 10_000) as (_daemon, port, control), ExitStack() as stack:
        asked = Asked(control)
        holding = Clients(port, "hold", held, 0)
        stack.callback(holding.kill)
        until(lambda: holding.told["open"] == held, "held")
        churning = Clients(port, "churn", rate)
        stack.callback(churning.kill)
        dropped = 0
        for turn in range(seconds):
            begun = time.monotonic()
            found = ask(control, "status", timeout=30)["workers"]
            alive = [worker for worker in found if worker["state"] == "serving"]
            if alive:
                victim = alive[turn % len(alive)]
                dropped += victim["websockets"]
                os.kill(victim["pid"], signal.SIGKILL)
            time.sleep(max(0.0, begun + 1 - time.monotonic()))
        until(lambda: _all_serve(control, workers), "all workers back")
        new = churning.end()
        left = holding.told["open"]
        until(
            lambda: ask(control, "status")["websockets"] == holding.told["open"], "the status tells the truth"
        )
        old = holding.end()
        figures = {
            "killed": seconds,
            "held": held,
            "left": left,
            "new": new,
            "old": old,
            "status": asked.end(),
        }
        assert new["refused"] == 0, figures
        assert old["ended"] == held, figures
        # Who was killed takes along who was in its hands: nobody else's is cut.
        assert new["failed"] + new["reset"] + held - left <= dropped + seconds * 200, figures
        return figures


def _all_serve(control: Path, workers: int) -> bool:
    states = [worker["state"] for worker in ask(control, "status", timeout=30)["workers"]]
    return states == ["serving"] * workers


def upgrade(workers: int, held: int, rate: float, times: int) -> Figures:
    """Upgrade again and again: no new connection is refused or cut, and the old ones are told 1012."""
    with serving(workers, held + 10_000) as (_daemon, port, control), ExitStack() as stack:
        took = []
        churning = Clients(port, "churn", rate)
        stack.callback(churning.kill)
        codes: Counter[str] = Counter()
        cut = 0
        for _ in range(times):
            holding = Clients(port, "hold", held, 0)
            stack.callback(holding.kill)
            until(lambda holding=holding: holding.told["open"] == held, "held")
            begun = time.monotonic()
            ask(control, "upgrade", timeout=60)
            took.append(round(time.monotonic() - begun, 2))
            until(lambda holding=holding: holding.told["open"] == 0, "the old ones are told")
            told = holding.end()
            codes.update(told["codes"])
            cut += told["reset"]
        new = churning.end()
        figures = {
            "upgrades": times,
            "took_seconds": took,
            "old_codes": dict(codes),
            "old_cut": cut,
            "new": new,
        }
        assert new["refused"] == new["failed"] == new["reset"] == 0, figures
        assert codes == {"1012": held * times}, figures
        return figures


def idle(workers: int, count: int, seconds: float, ping: float) -> Figures:
    """Open many, ping them for so long, close them: bytes of each, and how long the status takes."""
    share = count // workers
    settings = {
        "webSockets": {"ping": ping},
        "timeouts": {"inactivity": "1 hour", "pong": "1 min"},
        "limits": {"connections": min(2 * share, 19_900) if workers > 1 else count + 100},
    }
    with serving(workers, count, **settings) as (daemon, port, control), ExitStack() as stack:
        pids = [one["pid"] for one in ask(control, "status").get("workers", [])] or [daemon.pid]
        before = resident(pids)
        asked = Asked(control)
        asked.phase = "opening"
        begun = time.monotonic()
        parts = [min(SHARE, count - done) for done in range(0, count, SHARE)]
        clients = [Clients(port, "hold", part, 0) for part in parts]
        for one in clients:
            stack.callback(one.kill)
        until(lambda: sum(one.told["open"] for one in clients) == count, "all open")
        opening = time.monotonic() - begun
        held = resident(pids)
        status = ask(control, "status", timeout=30)
        assert status["websockets"] == count, status
        asked.phase = "pinged"
        time.sleep(seconds)
        assert sum(one.told["open"] for one in clients) == count, [one.told for one in clients]
        after = resident(pids)
        asked.phase = "closing"
        begun = time.monotonic()
        told = [one.end() for one in clients]
        figures = {
            "count": count,
            "workers": workers,
            "opened_in_seconds": round(opening, 1),
            "bytes_each": round((held - before) / count),
            "bytes_each_after_pings": round((after - before) / count),
            "pings_each": round(sum(one["pings"] for one in told) / count, 2),
            "closed_in_seconds": round(time.monotonic() - begun, 1),
            "lost": sum(one["reset"] + one["failed"] + one["refused"] for one in told),
            "status": asked.end(),
        }
        assert figures["lost"] == 0, figures
        assert sum(one["codes"].get("1000", 0) for one in told) == count, figures
        return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    runs = parser.add_subparsers(dest="run", required=True)
    one = runs.add_parser("kill")
    one.add_argument("--workers", type=int, default=4)
    one.add_argument("--held", type=int, default=4000)
    one.add_argument("--rate", type=float, default=500)
    one.add_argument("--seconds", type=int, default=60)
    one = runs.add_parser("upgrade")
    one.add_argument("--workers", type=int, default=1)
    one.add_argument("--held", type=int, default=5000)
    one.add_argument("--rate", type=float, default=1000)
    one.add_argument("--times", type=int, default=10)
    one = runs.add_parser("idle")
    one.add_argument("--workers", type=int, default=1)
    one.add_argument("--count", type=int, default=19_000)
    one.add_argument("--seconds", type=float, default=600)
    one.add_argument("--ping", type=float, default=60)
    arguments = vars(parser.parse_args())
    run = {"kill": kill, "upgrade": upgrade, "idle": idle}[arguments.pop("run")]
    print(json.dumps(run(**arguments), indent=2))
