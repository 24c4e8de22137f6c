"""`upgrade`: a successor takes over, nobody is refused; one that fails changes nothing (SPEC 9)."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ioto_server.daemon.ask import AskError
from ioto_server.daemon.ask import ask as ask_daemon
from ioto_server.daemon.sockets import VARIABLE
from tests.conftest import StartDaemon
from tests.support.daemon import PROGRAM, Daemon, run_program, write_project
from tests.support.raw import CLOSE, TEXT, RawClient
from tests.support.systemd import Manager

SAYS = """\
import os
from ioto_server import Event, Web, action


@action("/says")
async def says(web: Web) -> None:
    web.on_event(on_event)
    await web.wait()


def on_event(ws, event, data, arg):
    if event is Event.MESSAGE:
        ws.send(f"{{os.getpid()}} {version}")
"""


WAITS = """

import asyncio


async def io_start(host):
    while not os.path.exists("go"):
        await asyncio.sleep(0.01)
"""


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path) -> Iterator[None]:
    """A successor is no child of ours: where a test has failed, it is ended here."""
    yield
    for path in tmp_path.rglob("control.sock"):
        with suppress(AskError):
            os.kill(ask_daemon(path, "status")["pid"], signal.SIGKILL)


def write_plugin(folder: Path, version: int) -> None:
    (folder / "actions" / "says.py").write_text(SAYS.format(version=version))


def ask(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_program(*arguments, "--control", f"{folder}/run/control.sock", cwd=folder)


class Restarting(Exception):
    """The server has said 1012: come again."""


def who(url: str) -> tuple[int, int]:
    """The process and the version that answer there."""
    with RawClient(url) as client:
        client.upgrade("/says")
        client.send_frame(TEXT, b"who?")
        answer = client.read_frame()
        if answer.opcode == CLOSE and answer.close_code == 1012:
            raise Restarting
        assert answer.opcode == TEXT
        client.send_close(1000)
        assert client.read_close()[0] in (1000, 1012)
        pid, version = answer.payload.split()
        return int(pid), int(version)


class Crowd(threading.Thread):
    """A client that connects, asks and closes again and again; the first that goes wrong is kept."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.failure: BaseException | None = None
        self.pids: list[int] = []
        self.over = threading.Event()

    def run(self) -> None:
        try:
            while not self.over.is_set():
                with suppress(Restarting):
                    self.pids.append(who(self.url)[0])
        except BaseException as error:
            self.failure = error

    @property
    def served_by(self) -> set[int]:
        return set(self.pids)


@contextmanager
def crowd(url: str, size: int) -> Iterator[list[Crowd]]:
    clients = [Crowd(url) for _ in range(size)]
    for client in clients:
        client.start()
    try:
        yield clients
    finally:
        for client in clients:
            client.over.set()
            client.join()


def stopped(daemon: Daemon) -> None:
    """Stop the successor; the process that was started first has ended by then."""
    assert ask(daemon.folder, "stop").returncode == 0
    assert daemon.wait() == 0


def test_a_successor_takes_over_and_the_old_connections_are_told_1012(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"parse": 0.1}}, {"says.py": SAYS.format(version=1)})
    url = daemon.url
    with RawClient(url) as old:
        old.upgrade("/says")
        write_plugin(daemon.folder, 2)
        run = ask(daemon.folder, "upgrade")
        assert run.returncode == 0, run.stderr
        pid, version = who(url)
        assert version == 2, "what is on the disk now"
        assert pid != daemon.pid
        assert run.stdout == f"pid {pid} has taken over, 1 connections are told to reconnect\n"
        close = old.read_frame()
        assert (close.close_code, close.close_reason) == (1012, "Service restart")
        old.send_close(1012)
        assert old.read_to_end() == b""
    daemon.log("stopped")
    assert json.loads(ask(daemon.folder, "status", "--json").stdout)["pid"] == pid
    stopped(daemon)


def test_no_client_is_refused_while_upgrades_follow_each_other(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"parse": 0.5}}, {"says.py": SAYS.format(version=1)})
    pids = [daemon.pid]
    with crowd(daemon.url, 4) as clients:
        for number in range(3):
            run = ask(daemon.folder, "upgrade")
            assert run.returncode == 0, run.stderr
            pids.append(int(run.stdout.split()[1]))
            # Each process has had its clients before the next one comes.
            while not all(pids[-1] in client.served_by or client.failure for client in clients):
                pass
            daemon.log("stopped", number=number + 1)
    failed = [client.failure for client in clients if client.failure is not None]
    assert not failed, failed
    assert len(set(pids)) == 4
    stopped(daemon)


def test_a_signal_upgrades_and_unix_sockets_stay(start_daemon: StartDaemon, tmp_path: Path) -> None:
    url = f"unix:{tmp_path}/web"
    daemon = start_daemon({"listen": [url], "timeouts": {"parse": 0.1}}, {"says.py": SAYS.format(version=1)})
    daemon.log("ready")
    daemon.signal(signal.SIGUSR2)
    daemon.log("stopped")
    pid, _ = who(url)
    assert pid != daemon.pid
    stopped(daemon)
    assert not (tmp_path / "web").exists(), "the last process removes it"
    assert not (daemon.folder / "run" / "control.sock").exists()


