"""How it ends where signals come before it has begun, or where nobody reads what it says (SPEC 9, 10)."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

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


def test_a_log_that_nobody_reads_does_not_keep_it_from_ending(tmp_path: Path) -> None:
    file = write_project(tmp_path, {}, {})
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    process = subprocess.Popen(
        [PROGRAM, "start", "--config", file], cwd=tmp_path, env=environment(), stdout=write, stderr=write
    )
    try:
        said = b""
        while b'"ready"' not in said:
            said += os.read(read, 4096)
        # What is left of the pipe is filled by ourselves: the daemon's next line blocks it.
        os.set_blocking(write, False)
        with suppress(BlockingIOError):
            while True:
                os.write(write, b"x")
        os.set_blocking(write, True)
        process.terminate()
        until(lambda: "pipe" in Path(f"/proc/{process.pid}/wchan").read_text(), "it is kept by the pipe")
        process.terminate()
        assert process.wait(DEADLINE) == 1
    finally:
        process.kill()
        process.wait()
        os.close(read)
        os.close(write)


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
