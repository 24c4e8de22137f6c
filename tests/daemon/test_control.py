"""The control socket and the commands that use it, against the real daemon (SPEC 2, `control`; SPEC 9)."""

from __future__ import annotations

import json
import os
import socket
import stat
from pathlib import Path

from tests.conftest import StartDaemon
from tests.support.daemon import Daemon, run_program
from tests.support.raw import RawClient


def talk(path: Path, *lines: bytes) -> list[dict[str, object]]:
    """Send lines to a control socket, one answer each."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(30)
        client.connect(str(path))
        answers = []
        with client.makefile("rb") as stream:
            for line in lines:
                client.sendall(line)
                answers.append(json.loads(stream.readline()))
        return answers


def control(daemon: Daemon) -> Path:
    return daemon.folder / "run" / "control.sock"


def test_it_stands_beside_the_configuration_for_its_owner_only(start_daemon: StartDaemon) -> None:
    path = control(start_daemon())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_it_stands_in_the_runtime_directory_that_systemd_gives(
    start_daemon: StartDaemon, tmp_path: Path
) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    daemon = start_daemon(env={"RUNTIME_DIRECTORY": str(runtime)})
    daemon.log("ready")
    assert (runtime / "control.sock").is_socket()


def test_one_client_may_ask_several_times(start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    daemon.log("ready")
    first, second = talk(control(daemon), b'{"command": "status"}\n', b'{"command": "status"}\n')
    assert first["ok"] is second["ok"] is True
    assert first["pid"] == daemon.pid


def test_what_it_does_not_know_is_answered_with_what_it_knows(start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    daemon.log("ready")
    expected = {
        "ok": False,
        "error": 'send {"command": NAME} with one of: close, connections, log, reload, status, stop, upgrade',
    }
    for line in (b"rubbish\n", b"[]\n", b'{"command": 7}\n', b'{"command": "explode"}\n', b"\xff\n"):
        assert talk(control(daemon), line) == [expected]


def test_an_order_of_another_shape_is_answered_and_the_log_stays_whole(start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    daemon.log("ready")
    orders = (
        b"[" * 50_000 + b"\n",
        b'{"command": "connections", "sort": []}\n',
        b'{"command": "log", "level": {}}\n',
        b'{"command": "close", "id": {}}\n',
    )
    for answer in talk(control(daemon), *orders):
        assert answer["ok"] is False
        assert "traceback" not in str(answer["error"])
    # What nobody thought of is told to whoever asked, too: no number has so many digits.
    (answer,) = talk(control(daemon), b'{"command": "close", "id": "%s"}\n' % (b"9" * 5000))
    assert answer == {"ok": False, "error": "close failed: the server's log has the traceback"}
    assert talk(control(daemon), b'{"command": "status"}\n')[0]["ok"] is True
    assert [line["event"] for line in daemon.events].count("control failed") == 1
    assert "unhandled" not in daemon.output


def test_a_line_without_end_is_cut_off_and_nothing_else_suffers(start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    daemon.log("ready")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(30)
        client.connect(str(control(daemon)))
        try:
            client.sendall(b"x" * 1_000_000)
            assert client.recv(1) == b""
        except ConnectionError:
            # Closed in the midst of our sending: a reset is the same answer.
            pass
    assert talk(control(daemon), b'{"command": "status"}\n')[0]["ok"] is True


def test_status_counts(start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    daemon.log("ready")
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/echo")
        run = run_program("status", "--config", daemon.config, "--json", cwd=daemon.folder)
        status = json.loads(run.stdout)
    assert (status["connections"], status["websockets"], status["actions"]) == (1, 1, 4)
    assert status["listening"] == [daemon.url]
    assert status["last_reload"] is None


def test_status_for_people_is_a_table(start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    daemon.log("ready")
    run = run_program("status", "--config", daemon.config, cwd=daemon.folder)
    assert run.returncode == 0
    rows = dict(line.split("  ", 1) for line in run.stdout.splitlines())
    assert rows["pid"].strip() == str(daemon.pid)
    assert rows["last reload"].strip() == "never"


def test_stop_ends_the_daemon_in_order(start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    daemon.log("ready")
    run = run_program("stop", "--config", daemon.config, cwd=daemon.folder)
    assert (run.returncode, run.stdout) == (0, f"stopping (pid {daemon.pid}, 0 connections)\n")
    assert daemon.wait() == 0
    assert not control(daemon).exists()


def test_a_daemon_whose_configuration_was_broken_meanwhile_can_be_stopped(start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    daemon.log("ready")
    daemon.config.write_text("{ broken")
    run = run_program("stop", "--config", daemon.config, cwd=daemon.folder)
    assert run.returncode == 0, run.stderr
    assert daemon.wait() == 0


def test_a_file_that_is_not_there_leads_to_no_other_daemon(start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    daemon.log("ready")
    typed = daemon.folder / "wbe.json5"
    for command in ("stop", "status", "reload"):
        run = run_program(command, "--config", typed, cwd=daemon.folder)
        assert (run.returncode, run.stdout) == (2, "")
        assert run.stderr.startswith(f"{typed}: there is no such file")
    assert daemon.running


def test_without_a_daemon_the_commands_say_so(tmp_path: Path) -> None:
    config = tmp_path / "web.json5"
    config.write_text("{}")
    for command in ("status", "stop", "reload"):
        run = run_program(command, "--config", config, cwd=tmp_path)
        assert (run.returncode, run.stdout) == (1, "")
        assert run.stderr == (
            f"Error: No daemon answers at {tmp_path}/run/control.sock: "
            "start it, or name its configuration with --config, "
            "or its socket with --control where that has changed since\n"
        )


def test_a_second_daemon_with_the_same_control_socket_is_refused(start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    daemon.log("ready")
    run = run_program("start", "--config", daemon.config, cwd=daemon.folder)
    assert run.returncode == 1
    assert f"Cannot listen at unix:{control(daemon)}" in run.stderr
    assert talk(control(daemon), b'{"command": "status"}\n')[0]["pid"] == daemon.pid


def test_what_a_killed_daemon_left_is_replaced(start_daemon: StartDaemon, tmp_path: Path) -> None:
    left = tmp_path / "daemon0" / "run"
    left.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(os.fspath(left / "control.sock"))
    daemon = start_daemon()
    daemon.log("ready")
    assert talk(control(daemon), b'{"command": "status"}\n')[0]["ok"] is True
