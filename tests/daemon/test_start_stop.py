"""How the daemon starts, what keeps it from starting, and how it ends (SPEC 2, 5, 7, 9)."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tests.conftest import StartDaemon
from tests.support.daemon import Daemon, run_program, write_project
from tests.support.raw import CLOSE, TEXT, RawClient
from tests.support.waiting import until

ECHO = """\
from ioto_server import Web, action


@action("/ws/echo")
async def echo(web: Web) -> None:
    async for message in web.websocket:
        await web.websocket.send(message)
"""


def refused(
    folder: Path, config: Mapping[str, Any] | str, actions: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Start with this configuration; it must end with exit code 2, and what it printed is returned."""
    file = write_project(folder, config, actions)
    run = run_program("start", "--config", file, cwd=folder)
    assert run.returncode == 2, run.stdout + run.stderr
    assert "listening" not in run.stdout
    return run.stdout + run.stderr


# What keeps it from starting


def test_a_syntax_error_is_refused_with_its_place(tmp_path: Path) -> None:
    said = refused(tmp_path, "{\n    listen: ['http://127.0.0.1:0'],\n    limits: { maxFrame: ]\n}\n")
    assert f"{tmp_path}/web.json5:3" in said


def test_an_object_without_a_colon_is_refused_with_the_fix(tmp_path: Path) -> None:
    """The page writes `webSockets { … }`; JSON5 wants the colon."""
    said = refused(tmp_path, "{\n    webSockets {\n        ping: '1min'\n    }\n}\n")
    assert f"{tmp_path}/web.json5:2" in said
    assert "webSockets:" in said


def test_a_wrong_value_is_refused_with_directive_found_and_allowed(tmp_path: Path) -> None:
    said = refused(tmp_path, "{\n    limits: { maxFrame: '12 bananas' },\n}\n")
    assert f"{tmp_path}/web.json5:2" in said
    assert "limits.maxFrame" in said
    assert "12 bananas" in said
    assert "mb" in said.lower(), "what is allowed must be said too"


def test_every_wrong_value_is_reported_in_one_go(tmp_path: Path) -> None:
    said = refused(
        tmp_path,
        {"limits": {"maxFrame": "12 bananas"}, "timeouts": {"parse": "soon"}, "webSockets": {"enable": 7}},
    )
    assert "limits.maxFrame" in said
    assert "timeouts.parse" in said
    assert "webSockets.enable" in said


def test_no_configuration_found_suggests_init(tmp_path: Path) -> None:
    run = run_program("start", cwd=tmp_path)
    assert run.returncode == 2
    assert "init" in run.stdout + run.stderr


def test_a_plugin_with_a_syntax_error_stops_the_start(tmp_path: Path) -> None:
    broken = "from ioto_server import action\n\nasync def broken(web:\n    pass\n"
    said = refused(tmp_path, {}, {"good.py": ECHO, "broken.py": broken})
    assert f"{tmp_path}/actions/broken.py" in said
    assert "line 3" in said or "broken.py:3" in said
    assert "was never closed" in said


def test_a_plugin_that_raises_stops_the_start_with_its_traceback(tmp_path: Path) -> None:
    said = refused(
        tmp_path, {}, {"raises.py": "def load():\n    raise RuntimeError('no database')\n\nload()\n"}
    )
    assert f"{tmp_path}/actions/raises.py" in said
    assert "no database" in said
    assert "line 4" in said or "raises.py:4" in said


def test_two_plugins_with_one_prefix_are_both_named(tmp_path: Path) -> None:
    said = refused(tmp_path, {}, {"one.py": ECHO, "two.py": ECHO})
    assert "/ws/echo" in said
    assert "one.py" in said
    assert "two.py" in said


