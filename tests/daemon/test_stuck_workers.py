"""A worker that does not answer, held by an action or stopped: orders end nevertheless (SPEC 9)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ioto_server.daemon.ask import AskError
from ioto_server.daemon.asking import PATIENCE
from tests.conftest import StartDaemon
from tests.support.asking import ask, status
from tests.support.daemon import DEADLINE, Daemon, environment, run_program, write_project
from tests.support.raw import TEXT, RawClient
from tests.support.waiting import until
from tests.support.workers import WHO

# Starts once; whoever comes later waits.
ONCE = """

import asyncio


async def io_start(host):
    if os.path.exists("hang"):
        open("hangs", "w").close()
        await asyncio.sleep(3600)
"""


@pytest.fixture
def crew(start_daemon: StartDaemon) -> Daemon:
    timeouts = {"parse": 0.1, "close": 0.2, "drain": 1}
    daemon = start_daemon({"workers": 2, "timeouts": timeouts}, {"who.py": WHO + ONCE})
    daemon.log("ready")
    return daemon


def who(client: RawClient) -> int:
    client.send_frame(TEXT, b"who?")
    return int(client.read_message()[1])


def workers(daemon: Daemon) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = status(daemon)["workers"]
    return found


def hold(daemon: Daemon) -> tuple[RawClient, int]:
    """Have an action hold a worker for good: its client, and its pid."""
    client = RawClient(daemon.url)
    client.upgrade("/who")
    pid = who(client)
    client.send_frame(TEXT, b"stuck")
    daemon.log("worker does not answer", pid=pid)
    return client, pid


def client_of_another(daemon: Daemon, pid: int) -> RawClient:
    end = time.monotonic() + DEADLINE
    while True:
        assert time.monotonic() < end
        client = RawClient(daemon.log("listening")["url"])
        client.upgrade("/who")
        if who(client) != pid:
            return client
        client.close()


def test_a_stop_ends_though_a_worker_is_held(crew: Daemon) -> None:
    held, pid = hold(crew)
    with held, client_of_another(crew, pid) as other:
        crew.signal(signal.SIGTERM)
        assert other.read_frame().close_code == 1001, "who can answer is told at once"
        other.send_close(1001)
        assert other.read_to_end() == b""
        assert crew.wait() == 0
    assert "ended" in crew.log("worker does not stop", pid=pid)["next"]
    crew.log("worker ended", pid=pid)
    assert "who.py" in crew.output.partition("most recent call first")[2], "its last words name the action"


def test_a_second_signal_has_a_held_worker_name_its_action(start_daemon: StartDaemon) -> None:
    timeouts = {"parse": 0.1, "close": 0.2, "drain": "never"}
    daemon = start_daemon({"workers": 2, "timeouts": timeouts}, {"who.py": WHO})
    held, pid = hold(daemon)
    with held:
        daemon.signal(signal.SIGTERM)
        assert daemon.log("worker does not stop", pid=pid)["next"] == "it is ended by a second signal"
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 1
    daemon.log("stopped at once")
    daemon.log("worker ended", pid=pid)
    logged = [line["number"] for line in daemon.events if line["event"] == "before it is stuck"]
    assert logged == [0, 1, 2], "what it had gathered for the log is there too"
    assert "who.py" in daemon.output.partition("most recent call first")[2]
    assert daemon.output.count("most recent call first") == 1, "who is not held has nothing to say"


def test_a_close_does_not_wait_for_one_that_is_known_to_be_stuck(crew: Daemon) -> None:
    held, _ = hold(crew)
    with held:
        shown = next(worker for worker in workers(crew) if worker["state"] == "stuck")
        # As often as it takes for the patience with one that is not known to be stuck to last too long.
        end = time.monotonic() + DEADLINE
        for _ in range(int(DEADLINE / PATIENCE) + 1):
            with pytest.raises(AskError, match="does not answer: it closes it when it answers again"):
                ask(crew, "close", id=f"{shown['worker']}-1")
        assert time.monotonic() < end


def test_an_upgrade_ends_though_a_worker_is_held(crew: Daemon) -> None:
    held, pid = hold(crew)
    with held, client_of_another(crew, pid) as other:
        assert run_program("upgrade", "--config", crew.config, cwd=crew.folder).returncode == 0
        assert other.read_frame().close_code == 1012
        other.close()
        crew.log("stopped")
    crew.log("order not answered", order="leave", pid=pid)
    crew.log("worker ended", pid=pid)
    ask(crew, "stop")
    assert crew.wait() == 0


def test_the_status_does_not_wait_for_one_that_is_stopped(crew: Daemon) -> None:
    with RawClient(crew.url) as client:
        client.upgrade("/who")
        pid = who(client)
        until(lambda: status(crew)["websockets"] == 1, "it is counted")
        os.kill(pid, signal.SIGSTOP)
        try:
            first = status(crew)
            assert first["websockets"] == 1, "it counts with what it has last told"
            crew.log("worker does not answer", pid=pid)
            stuck = next(worker for worker in workers(crew) if worker["pid"] == pid)
            assert stuck["state"] == "stuck"
            assert stuck["silent_since"]
            assert stuck["figures_age_seconds"] > 1
            shown = run_program("status", "--config", crew.config, cwd=crew.folder).stdout
            assert "stuck for" in shown
        finally:
            os.kill(pid, signal.SIGCONT)
        crew.log("worker answers again", pid=pid)
        until(lambda: {worker["state"] for worker in workers(crew)} == {"serving"}, "it serves again")
        assert all(worker["figures_age_seconds"] < DEADLINE for worker in workers(crew))


def test_orders_do_not_wait_for_one_that_is_stopped(crew: Daemon) -> None:
    pid = workers(crew)[1]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        run = run_program("log", "debug", "--config", crew.config, cwd=crew.folder)
        assert run.returncode == 0
        assert "worker 2 does not answer" in run.stderr
        crew.signal(signal.SIGUSR1)
        for order in ("level", "reopen"):
            crew.log("order not answered", order=order, worker=2)
        with pytest.raises(AskError, match=r"worker .*2 does not answer"):
            ask(crew, "reload")
        assert 2 in ask(crew, "connections")["silent_workers"]
    finally:
        os.kill(pid, signal.SIGCONT)
    crew.log("worker answers again", pid=pid)
    assert ask(crew, "reload")["changed"] == []
    until(lambda: ask(crew, "connections")["silent_workers"] == [], "both answer")


def test_a_reload_does_not_wait_for_one_that_is_stopped_meanwhile(crew: Daemon) -> None:
    """Nobody knows yet that it does not answer."""
    pid = workers(crew)[0]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(AskError, match=r"worker 1 (does not answer|has not answered)"):
            ask(crew, "reload")
    finally:
        os.kill(pid, signal.SIGCONT)
    crew.log("worker answers again", pid=pid)
    assert ask(crew, "reload")["changed"] == []


def test_a_worker_that_is_stopped_does_not_keep_a_stop(crew: Daemon) -> None:
    pid = workers(crew)[0]["pid"]
    os.kill(pid, signal.SIGSTOP)
    assert crew.stop() == 0
    crew.log("worker ended", pid=pid)


def test_a_reload_comes_before_a_replacement_that_does_not_start(crew: Daemon) -> None:
    """And may bring what that one waits for."""
    hang: Path = crew.folder / "hang"
    hang.touch()
    victim = workers(crew)[0]["pid"]
    os.kill(victim, signal.SIGKILL)
    until(lambda: (crew.folder / "hangs").exists(), "its successor hangs")
    described = workers(crew)[0]
    assert described["state"] == "starting"
    assert "io_start of" in described["waits_for"]
    assert crew.log("worker still starts")["worker"] == 1
    (crew.folder / "actions" / "who.py").write_text(WHO)
    assert ask(crew, "reload")["changed"] == ["who.py: loaded anew"]
    crew.log("worker put off", worker=1)
    crew.log("worker started", worker=1)
    assert {worker["state"] for worker in workers(crew)} == {"serving"}


def begin_a_reload(crew: Daemon) -> list[int]:
    """One that the first worker hangs in; returns who had served before."""
    pids = [worker["pid"] for worker in workers(crew)]
    (crew.folder / "hang").touch()
    (crew.folder / "actions" / "who.py").write_text(WHO + ONCE + "\n")
    crew.signal(signal.SIGHUP)
    until(lambda: (crew.folder / "hangs").exists(), "the first prepares")
    return pids


def test_a_reload_that_outlives_every_worker_is_done(crew: Daemon) -> None:
    """Those that start next serve by it: what is in force may be what they have died of."""
    moved = f"unix:{crew.folder}/moved"
    crew.config.write_text(json.dumps({**json.loads(crew.config.read_text()), "listen": moved}))
    first, second = begin_a_reload(crew)
    os.kill(second, signal.SIGKILL)
    until(lambda: len(workers(crew)) == 2 and "pid" not in workers(crew)[1], "its death is known")
    (crew.folder / "hang").unlink()
    os.kill(first, signal.SIGKILL)
    assert crew.log("reloaded")["changed"]
    for place in (1, 2):
        crew.log("worker started", worker=place)
    with RawClient(moved) as client:
        client.upgrade("/who")
        assert who(client) not in (first, second)


def test_a_reload_that_one_dies_of_is_refused_and_the_others_serve_on(crew: Daemon) -> None:
    first, second = begin_a_reload(crew)
    (crew.folder / "hang").unlink()
    os.kill(first, signal.SIGKILL)
    assert "worker 1 has died of it" in crew.log("reload refused")["why"]
    crew.log("worker started", worker=1)
    assert workers(crew)[1]["pid"] == second


# In one turn of the loop a replacement is ordered, then the claim comes, then it is forked.
CLAIMS = """\
import asyncio, os, signal, sys
from pathlib import Path

