"""`connections`, `close`, `log` and `status --watch` against the real daemon (SPEC 9)."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from typing import Any

import pytest

from tests.conftest import StartDaemon
from tests.support import daemon as support
from tests.support.daemon import DEADLINE, Daemon, environment, run_program
from tests.support.raw import TEXT, RawClient

TALKS = """\
from ioto_server import Event, Web, action


@action("/talks")
async def talks(web: Web) -> None:
    web.on_event(on_event)
    await web.wait()


def on_event(ws, event, data, arg):
    if event is Event.MESSAGE:
        ws.send(bytes(int(data)))
"""


def ask(daemon: Daemon, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_program(*arguments, "--config", daemon.config, cwd=daemon.folder)


def listed(daemon: Daemon, *arguments: str) -> dict[str, Any]:
    run = ask(daemon, "connections", "--json", *arguments)
    assert run.returncode == 0, run.stderr
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


def test_connections_are_listed_with_what_went_over_them(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, {"talks.py": TALKS})
    with RawClient(daemon.url) as one, RawClient(daemon.url) as two:
        for client in (one, two):
            client.upgrade("/talks")
        two.send_frame(TEXT, b"100")
        assert len(two.read_message()[1]) == 100
        answer = listed(daemon, "--sort", "bytes")
        assert answer["total"] == 2
        second, first = answer["connections"]
        assert (first["id"], second["id"]) == ("1", "2")
        port = two.sock.getsockname()[1]
        assert (
            second.items()
            >= {
                "peer": f"127.0.0.1:{port}",
                "path": "/talks",
                "state": "open",
                "messages_in": 1,
                "messages_out": 1,
                "bytes_in": 9,
                "bytes_out": 102,
                "backlog": 0,
            }.items()
        )
        assert first["age_seconds"] >= second["age_seconds"] >= 0
        only = listed(daemon, "--limit", "1")
        assert (only["total"], [one["id"] for one in only["connections"]]) == (2, ["1"])


def test_connections_for_people_are_a_table(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, {"talks.py": TALKS})
    with RawClient(daemon.url) as one, RawClient(daemon.url) as two:
        one.upgrade("/talks")
        two.upgrade("/talks")
        run = ask(daemon, "connections", "--limit", "1")
    heading, row = run.stdout.splitlines()
    assert heading.split() == ["ID", "PEER", "PATH", "STATE", "AGE", "MESSAGES", "BYTES", "BACKLOG"]
    assert row.split()[2:4] == ["/talks", "open"]
    assert run.stderr == "1 more: --limit shows them\n"


def test_a_client_that_does_not_read_is_found_by_its_backlog_and_closed(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(
        {"limits": {"maxBacklog": "100MB"}, "timeouts": {"close": 0.05}}, {"talks.py": TALKS}
    )
    with RawClient(daemon.url) as idle, RawClient(daemon.url) as slow:
        idle.upgrade("/talks")
        slow.upgrade("/talks")
        slow.send_frame(TEXT, b"20000000")
        while (found := listed(daemon, "--sort", "backlog", "--limit", "1")["connections"][0])[
            "backlog"
        ] == 0:
            pass
        assert (found["id"], found["messages_out"]) == ("2", 1)
        run = ask(daemon, "close", found["id"], "1008", "Too slow")
        assert run.stdout == f"closing /talks of {found['peer']}\n"
        line = daemon.log("websocket close")
        assert (line["close"], line["reason"]) == ("1008 policy violation", "Too slow")
        assert (line["by"], line["cause"]) == ("operator", "operator closed")
        assert daemon.log("closed by the operator")["id"] == "2"
        assert [one["id"] for one in listed(daemon)["connections"]] == ["1"]


def test_close_sends_the_code_and_the_reason(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, {"talks.py": TALKS})
    with RawClient(daemon.url) as one, RawClient(daemon.url) as two:
        one.upgrade("/talks")
        two.upgrade("/talks")
        assert ask(daemon, "close", "1").returncode == 0
        close = one.read_frame()
        assert (close.close_code, close.close_reason) == (1000, "")
        assert ask(daemon, "close", "2", "4001", "enough").returncode == 0
        close = two.read_frame()
        assert (close.close_code, close.close_reason) == (4001, "enough")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("close", "9"), "No open WebSocket has the id 9"),
        (("close", "one"), "No open WebSocket has the id one"),
        (("close", "1", "1005"), "1005"),
        (("close", "1", "1000", "x" * 124), "123"),
    ],
    ids=["unknown", "no number", "code", "reason"],
)
def test_what_cannot_be_closed_is_said(
    start_daemon: StartDaemon, arguments: tuple[str, ...], said: str
) -> None:
    daemon = start_daemon({}, {"talks.py": TALKS})
    with RawClient(daemon.url) as client:
        client.upgrade("/talks")
        run = ask(daemon, *arguments)
        assert run.returncode == 1
        assert said in run.stderr
        assert len(listed(daemon)["connections"]) == 1


def test_a_number_is_never_given_twice(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, {"talks.py": TALKS})
    for number in (1, 2):
        with RawClient(daemon.url) as client:
            client.upgrade("/talks")
            assert [one["id"] for one in listed(daemon)["connections"]] == [str(number)]
        daemon.log("websocket close", number=number)


def test_log_changes_the_level_until_the_next_reload(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"log": {"level": "info"}}, {"talks.py": TALKS})
    assert ask(daemon, "log", "error").stdout == "log level error, was info\n"
    with RawClient(daemon.url) as client:
        client.upgrade("/talks")
    assert ask(daemon, "log", "debug").stdout == "log level debug, was error\n"
    assert '"websocket open"' not in daemon.output
    assert ask(daemon, "reload").returncode == 0
    assert '"log_level": "info"' in ask(daemon, "status", "--json").stdout


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({"command": "connections", "sort": "colour"}, "take one of age, id, peer"),
        ({"command": "connections", "limit": 0}, "take 1 to 10000"),
        ({"command": "connections", "limit": "all"}, "take 1 to 10000"),
        ({"command": "log", "level": "loud"}, "take one of error, warning, info, debug"),
        ({"command": "close", "id": "1", "code": "1000"}, "the code as a number"),
    ],
    ids=str,
)
def test_programs_are_told_what_to_send(
    start_daemon: StartDaemon, order: dict[str, object], said: str
) -> None:
    daemon = start_daemon({}, {"talks.py": TALKS})
    with (
        RawClient(daemon.url) as client,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as operator,
    ):
        client.upgrade("/talks")
        operator.settimeout(DEADLINE)
        operator.connect(str(daemon.folder / "run" / "control.sock"))
        operator.sendall(json.dumps(order).encode() + b"\n")
        answer = json.loads(operator.makefile().readline())
    assert answer["ok"] is False
    assert said in answer["error"]


def test_watch_shows_the_status_again_until_it_is_interrupted(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, {})
    watching = subprocess.Popen(
        [support.PROGRAM, "status", "--watch", "0.1", "--json", "--config", daemon.config],
        cwd=daemon.folder,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    with watching.stdout as stream:
        seen = [json.loads(stream.readline())["pid"] for _ in range(3)]
        watching.send_signal(signal.SIGINT)
        assert watching.wait(DEADLINE) == 0
    assert seen == [daemon.pid] * 3
    assert '"control"' not in daemon.output, "looking changes nothing, and is not logged"


def test_status_answers_at_once_whatever_it_has_to_count(start_daemon: StartDaemon) -> None:
    """It reads counters: its answer does not grow with the connections."""
    daemon = start_daemon({}, {"talks.py": TALKS})
    sizes = []
    clients = []
    for number in (1, 60):
        for _ in range(number):
            clients.append(RawClient(daemon.url))
            clients[-1].upgrade("/talks")
        sizes.append(len(ask(daemon, "status").stdout.splitlines()))
    for client in clients:
        client.close()
    assert sizes[0] == sizes[1]