def test_a_port_in_use_fails_with_the_endpoint(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        file = write_project(tmp_path, {"listen": [endpoint]}, {})
        run = run_program("start", "--config", file, cwd=tmp_path)
    said = run.stdout + run.stderr
    assert run.returncode == 1, said
    assert endpoint in said
    assert "already" in said
    assert "`listen`" in said, "what to change must be said too"
    assert "Traceback" not in said


def test_one_endpoint_in_use_leaves_none_behind(tmp_path: Path) -> None:
    """Nothing is half started: the endpoint before the taken one is not served either."""
    path = tmp_path / "first.sock"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        file = write_project(tmp_path, {"listen": [f"unix:{path}", endpoint]}, {})
        run = run_program("start", "--config", file, cwd=tmp_path)
    assert run.returncode == 1, run.stdout + run.stderr
    assert not path.exists()


def test_the_control_socket_of_another_server_is_left_alone(
    start_daemon: StartDaemon, tmp_path: Path
) -> None:
    control = tmp_path / "control.sock"
    daemon = start_daemon({"control": str(control)}, {})
    file = write_project(tmp_path / "other", {"control": str(control), "workers": 2}, {})
    run = run_program("start", "--config", file, cwd=tmp_path)
    assert run.returncode == 1
    assert f"unix:{control}: process {daemon.pid} listens there already" in run.stderr
    assert "choose another path in `control`" in run.stderr
    checked = run_program("check", "--config", file, cwd=tmp_path)
    assert checked.returncode == 0, "true of this moment, not of the file"
    assert f"answered by process {daemon.pid}, which serves {daemon.config}" in checked.stderr
    assert "write another path in `control`; more processes of one server are `workers`" in checked.stderr
    found = json.loads(run_program("check", "--json", "--config", file, cwd=tmp_path).stdout)
    assert (found["ok"], len(found["taken"])) == (True, 1)
    # Its own server is no other.
    own = run_program("check", "--config", daemon.config, cwd=tmp_path)
    assert (own.returncode, own.stderr) == (0, "")
    assert daemon.stop() == 0
    free = run_program("check", "--config", file, cwd=tmp_path)
    assert (free.returncode, free.stderr) == (0, "")


def test_check_names_what_could_not_be_listened_at(tmp_path: Path) -> None:
    path = tmp_path / "taken.sock"
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        listen = [endpoint, f"unix:{path}", f"unix:{tmp_path}/free.sock", "http://127.0.0.1:0"]
        file = write_project(tmp_path, {"listen": listen}, {})
        checked = run_program("check", "--config", file, cwd=tmp_path)
        assert checked.returncode == 0
        assert [line.partition(";")[0] for line in checked.stderr.splitlines()] == [
            f"At this moment: Cannot listen at {endpoint}: another process listens there already",
            f"At this moment: Cannot listen at unix:{path}: process {os.getpid()} listens there already",
        ]
    assert not (tmp_path / "free.sock").exists(), "looking leaves nothing"
    assert path.exists(), "and takes nothing away"


def test_an_endpoint_in_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    file = write_project(tmp_path, {"listen": [f"unix:{tmp_path}/none/web.sock"]}, {})
    run = run_program("start", "--config", file, cwd=tmp_path)
    assert run.returncode == 1
    assert f"the folder {tmp_path}/none does not exist; make it, or choose another" in run.stderr


# What it starts with


def said_at_start(daemon: Daemon) -> str:
    """What it printed before it listened."""
    return daemon.output.partition('"listening"')[0]


def test_an_unknown_key_is_a_warning_with_the_nearest_name(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"webSockets": {"pingg": "1min"}}, {})
    assert daemon.running
    said = said_at_start(daemon)
    assert '"warning"' in said
    assert "webSockets.pingg" in said
    assert "ping" in said.replace("pingg", ""), "the nearest known name must be said"


def test_a_key_with_an_underscore_is_skipped_in_silence(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"_webSockets": {"pingg": 1}}, {})
    assert "webSockets" not in daemon.output