from ioto_server.config import load_config
from ioto_server.daemon import logs, staff
from ioto_server.daemon.sockets import Sockets

config = load_config(Path(sys.argv[1])).config
logs.configure(config.log)
fork = staff.fork


async def main():
    sockets = Sockets({}, os.getpid(), 1)
    sockets.open_all(config.listen, None, config.control)
    crew = staff.Staff(sockets, staff.Orders(config, None), 1, lambda hand: None)
    await crew.start()
    await crew.accept()
    forks = asyncio.Event()

    def noted(*arguments):
        forks.set()
        return fork(*arguments)

    staff.fork = noted
    Path("hang").touch()
    os.kill(crew.hands[0].pid, signal.SIGKILL)
    await forks.wait()
    await crew.claim()
    crew.release()
    await crew.end()
    sockets.close()


asyncio.run(main())
"""


def test_a_reload_comes_before_a_replacement_that_is_just_forked(tmp_path: Path) -> None:
    config = write_project(tmp_path, {}, {"who.py": WHO + ONCE})
    run = subprocess.run(
        [sys.executable, "-c", CLAIMS, config],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "worker put off" in run.stdout


CANCELS = """\
import asyncio, os, time
from contextlib import suppress

from ioto_server.daemon.fork import fork


async def main():
    forking = asyncio.create_task(fork("child", lambda line: time.sleep(3600), []))
    loop = asyncio.get_running_loop()
    # Between the fork and the turn in which the task learns of it.
    os.register_at_fork(after_in_parent=lambda: loop.call_soon(forking.cancel))
    with suppress(asyncio.CancelledError):
        await forking


asyncio.run(main())
with suppress(ChildProcessError):
    os.waitpid(-1, os.WNOHANG)
    raise SystemExit("there is a child")
"""


def test_a_replacement_that_nobody_waits_for_any_more_is_ended() -> None:
    subprocess.run([sys.executable, "-c", CANCELS], env=environment(), timeout=DEADLINE, check=True)


def test_a_replacement_that_does_not_start_is_given_up_in_time(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"workers": 2, "timeouts": {"start": 0.5}}, {"who.py": WHO + ONCE})
    daemon.log("ready")
    hang = daemon.folder / "hang"
    hang.touch()
    os.kill(workers(daemon)[0]["pid"], signal.SIGKILL)
    assert "io_start has not ended" in daemon.log("worker not started", worker=1)["why"]
    hang.unlink()
    daemon.log("worker started", worker=1)
