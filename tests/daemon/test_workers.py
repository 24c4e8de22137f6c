"""`workers`: a supervisor and processes that share the listeners, against the real daemon (SPEC 9)."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from ioto_server.daemon.ask import AskError
from tests.conftest import StartDaemon
from tests.support.asking import ask, status
from tests.support.clients import keep
from tests.support.daemon import DEADLINE, Daemon, run_program, write_project
from tests.support.raw import TEXT, RawClient
from tests.support.waiting import until
from tests.support.workers import WHO

ACTIONS = f"""{WHO}

@action("/topic")
async def topic(web: Web) -> None:
    web.websocket.subscribe("news")
"""


def pids(daemon: Daemon) -> list[int]:
    return [worker["pid"] for worker in status(daemon)["workers"]]


def is_gone(pid: int) -> bool:
    """Whether a process has ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


pytestmark = pytest.mark.usefixtures("all_are_closed")


def connect(daemon: Daemon) -> tuple[RawClient, int]:
    """A WebSocket, closed when the test ends, and the process that serves it."""
    # Of an upgrade the successor serves there, when the process that was started has ended.
    client = RawClient(daemon.log("listening")["url"])
    keep(client)
    client.upgrade("/who")
    return client, who(client)


def who(client: RawClient) -> int:
    client.send_frame(TEXT, b"who?")
    return int(client.read_message()[1].split()[-1])


def one_of_each(daemon: Daemon) -> dict[int, RawClient]:
    """A WebSocket to every worker, by its pid: the kernel shares them out as it likes."""
    wanted = set(pids(daemon))
    found: dict[int, RawClient] = {}
    end = time.monotonic() + DEADLINE
    while wanted - set(found):
        assert time.monotonic() < end, f"only {set(found)} of {wanted} have got a connection"
        client, pid = connect(daemon)
        if pid in found:
            client.close()
        else:
            found[pid] = client
    return found


@pytest.fixture
def crew(start_daemon: StartDaemon) -> Daemon:
    config = {
        "workers": 3,
        "timeouts": {"parse": 0.2, "close": 1},
        "metrics": {"listen": "http://127.0.0.1:0"},
    }
    daemon = start_daemon(config, {"who.py": ACTIONS})
    daemon.log("ready")
    return daemon


# Adding up


def test_every_worker_serves_and_the_numbers_are_added_up(crew: Daemon) -> None:
    clients = one_of_each(crew)
    found = status(crew)
    assert found["pid"] == crew.pid
    assert crew.pid not in clients, "the supervisor serves nobody"
    assert len(found["workers"]) == 3
    assert {worker["state"] for worker in found["workers"]} == {"serving"}
    until(lambda: status(crew)["websockets"] == 3, "three WebSockets")
    assert sum(worker["websockets"] for worker in status(crew)["workers"]) == 3
    table = run_program("status", "--config", crew.config, cwd=crew.folder).stdout
    assert "WORKER  PID" in table
    assert all(str(pid) in table for pid in clients)


def test_connections_of_all_are_listed_and_closed_by_their_ids(crew: Daemon) -> None:
    clients = one_of_each(crew)
    until(lambda: ask(crew, "connections")["total"] == 3, "three of them")
    answer = ask(crew, "connections", sort="id")
    ids = [one["id"] for one in answer["connections"]]
    assert len(set(ids)) == 3
    assert ids == sorted(ids, key=lambda shown: [int(part) for part in shown.split("-")])
    assert len(ask(crew, "connections", limit=2)["connections"]) == 2
    for shown in ids:
        ask(crew, "close", id=shown, code=4000, reason="enough")
    for client in clients.values():
        assert (frame := client.read_frame()).close_code == 4000, frame
    for unknown in ("9-9", "1", "x-1", ids[0] + "0"):
        with pytest.raises(AskError, match=f"No open WebSocket has the id {unknown}"):
            ask(crew, "close", id=unknown)


def test_metrics_are_those_of_all_and_outlive_a_worker(crew: Daemon) -> None:
    def scrape() -> dict[str, float]:
        base, _, path = crew.log("metrics")["url"].rpartition("/")
        with RawClient(base) as client:
            text = client.request("GET", f"/{path}").text
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    clients = one_of_each(crew)
    until(lambda: scrape()["ioto_websockets"] == 3, "three WebSockets")
    before = scrape()
    assert before["ioto_workers"] == 3
    assert before['ioto_messages_total{direction="in"}'] >= 3
    assert before["ioto_actions"] == 2, "the same in each, not their sum"
    victim = next(iter(clients))
    os.kill(victim, signal.SIGKILL)
    crew.log("worker started")
    after = scrape()
    assert after["ioto_websockets"] == 2
    assert after["ioto_workers_died_total"] == 1
    lasting = [name for name in before if name.startswith("ioto_") and "_total" in name]
    assert all(after[name] >= before[name] for name in lasting), "a counter that falls looks like a new start"


