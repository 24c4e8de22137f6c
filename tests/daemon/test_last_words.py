"""How it ends where signals come before it has begun, or where nobody reads what it says (SPEC 9, 10)."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest

from tests.conftest import StartDaemon
from tests.support.daemon import DEADLINE, PROGRAM, Daemon, environment, run_program, write_project
from tests.support.raw import RawClient
from tests.support.waiting import until

HOLDS = """\
import time
from pathlib import Path

import structlog

from ioto_server import Web, action

log = structlog.get_logger()


@action("/holds")
def holds(web: Web) -> None:
    for number in range(5):
        log.info("before it holds", number=number)
    Path("holds").touch()
    time.sleep(3600)
"""


class Held:
    """A daemon that reads its configuration from a FIFO, and so waits in there until it is written."""

    def __init__(self, folder: Path) -> None:
        self._file = write_project(folder, {}, {})
        self._content = self._file.read_bytes()
        self._file.unlink()
        os.mkfifo(self._file)
        self.daemon = Daemon(self._file)
        # Returns once the daemon has it open.
        self._pipe = os.open(self._file, os.O_WRONLY)

    def go_on(self) -> None:
        other = self._file.with_name("plain")
        other.write_bytes(self._content)
        # A reload reads it again.
        other.replace(self._file)
        os.write(self._pipe, self._content)
        self.close()

    def close(self) -> None:
        os.close(self._pipe)


def test_signals_are_held_from_before_the_configuration_is_read(tmp_path: Path) -> None:
    held = Held(tmp_path)
    for number in (signal.SIGHUP, signal.SIGUSR1):
        held.daemon.signal(number)
    held.go_on()
    for number in (signal.SIGHUP, signal.SIGUSR1):
        held.daemon.log("signal was held", signal=number.name)
    held.daemon.log("reloaded")
    assert held.daemon.stop() == 0


def test_one_signal_ends_it_while_it_reads_its_configuration(tmp_path: Path) -> None:
    held = Held(tmp_path)
    held.daemon.signal(signal.SIGTERM)
    assert held.daemon.wait() == 0
    held.close()
    assert "stopped by SIGTERM before its configuration was read" in held.daemon.output


def test_what_an_action_logged_before_it_held_the_loop_is_in_the_log(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, {"holds.py": HOLDS})
    with RawClient(daemon.url) as client:
        client.send(b"GET /holds HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        until((daemon.folder / "holds").exists, "the action holds the loop")

        def ended() -> bool:
            # Two that come together count as one.
            daemon.signal(signal.SIGTERM)
            return not daemon.running

        until(ended, "a second signal ends it")
        assert daemon.wait() == 1
    assert [line["number"] for line in daemon.events if line["event"] == "before it holds"] == [*range(5)]
    assert daemon.events[-1]["event"] == "stopped at once"


class Unread:
    """A daemon whose log nobody reads but when it is asked to."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        self._file = write_project(folder, {}, {"holds.py": HOLDS})
        program: list[str | Path] = [PROGRAM, "start", "--config", self._file]
        if kind == "socket":
            ours, theirs = socket.socketpair()
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            self._read, write = ours.detach(), theirs.detach()
        else:
            self._read, write = os.pipe()
            fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
        if kind == "pipe of another user":
            os.fchmod(write, 0)
            if os.getuid() == 0:
                # To root nothing else is another's.
                program = ["setpriv", "--bounding-set=-dac_override", *program]
        self.process = subprocess.Popen(
            program, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=write, stderr=write
        )
        assert os.get_blocking(write)
        os.close(write)
        os.set_blocking(self._read, False)
        self._said = ""
        self.events: list[dict[str, Any]] = []
        until(lambda: self.read("ready"), "it is ready")
        self.url = next(line["url"] for line in self.events if line["event"] == "listening").rstrip("/")

    def read(self, event: str = "") -> list[dict[str, Any]]:
        """Read what is there; returns the lines of an event so far."""
        with suppress(BlockingIOError):
            while said := os.read(self._read, 65536):
                self._said += said.decode()
        *lines, self._said = self._said.split("\n")
        self.events += [json.loads(line) for line in lines if line]
        return [line for line in self.events if line["event"] == event]

    def serve(self) -> None:
        """Have it answer one request, and log it."""
        with RawClient(self.url) as client:
            client.send(client.head("GET", "/nothing"))
            assert client.read_response().status == 404

    def fill(self) -> int:
        """Have it log more than anybody takes; returns how many lines: so many that each had no second."""
        count = int(2 * DEADLINE)
        end = time.monotonic() + DEADLINE
        for _ in range(count):
            self.serve()
        assert time.monotonic() < end
        return count

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(DEADLINE)
        os.close(self._read)


@pytest.fixture(params=["pipe", "pipe of another user", "socket"])
def unread(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Unread]:
    with Unread(tmp_path, request.param) as daemon:
        yield daemon


def test_a_log_that_nobody_reads_holds_neither_clients_nor_a_stop(unread: Unread) -> None:
    unread.fill()
    unread.process.terminate()
    assert unread.process.wait(DEADLINE) == 0


def test_a_log_says_once_how_much_of_it_was_lost_when_it_is_read_again(unread: Unread) -> None:
    sent = unread.fill()
    for _ in range(2):
        unread.read()
        unread.serve()
        sent += 1

    def lost() -> int:
        return sum(line["lines"] for line in unread.read("log lines lost"))

    # At least: among the lost there may be one that says how long the loop was blocked.
    until(lambda: lost() and lost() + len(unread.read("request")) >= sent, "each line is there or counted")
    (told,) = unread.read("log lines lost")
    assert told["level"] == "error"


def test_a_log_that_nobody_reads_does_not_keep_a_held_one_from_ending(unread: Unread) -> None:
    """Its last words find no room, and its traceback waits for it."""
    unread.fill()
    with RawClient(unread.url) as client:
        client.send(client.head("GET", "/holds"))
        until((unread.folder / "holds").exists, "the action holds the loop")

        def ended() -> bool:
            unread.process.terminate()
            return unread.process.poll() is not None

        until(ended, "a second signal ends it")
    assert unread.process.returncode == 1


@pytest.mark.parametrize(
    ("wrong", "actions"), [({"limits": {"maxFrame": "bananas"}}, {}), ({}, {"raises.py": "1 / 0"})]
)
def test_the_exit_code_is_right_where_nobody_reads_why(
    tmp_path: Path, wrong: dict[str, object], actions: dict[str, str]
) -> None:
    file = write_project(tmp_path, wrong, actions)
    read, write = os.pipe()
    os.close(read)
    try:
        run = subprocess.run(
            [PROGRAM, "start", "--config", file],
            cwd=tmp_path,
            env=environment(),
            stdout=write,
            stderr=write,
            timeout=DEADLINE,
            check=False,
        )
    finally:
        os.close(write)
    assert run.returncode == 2


def test_a_command_says_that_the_server_is_held(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, {})
    daemon.signal(signal.SIGSTOP)
    try:
        run = run_program("reload", "--config", daemon.config, cwd=daemon.folder)
    finally:
        daemon.signal(signal.SIGCONT)
    assert run.returncode == 1
    assert "does not answer within 10 seconds" in run.stderr
    assert "Two SIGTERMs" in run.stderr
