"""The load generator of `make bench` against the real daemon: what it counts is what the daemon counted."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.bench.ws.programs import SERVERS, compile_generator
from tests.conftest import StartDaemon
from tests.support.daemon import DEADLINE, Daemon


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_generator(tmp_path_factory.mktemp("generator"), tls=False)


@pytest.fixture
def server(start_daemon: StartDaemon) -> Daemon:
    """The daemon, with the actions that the comparison uses."""
    return start_daemon({"actions": str(SERVERS / "actions")})


def run(generator: Path, daemon: Daemon, mode: str, status: int = 0, **options: Any) -> dict[str, Any]:
    """Run the generator for a moment, check how it ended, and return what it printed."""
    words = [str(generator), mode, "--port", str(daemon.port), "--pid", str(daemon.pid)]
    for name, value in {"seconds": 0.2, "warmup": 0.05, **options}.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=4 * DEADLINE, check=False)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout) if done.stdout else {}


def closed(daemon: Daemon, count: int) -> dict[str, int]:
    """What the close lines of `count` connections say, added up."""
    daemon.log("websocket close", number=count)
    lines = [line for line in daemon.events if line["event"] == "websocket close"]
    assert len(lines) == count
    assert {line["close"] for line in lines} == {"1000 normal closure"}
    return {name: sum(line[name] for line in lines) for name in ("messages_in", "messages_out")}


@pytest.mark.parametrize(
    ("size", "in_flight", "content"),
    [(64, 1, "text"), (64, 16, "text"), (70_000, 3, "binary"), (300, 2, "mixed")],
)
def test_every_echo_is_counted_on_both_sides(
    generator: Path, server: Daemon, size: int, in_flight: int, content: str
) -> None:
    said = run(
        generator,
        server,
        "echo",
        path="/ws/echo",
        connections=7,
        size=size,
        in_flight=in_flight,
        content=content,
    )
    assert 0 < said["count"] <= said["received"] == said["sent"]
    assert said["received_bytes"] == said["received"] * size
    assert said["cpu"] > 0
    assert 0 < said["latency"]["p50"] <= said["latency"]["p99"] <= said["latency"]["max"]
    assert closed(server, 7) == {"messages_in": said["sent"], "messages_out": said["sent"]}


def test_every_delivery_of_a_broadcast_is_counted(generator: Path, server: Daemon) -> None:
    paths = {"path": "/ws/subscribe", "publish_path": "/ws/publish"}
    said = run(generator, server, "broadcast", connections=20, in_flight=4, **paths)
    assert said["received"] == 20 * said["sent"] > 0
    assert closed(server, 21) == {"messages_in": said["sent"], "messages_out": said["received"]}


def test_every_handshake_is_counted(generator: Path, server: Daemon) -> None:
    said = run(generator, server, "handshakes", path="/ws/echo", connections=3)
    assert said["count"] > 0
    server.log("websocket close", number=said["count"])


def test_idle_connections_have_each_talked_once(generator: Path, server: Daemon) -> None:
    said = run(generator, server, "idle", path="/ws/async", connections=150, seconds=0)
    assert said["received"] == said["sent"] == 150
    assert said["memory_after"] >= said["memory_before"] > 0
    assert closed(server, 150) == {"messages_in": 150, "messages_out": 150}


ANSWERS = ("data.swapcase()", "data + '!'", "data[:-1]", "data.encode()", "seen[len(seen) // 9]")


def test_an_answer_that_is_not_the_echo_is_noticed(generator: Path, start_daemon: StartDaemon) -> None:
    source = "from ioto_server import action\n"
    for number, answer in enumerate(ANSWERS):
        source += f"""
@action("/ws/{number}")
async def wrong{number}(web):
    seen = []
    async for data in web.websocket:
        seen.append(data)
        await web.websocket.send({answer})
"""
    daemon = start_daemon({}, {"wrong.py": source})
    for number, answer in enumerate(ANSWERS):
        said = run(generator, daemon, "echo", status=1, path=f"/ws/{number}", seconds=4 * DEADLINE)
        assert said["wrong"] == 1, answer


def test_a_refusal_is_noticed(generator: Path, server: Daemon) -> None:
    run(generator, server, "echo", status=2, path="/nowhere")