@pytest.mark.parametrize("broken", ["configuration", "plugin"])
def test_a_successor_that_fails_changes_nothing(
    start_daemon: StartDaemon, broken: str, tmp_path: Path
) -> None:
    url = f"unix:{tmp_path}/web"
    daemon = start_daemon({"listen": [url]}, {"says.py": SAYS.format(version=1)})
    daemon.log("ready")
    with RawClient(url) as client:
        client.upgrade("/says")
        if broken == "configuration":
            daemon.config.write_text("{ broken")
        else:
            text = "\n\ndef io_start(host):\n    raise RuntimeError('no database')\n"
            (daemon.folder / "actions" / "says.py").write_text(SAYS.format(version=2) + text)
        run = ask(daemon.folder, "upgrade")
        assert run.returncode == 1
        assert "The successor ended before it could take over; nothing was changed" in run.stderr
        client.send_frame(TEXT, b"still there?")
        assert client.read_message()[1] == f"{daemon.pid} 1".encode()
        assert who(url) == (daemon.pid, 1)
        daemon.log("upgrade failed")
    if broken == "plugin":
        assert "no database" in daemon.output
    assert ask(daemon.folder, "status").returncode == 0


def test_only_one_upgrade_at_a_time(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"parse": 0.1}}, {"says.py": SAYS.format(version=1)})
    with (daemon.folder / "actions" / "says.py").open("a") as plugin:
        plugin.write(WAITS)
    daemon.signal(signal.SIGUSR2)
    daemon.log("upgrading")
    run = ask(daemon.folder, "upgrade")
    assert run.returncode == 1
    assert "under way already" in run.stderr
    (daemon.folder / "go").touch()
    daemon.log("stopped")
    stopped(daemon)


def test_systemd_is_told_the_successor(tmp_path: Path) -> None:
    """Also with a socket of systemd's: it is passed on, and never removed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
        made.bind(str(tmp_path / "web"))
        made.listen()
        url = f"unix:{tmp_path}/web"
        config = write_project(
            tmp_path, {"listen": [url], "timeouts": {"parse": 0.1}}, {"says.py": SAYS.format(version=1)}
        )
        with Manager(config, sockets=[made], env={"WATCHDOG_USEC": "60000000"}) as service:
            service.wait_for("READY")
            service.signal(signal.SIGUSR2)
            while "MAINPID" not in (told := service.told()):
                assert service.sender == service.process.pid, told
            pid = int(told["MAINPID"])
            assert service.sender == service.process.pid
            while "READY" not in (told := service.told()):
                assert service.sender == pid, told
            assert service.sender == pid, "systemd listens to nobody else from MAINPID on"
            assert service.wait() == 0, "the old process ends, and says no STOPPING"
            assert who(url) == (pid, 1)
            os.kill(pid, signal.SIGTERM)
            assert "STOPPING" in service.wait_for("STOPPING")
            while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
                pass
        assert (tmp_path / "web").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stop_of_the_successor_leaves_the_old_one_its_drain(
    start_daemon: StartDaemon, workers: int
) -> None:
    """systemd sends SIGTERM to every process of a service: to one that drains already it is a first order."""
    timeouts = {"parse": 0.1, "close": "1 hour", "drain": "1 hour"}
    daemon = start_daemon({"workers": workers, "timeouts": timeouts}, {"says.py": SAYS.format(version=1)})
    with RawClient(daemon.url) as one, RawClient(daemon.url) as two:
        for client in (one, two):
            client.upgrade("/says")
        assert ask(daemon.folder, "upgrade").returncode == 0
        for client in (one, two):
            assert client.read_frame().close_code == 1012
        daemon.signal(signal.SIGTERM)
        daemon.log("draining goes on", by="SIGTERM")
        stopped_successor = ask(daemon.folder, "stop")
        assert stopped_successor.returncode == 0
        one.send_close(1012)
        assert one.read_to_end() == b"", "it is still served to its end"
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 1
        daemon.log("stopped at once", by="SIGTERM")


def test_a_stopping_server_reloads_and_upgrades_no_more(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"close": "1 hour"}}, {"says.py": SAYS.format(version=1)})
    with RawClient(daemon.url) as client:
        client.upgrade("/says")
        daemon.signal(signal.SIGTERM)
        assert client.read_frame().close_code == 1001
        for command, number in (("reload", signal.SIGHUP), ("upgrade", signal.SIGUSR2)):
            run = ask(daemon.folder, command)
            assert run.returncode == 1
            assert "The server is stopping" in run.stderr
            daemon.signal(number)
            assert "The server is stopping" in daemon.log(f"{command} refused", number=2)["why"]
        client.send_close(1001)
        assert daemon.wait() == 0


# Speaks as a successor does, and hears no last word: it has shut that side.
DEAF = """\
import json, os, socket, sys
channel = socket.socket(fileno=json.loads(os.environ[{variable!r}])["channel"])
channel.sendall(b"ready\\n")
assert channel.recv(100) == b"go\\n"
channel.shutdown(socket.SHUT_RD)
channel.sendall(b"serving\\n")
sys.stdin.read()
"""


def test_systemd_is_told_nothing_of_a_successor_that_is_lost_at_last(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(f"import runpy\nrunpy.run_path({str(PROGRAM)!r}, run_name='__main__')\n")
    url = f"unix:{tmp_path}/web"
    config = write_project(tmp_path, {"listen": [url]}, {"says.py": SAYS.format(version=1)})
    with Manager(config, program=(sys.executable, str(program))) as service:
        service.wait_for("READY")
        program.write_text(DEAF.format(variable=VARIABLE))
        run = ask(tmp_path, "upgrade")
        assert run.returncode == 1
        assert "nothing was changed" in run.stderr
        assert who(url) == (service.process.pid, 1)
        service.signal(signal.SIGTERM)
        assert service.wait() == 0
        assert not [told for told in service.left() if "MAINPID" in told], "it could not be taken back"