def test_every_line_of_a_worker_says_which(crew: Daemon) -> None:
    for client in one_of_each(crew).values():
        client.close()
    crew.log("websocket close", number=3)
    workers = {line["worker"] for line in crew.events if line["event"] == "websocket open"}
    assert workers == {1, 2, 3}
    assert "worker" not in crew.log("ready")


# Life and death


def test_a_killed_worker_takes_only_its_own_connections_along(crew: Daemon) -> None:
    clients = one_of_each(crew)
    victim = pids(crew)[1]
    os.kill(victim, signal.SIGKILL)
    assert clients.pop(victim).read_to_end() == b""
    died = crew.log("worker died")
    assert (died["worker"], died["pid"], died["how"]) == (2, victim, "SIGKILL")
    for pid, client in clients.items():
        assert who(client) == pid
    crew.log("worker started", worker=2)
    found = status(crew)
    assert [worker["restarts"] for worker in found["workers"]] == [0, 1, 0]
    again = one_of_each(crew)
    assert victim not in again
    assert len(again) == 3


def test_while_a_worker_is_down_another_accepts_for_it(start_daemon: StartDaemon) -> None:
    """It cannot come back, as its plugin was broken meanwhile: nobody waits, and a mended one is taken."""
    daemon = start_daemon({"workers": 2}, {"who.py": ACTIONS})
    daemon.log("ready")
    plugin = daemon.folder / "actions" / "who.py"
    plugin.write_text("import nothing_of_that_name\n")
    victim, other = pids(daemon)
    os.kill(victim, signal.SIGKILL)
    assert "nothing_of_that_name" in daemon.log("worker not started")["why"]
    assert [worker["state"] for worker in status(daemon)["workers"]] == ["down", "serving"]
    for _ in range(20):
        client, pid = connect(daemon)
        assert pid == other
        client.close()
    with pytest.raises(AskError, match="nothing_of_that_name"):
        ask(daemon, "reload")
    plugin.write_text(ACTIONS)
    ask(daemon, "reload")
    daemon.log("worker started")
    assert len(one_of_each(daemon)) == 2


def test_the_supervisors_death_is_the_workers(crew: Daemon) -> None:
    workers = pids(crew)
    crew.signal(signal.SIGKILL)
    assert crew.wait() == -signal.SIGKILL
    until(lambda: all(map(is_gone, workers)), "the workers end")


def test_stop_reaches_all(crew: Daemon) -> None:
    clients = one_of_each(crew)
    ask(crew, "stop")
    for client in clients.values():
        close = client.read_frame()
        assert (close.close_code, close.close_reason) == (1001, "Server stopping")
        client.send_close(1001)
        assert client.read_to_end() == b""
    assert crew.wait() == 0
    assert all(map(is_gone, clients))
    assert "worker died" not in crew.output


def test_signals_to_all_processes_stop_in_order(crew: Daemon) -> None:
    """A terminal's Ctrl-C and systemd's stop reach the workers too."""
    clients = one_of_each(crew)
    for pid in clients:
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
    crew.signal(signal.SIGTERM)
    for client in clients.values():
        assert client.read_frame().close_code == 1001
        client.close()
    assert crew.wait() == 0


def test_a_second_signal_ends_at_once(crew: Daemon) -> None:
    clients = one_of_each(crew)
    crew.signal(signal.SIGTERM)
    crew.log("stopping")
    crew.signal(signal.SIGTERM)
    assert crew.wait() == 1
    until(lambda: all(map(is_gone, clients)), "the workers end")


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        ("import nothing_of_that_name\n", "nothing_of_that_name"),
        ("def io_start(host):\n    raise RuntimeError('no database')\n", "no database"),
    ],
    ids=["import", "io_start"],
)
def test_what_one_worker_cannot_start_does_not_start(tmp_path: Path, plugin: str, said: str) -> None:
    config = write_project(tmp_path, {"workers": 3}, {"broken.py": plugin})
    run = run_program("start", "--config", config, cwd=tmp_path)
    assert run.returncode == 2
    assert said in run.stderr
    assert run.stderr.count("The server was not started: mend the plugin") == 1, "by one worker for all"
    assert '"listening"' not in run.stdout


def test_a_worker_that_ends_while_it_starts_ends_the_start(tmp_path: Path) -> None:
    config = write_project(tmp_path, {"workers": 2}, {"ends.py": "import os\nos._exit(7)\n"})
    run = run_program("start", "--config", config, cwd=tmp_path)
    assert run.returncode == 1
    assert "a worker ended while it started (exit code 7)" in run.stderr


def test_another_server_at_the_same_port_is_refused(crew: Daemon, tmp_path: Path) -> None:
    """Though the sockets share their port: only those of one server do."""
    config = write_project(tmp_path / "other", {"workers": 2, "listen": [crew.url]}, {})
    run = run_program("start", "--config", config, cwd=tmp_path)
    assert run.returncode == 1
    assert "another process listens there already" in run.stderr


# Orders


def rewrite(daemon: Daemon, **changes: Any) -> None:
    daemon.config.write_text(json.dumps({**json.loads(daemon.config.read_text()), **changes}))


