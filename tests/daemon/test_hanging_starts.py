"""`io_start` that does not return, signals that come meanwhile: at a start and at a reload (SPEC 7, 9)."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ioto_server.daemon.ask import AskError
from tests.conftest import StartDaemon
from tests.support.asking import ask, status
from tests.support.daemon import Daemon, run_program, write_project
from tests.support.systemd import Manager
from tests.support.waiting import until

# Says that it has begun, and goes on once the file `go` is there.
WAITS = """\
import asyncio
import os
from pathlib import Path
from ioto_server import action


@action("/waits")
async def waits(web):
    web.write("waited")


async def io_start(host):
    Path("begun").touch()
    while not os.path.exists("go"):
        await asyncio.sleep(0.01)


def io_stop(host):
    Path("stopped").touch()
"""

# The same, but holds the loop.
HOLDS = WAITS.replace("await asyncio.sleep", "time.sleep").replace("import asyncio", "import time")

IMPORTS = """\
import time
from pathlib import Path
Path("begun").touch()
time.sleep(3600)
"""

QUICK = """\
from ioto_server import action


@action("/waits")
async def waits(web):
    web.write("quick")
"""


def begun(daemon: Daemon) -> Daemon:
    until(lambda: (daemon.folder / "begun").exists(), "io_start has begun")
    return daemon


# At the start


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.parametrize("workers", [1, 2])
def test_one_signal_ends_a_start_that_waits(
    start_daemon: StartDaemon, workers: int, number: signal.Signals
) -> None:
    daemon = begun(start_daemon({"workers": workers}, {"waits.py": WAITS}, wait=False))
    daemon.signal(number)
    assert daemon.wait() == 0
    said = daemon.log("stopped before it was ready")
    assert said["by"] == number.name
    assert f"io_start of {daemon.folder}/actions/waits.py" in said["waited_for"]
    assert not (daemon.folder / "run" / "control.sock").exists()
    if workers == 1:
        assert (daemon.folder / "stopped").exists(), "what was started is stopped"


def test_one_signal_ends_a_start_that_holds_the_loop(start_daemon: StartDaemon) -> None:
    daemon = begun(start_daemon({}, {"holds.py": HOLDS}, wait=False))
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 1, "its plugins could not be stopped"
    assert daemon.log("stopped at once")["by"] == "SIGTERM"
    assert "holds.py" in daemon.output.partition("most recent call first")[2], "the traceback names it"


def test_one_signal_ends_an_import(start_daemon: StartDaemon) -> None:
    daemon = begun(start_daemon({}, {"imports.py": IMPORTS}, wait=False))
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    assert daemon.log("stopped before it was ready")["waited_for"] == "its plugins to be imported"
    assert "Traceback" not in daemon.output


@pytest.mark.parametrize("workers", [1, 2])
def test_a_start_that_takes_too_long_fails(tmp_path: Path, workers: int) -> None:
    config = write_project(tmp_path, {"workers": workers, "timeouts": {"start": 0.2}}, {"waits.py": WAITS})
    run = run_program("start", "--config", config, cwd=tmp_path)
    assert run.returncode == 2
    assert "io_start has not ended within timeouts.start: it waits at" in run.stderr
    line = WAITS.splitlines().index("        await asyncio.sleep(0.01)") + 1
    assert f"{tmp_path}/actions/waits.py:{line} in io_start()" in run.stderr, "the line that it is at"
    assert '"listening"' not in run.stdout
    assert (tmp_path / "stopped").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_signal_that_comes_early_is_carried_out_when_it_is_ready(
    start_daemon: StartDaemon, workers: int
) -> None:
    daemon = begun(start_daemon({"workers": workers}, {"waits.py": WAITS}, wait=False))
    daemon.signal(signal.SIGHUP)
    daemon.signal(signal.SIGUSR1)
    (daemon.folder / "actions" / "more.py").write_text(QUICK.replace("/waits", "/more"))
    (daemon.folder / "go").touch()
    assert daemon.log("reloaded")
    assert {line["signal"] for line in daemon.events if line["event"] == "signal was held"} == {
        "SIGHUP",
        "SIGUSR1",
    }
    assert status(daemon)["reloads"] == 1


def test_an_early_order_to_upgrade_is_carried_out_too(start_daemon: StartDaemon) -> None:
    daemon = begun(start_daemon({"timeouts": {"parse": 0.1}}, {"waits.py": WAITS}, wait=False))
    daemon.signal(signal.SIGUSR2)
    (daemon.folder / "go").touch()
    daemon.log("stopped")
    assert daemon.log("ready", number=2)["pid"] != daemon.pid
    ask(daemon, "stop")
    assert daemon.wait() == 0


def test_a_start_without_limit_asks_systemd_for_time(tmp_path: Path) -> None:
    config = write_project(
        tmp_path,
        {"listen": f"unix:{tmp_path}/web", "timeouts": {"start": "never", "drain": "never"}},
        {"waits.py": QUICK},
    )
    with Manager(config) as service:
        assert service.told() == {"EXTEND_TIMEOUT_USEC": "60000000"}
        service.wait_for("READY")
        service.signal(signal.SIGTERM)
        assert service.wait_for("STOPPING")["EXTEND_TIMEOUT_USEC"] == "60000000", "and again every half of it"
        assert service.wait() == 0


# At a reload


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("plugin", ["waits", "waits and ignores"])
def test_a_reload_that_takes_too_long_is_refused_as_a_whole(
    start_daemon: StartDaemon, plugin: str, workers: int
) -> None:
    settings = {"workers": workers, "timeouts": {"start": 0.2, "close": 0.2}}
    daemon = start_daemon(settings, {"waits.py": QUICK})
    daemon.log("ready")
    source = WAITS
    if "ignores" in plugin:
        source = WAITS.replace(
            "        await asyncio.sleep(0.01)",
            "        try:\n            await asyncio.sleep(0.01)\n"
            "        except asyncio.CancelledError:\n            pass",
        )
    (daemon.folder / "actions" / "waits.py").write_text(source)
    with pytest.raises(AskError, match=r"(?s)waits\.py: io_start has not ended.*Nothing was changed"):
        ask(daemon, "reload")
    assert (daemon.folder / "stopped").exists(), "what had been started is stopped"
    assert status(daemon)["last_reload"].startswith("refused")
    (daemon.folder / "actions" / "waits.py").write_text(QUICK + "\n")
    assert ask(daemon, "reload")["changed"] == ["waits.py: loaded anew"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stop_gives_up_a_reload(start_daemon: StartDaemon, workers: int) -> None:
    daemon = start_daemon({"workers": workers, "timeouts": {"start": "1 hour"}}, {"waits.py": QUICK})
    daemon.log("ready")
    (daemon.folder / "actions" / "waits.py").write_text(WAITS)
    daemon.signal(signal.SIGHUP)
    begun(daemon)
    assert daemon.stop() == 0
    assert "told to stop meanwhile" in daemon.log("reload refused")["why"]


def held_upgrade(daemon: Daemon) -> None:
    (daemon.folder / "actions" / "waits.py").write_text(WAITS)
    daemon.signal(signal.SIGUSR2)
    begun(daemon)


def held_reload(daemon: Daemon) -> None:
    (daemon.folder / "actions" / "waits.py").write_text(WAITS)
    daemon.signal(signal.SIGHUP)
    begun(daemon)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stop_has_a_successor_that_starts_stop_in_order(start_daemon: StartDaemon, workers: int) -> None:
    daemon = start_daemon({"workers": workers, "timeouts": {"start": "1 hour"}}, {"waits.py": QUICK})
    daemon.log("ready")
    held_upgrade(daemon)
    assert daemon.stop() == 0
    assert "told to stop meanwhile" in daemon.log("upgrade failed")["why"]
    events = [line["event"] for line in daemon.events]
    assert "supervisor gone" not in events
    assert events.index("stopped before it was ready") < events.index("stopped")


@pytest.mark.parametrize(
    ("under_way", "number", "command", "said"),
    [
        (held_upgrade, signal.SIGHUP, "reload", "An upgrade is under way"),
        (held_reload, signal.SIGUSR2, "upgrade", "A reload is under way"),
    ],
    ids=["reload amid an upgrade", "upgrade amid a reload"],
)
def test_one_thing_at_a_time(
    start_daemon: StartDaemon,
    under_way: Callable[[Daemon], None],
    number: signal.Signals,
    command: str,
    said: str,
) -> None:
    daemon = start_daemon({"timeouts": {"parse": 0.1}}, {"waits.py": QUICK})
    daemon.log("ready")
    under_way(daemon)
    run = run_program(command, "--config", daemon.config, cwd=daemon.folder)
    assert run.returncode == 1
    assert said in run.stderr
    daemon.signal(number)
    assert said in daemon.log(f"{command} refused", number=2)["why"]
    (daemon.folder / "go").touch()
    if command == "upgrade":
        daemon.log("reloaded")
    else:
        daemon.log("stopped")
        ask(daemon, "stop")
        assert daemon.wait() == 0
