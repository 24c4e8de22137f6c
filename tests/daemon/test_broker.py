"""`topics.broker`: topics across workers and across daemons, with a real Redis (SPEC 2, 6)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from ioto_server.daemon.ask import ask
from tests.conftest import StartDaemon
from tests.support.broker import Redis
from tests.support.clients import keep
from tests.support.daemon import DEADLINE, Daemon, run_program
from tests.support.raw import TEXT, RawClient
from tests.support.waiting import until

ACTIONS = """\
import os
from ioto_server import Web, action


@action("/news")
async def news(web: Web) -> None:
    ws = web.websocket
    ws.subscribe("news/*")
    await ws.send(f"pid {os.getpid()}")
    async for message in ws:
        web.host.publish("news/today", message, retain=message.startswith("keep"))
"""

SECRET = "hunter-2-secret"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path / "redis", password=SECRET).start()
    yield server
    server.kill()


def status(daemon: Daemon) -> dict[str, Any]:
    return ask(daemon.folder / "run" / "control.sock", "status")


pytestmark = pytest.mark.usefixtures("all_are_closed")


class Reader:
    """A client of /news, and the process that serves it."""

    def __init__(self, daemon: Daemon) -> None:
        self.client = RawClient(daemon.url)
        keep(self.client)
        self.client.upgrade("/news")
        self.pid = 0
        self.before: list[str] = []
        while not self.pid:
            text = self.read()
            if text.startswith("pid "):
                self.pid = int(text[4:])
            else:
                self.before.append(text)

    def say(self, text: str) -> None:
        self.client.send_frame(TEXT, text.encode())

    def read(self) -> str:
        return self.client.read_message()[1].decode()


def one_of_each(daemon: Daemon, workers: int) -> dict[int, Reader]:
    found: dict[int, Reader] = {}
    end = time.monotonic() + DEADLINE
    while len(found) < workers:
        assert time.monotonic() < end
        reader = Reader(daemon)
        if reader.pid in found:
            reader.client.close()
        else:
            found[reader.pid] = reader
    return found


def test_workers_and_machines_hear_the_same(start_daemon: StartDaemon, redis: Redis) -> None:
    settings = {"topics": {"broker": redis.url}, "timeouts": {"close": 1}}
    metrics = {"metrics": {"listen": "http://127.0.0.1:0"}}
    many = start_daemon({**settings, **metrics, "workers": 3}, {"news.py": ACTIONS})
    single = start_daemon(settings, {"news.py": ACTIONS})
    for daemon in (many, single):
        daemon.log("ready")
        until(lambda daemon=daemon: status(daemon)["broker"]["state"] == "up", "broker up")
    readers = [*one_of_each(many, 3).values(), Reader(single)]
    with redis.client() as client:
        until(lambda: client.execute_command("CLIENT", "LIST").count(b"psub=1") == 4, "subscriptions")
    for number in range(50):
        readers[0].say(f"number {number}")
    for reader in readers:
        assert [reader.read() for _ in range(50)] == [f"number {number}" for number in range(50)]
    readers[1].say("keep this")
    assert {reader.read() for reader in readers} == {"keep this"}
    # Who comes later: a client, and a worker.
    assert Reader(single).before == ["keep this"]
    found = status(many)
    assert found["broker"]["published"] == 51
    assert {worker["broker"] for worker in found["workers"]} == {"up"}
    shown = run_program("status", "--config", many.config, cwd=many.folder).stdout
    assert "state up" in shown
    text = scrape(many)
    assert "ioto_broker_up 1.0" in text
    assert 'ioto_broker_messages_total{direction="out"} 51.0' in text
    # The password is nowhere to be seen.
    everything = json.dumps([many.events, single.events, found]) + shown
    for arguments in (("explain", "--values"), ("check",)):
        everything += run_program(*arguments, "--config", many.config, cwd=many.folder).stdout
    assert "unix://:***@" in everything
    assert SECRET not in everything


def scrape(daemon: Daemon) -> str:
    with urlopen(daemon.log("metrics")["url"], timeout=DEADLINE) as answer:
        return str(answer.read().decode())


def test_a_worker_that_is_replaced_knows_what_is_retained(start_daemon: StartDaemon, redis: Redis) -> None:
    daemon = start_daemon({"topics": {"broker": redis.url}, "workers": 2}, {"news.py": ACTIONS})
    daemon.log("ready")
    first = Reader(daemon)
    first.say("keep this")
    assert first.read() == "keep this"
    with redis.client() as client:
        until(lambda: client.hlen("{ioto:0}:retained") == 1, "stored")
    for worker in status(daemon)["workers"]:
        os.kill(worker["pid"], signal.SIGKILL)
    until(
        lambda: [worker["state"] for worker in status(daemon)["workers"]] == ["serving"] * 2,
        "two new workers",
    )
    for reader in one_of_each(daemon, 2).values():
        if not reader.before:
            assert reader.read() == "keep this"


def test_a_daemon_serves_without_its_broker_and_says_so(start_daemon: StartDaemon, redis: Redis) -> None:
    redis.kill()
    daemon = start_daemon({"topics": {"broker": redis.url}}, {"news.py": ACTIONS})
    down = daemon.log("broker down")
    assert down["level"] == "warning"
    assert SECRET not in json.dumps(down)
    assert status(daemon)["broker"]["state"] == "down"
    one, two = Reader(daemon), Reader(daemon)
    one.say("here")
    assert (one.read(), two.read()) == ("here", "here")
    redis.start()
    daemon.log("broker up")
    assert status(daemon)["broker"]["state"] == "up"


def test_who_has_no_broker_does_not_load_its_library() -> None:
    code = """
import sys
import ioto_server.cli, ioto_server.daemon.run, ioto_server.daemon.process, ioto_server.daemon.crew
sys.exit([name for name in sys.modules if name == "redis" or name.startswith("ioto_server.broker")] or 0)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