def test_a_reload_is_applied_in_all(crew: Daemon, tmp_path: Path) -> None:
    clients = one_of_each(crew)
    (crew.folder / "actions" / "who.py").write_text(
        ACTIONS.replace("str(os.getpid())", "f'new {os.getpid()}'")
    )
    rewrite(crew, listen=[*json.loads(crew.config.read_text())["listen"], f"unix:{tmp_path}/web"])
    assert any("who" in change and "loaded anew" in change for change in ask(crew, "reload")["changed"])
    for pid, client in clients.items():
        assert who(client) == pid, "open ones finish on the code they began with"
    seen = set()
    end = time.monotonic() + DEADLINE
    while seen != set(clients):
        assert time.monotonic() < end
        with RawClient(crew.url) as client:
            client.upgrade("/who")
            client.send_frame(TEXT, b"who?")
            word, pid = client.read_message()[1].split()
            assert word == b"new"
            seen.add(int(pid))
    with RawClient(f"unix:{tmp_path}/web") as client:
        client.upgrade("/who")
    assert f"unix:{tmp_path}/web" in status(crew)["listening"]
    # The new endpoint goes again; and one that dies comes back with what is in force.
    rewrite(crew, listen=json.loads(crew.config.read_text())["listen"][:1], limits={"maxMessage": 10})
    ask(crew, "reload")
    assert not (tmp_path / "web").exists()
    os.kill(next(iter(clients)), signal.SIGKILL)
    crew.log("worker started")
    for client in one_of_each(crew).values():
        client.send_frame(TEXT, b"x" * 11)
        assert client.read_frame().close_code == 1009


BREAKS_IN_ONE = """\
import os
from ioto_server import action

@action("/who")
async def who(web):
    web.write("new")


def io_start(host):
    # The second worker finds the file of the first.
    try:
        os.close(os.open("started", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        raise RuntimeError("only once")


def io_stop(host):
    open("stopped", "w").close()
"""


def test_a_reload_that_one_worker_refuses_is_applied_in_none(crew: Daemon, tmp_path: Path) -> None:
    clients = one_of_each(crew)
    (crew.folder / "actions" / "who.py").write_text(BREAKS_IN_ONE)
    rewrite(crew, listen=[*json.loads(crew.config.read_text())["listen"], f"unix:{tmp_path}/web"])
    with pytest.raises(AskError, match=r"(?s)only once.*Nothing was changed"):
        ask(crew, "reload")
    for pid, client in clients.items():
        assert who(client) == pid
        client.close()
    assert len(one_of_each(crew)) == 3, "new ones get the old code, everywhere"
    assert not (tmp_path / "web").exists()
    assert (crew.folder / "stopped").exists(), "what had been started was stopped"


def test_a_configuration_that_is_wrong_reaches_no_worker(crew: Daemon) -> None:
    crew.config.write_text("{ broken")
    with pytest.raises(AskError, match="Nothing was changed"):
        ask(crew, "reload")
    assert status(crew)["last_reload"].startswith("refused")
    assert len(one_of_each(crew)) == 3


def test_the_log_follows_its_orders_in_all(start_daemon: StartDaemon, tmp_path: Path) -> None:
    path = tmp_path / "log"
    daemon = start_daemon({"workers": 2, "log": {"path": str(path)}}, {"who.py": ACTIONS}, wait=False)
    until(lambda: path.exists() and '"ready"' in path.read_text(), "it is ready")
    url = next(json.loads(line)["url"] for line in path.read_text().splitlines() if '"listening"' in line)
    ask(daemon, "log", level="debug")
    path.rename(tmp_path / "log.1")
    daemon.signal(signal.SIGUSR1)
    until(lambda: path.exists() and path.read_text().count("log reopened") == 3, "all have reopened it")
    ask(daemon, "log", level="error")
    with RawClient(url) as client:
        client.upgrade("/who")
    ask(daemon, "log", level="info")
    assert "websocket open" not in path.read_text()


def test_an_upgrade_replaces_all(crew: Daemon) -> None:
    clients = one_of_each(crew)
    ask(crew, "upgrade")
    for client in clients.values():
        close = client.read_frame()
        assert (close.close_code, close.close_reason) == (1012, "Service restart")
        client.close()
    assert not set(pids(crew)) & set(clients)
    again = one_of_each(crew)
    assert len(again) == 3
    ask(crew, "stop")
    assert crew.wait() == 0


# What several processes cannot share


def test_topics_need_a_broker(crew: Daemon) -> None:
    with RawClient(crew.url) as client:
        client.upgrade("/topic")
        assert client.read_frame().close_code == 1011
    assert "topics.broker" in crew.log("action failed")["exception"]


def test_one_worker_is_one_process(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"workers": 1}, {"who.py": ACTIONS})
    daemon.log("ready")
    client, pid = connect(daemon)
    client.close()
    assert pid == daemon.pid
    assert "workers" not in status(daemon)