def test_settings_may_stand_under_web(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(
        "{ web: { listen: ['http://127.0.0.1:0'], actions: 'actions' } }", {"echo.py": ECHO}
    )
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/echo")


def test_a_five_line_plugin_is_live_at_the_next_start(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, {"mine.py": ECHO.replace("/ws/echo", "/my/own")})
    with RawClient(daemon.url) as client:
        client.upgrade("/my/own")
        client.send_frame(TEXT, b"hello")
        assert client.read_message() == (TEXT, b"hello")


def test_it_listens_on_every_endpoint(start_daemon: StartDaemon, tmp_path: Path) -> None:
    path = tmp_path / "s"
    daemon = start_daemon({"listen": ["http://127.0.0.1:0", f"unix:{path}"]}, {"echo.py": ECHO})
    daemon.log("listening", number=2)
    for url in (daemon.url, f"unix:{path}"):
        with RawClient(url) as client:
            client.upgrade("/ws/echo")
            client.send_frame(TEXT, b"here")
            assert client.read_message() == (TEXT, b"here")


def test_the_shipped_configuration_has_no_warning(daemon: Daemon) -> None:
    assert '"warning"' not in said_at_start(daemon)


# How it ends


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_closes_websockets_with_1001_and_exits_0(
    start_daemon: StartDaemon, number: signal.Signals
) -> None:
    daemon = start_daemon({}, {"echo.py": ECHO})
    with RawClient(daemon.url) as one, RawClient(daemon.url) as two:
        for client in (one, two):
            client.upgrade("/ws/echo")
        daemon.signal(number)
        for client in (one, two):
            close = client.read_frame()
            assert (close.opcode, close.close_code) == (CLOSE, 1001)
            client.send_close(1001)
            assert client.read_to_end() == b"", "the server closes TCP first (RFC 6455 7.1.1)"
        assert daemon.wait() == 0


def test_it_stops_accepting_at_once(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, {"echo.py": ECHO})
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/echo")
        daemon.signal(signal.SIGTERM)
        assert client.read_frame().close_code == 1001
        with pytest.raises(ConnectionRefusedError):
            RawClient(daemon.url)
        client.send_close(1001)
        assert daemon.wait() == 0


def test_a_client_that_never_answers_is_not_waited_for_for_ever(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"close": "50 ms"}}, {"echo.py": ECHO})
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/echo")
        daemon.signal(signal.SIGTERM)
        assert client.read_frame().close_code == 1001
        assert daemon.wait() == 0


def test_a_second_signal_ends_at_once(start_daemon: StartDaemon) -> None:
    """With every timeout far away, only the second signal can end it while a client stays silent."""
    daemon = start_daemon({"timeouts": {"close": "1 hour", "drain": "1 hour"}}, {"echo.py": ECHO})
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/echo")
        daemon.signal(signal.SIGTERM)
        assert client.read_frame().close_code == 1001
        assert daemon.running
        daemon.signal(signal.SIGTERM)
        daemon.wait()


def test_a_second_signal_ends_at_once_though_an_action_holds_the_loop(start_daemon: StartDaemon) -> None:
    """The first cannot be carried out; the log says where the action is."""
    holds = ECHO.replace(
        "        await web.websocket.send(message)",
        "        open('held', 'w').close()\n        while message:\n            pass",
    )
    daemon = start_daemon({}, {"holds.py": holds})
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/echo")
        client.send_frame(TEXT, b"hold")
        until(lambda: (daemon.folder / "held").exists(), "the loop is held")

        def ended() -> bool:
            # Two that are pending at once are one to the kernel: so again and again, as an operator does.
            if daemon.running:
                daemon.signal(signal.SIGTERM)
            return not daemon.running

        until(ended, "it ends")
        assert daemon.wait() == 1
    assert daemon.log("stopped at once")["by"] == "SIGTERM"
    assert "holds.py" in daemon.output.partition("most recent call first")[2]


def test_a_unix_socket_is_removed(start_daemon: StartDaemon, tmp_path: Path) -> None:
    path = tmp_path / "s"
    daemon = start_daemon({"listen": [f"unix:{path}"]}, {})
    assert path.exists()
    assert daemon.stop() == 0
    assert not path.exists()
