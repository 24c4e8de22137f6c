"""Reload: what changes is in force, what is wrong changes nothing, and nobody is cut off (SPEC 2, 7, 9)."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartDaemon
from tests.support.daemon import DEADLINE, Daemon, run_program
from tests.support.raw import TEXT, RawClient, Response
from tests.tls.certificates import write_pair

ANSWER = """\
from ioto_server import Web, action

@action("/ws/answer")
async def answer(web: Web) -> None:
    async for _ in web.websocket:
        await web.websocket.send({answer!r})
"""


def rewrite(daemon: Daemon, **changes: Any) -> None:
    """Lay changes over the daemon's configuration file."""
    daemon.config.write_text(json.dumps({**json.loads(daemon.config.read_text()), **changes}))


def reload(daemon: Daemon) -> subprocess.CompletedProcess[str]:
    return run_program("reload", "--config", daemon.config, cwd=daemon.folder)


def ask(client: RawClient, text: bytes = b"?") -> bytes:
    client.send_frame(TEXT, text)
    return client.read_message()[1]


def start(start_daemon: StartDaemon, config: dict[str, Any] | None = None) -> Daemon:
    daemon = start_daemon(config or {}, {"answer.py": ANSWER.format(answer="old")})
    daemon.log("ready")
    return daemon


def connect(daemon: Daemon, path: str = "/ws/answer") -> RawClient:
    client = RawClient(daemon.url)
    assert client.upgrade(path).status == 101
    return client


def test_a_limit_is_in_force_for_new_connections(start_daemon: StartDaemon) -> None:
    daemon = start(start_daemon)
    with connect(daemon) as old:
        rewrite(daemon, limits={"maxMessage": 10})
        run = reload(daemon)
        assert (run.returncode, run.stdout) == (0, "limits.maxMessage: 2147483647 -> 10\n")
        assert ask(old, b"x" * 100) == b"old"
        with connect(daemon) as new:
            new.send_frame(TEXT, b"x" * 11)
            code, reason = new.read_close()
    assert (code, "limits.maxMessage" in reason) == (1009, True)


def test_nothing_changed_says_so(start_daemon: StartDaemon) -> None:
    run = reload(start(start_daemon))
    assert (run.returncode, run.stdout, run.stderr) == (0, "nothing to apply has changed\n", "")


def test_changed_plugins_serve_new_connections_and_old_ones_keep_theirs(start_daemon: StartDaemon) -> None:
    daemon = start(start_daemon)
    with connect(daemon) as old:
        (daemon.folder / "actions" / "answer.py").write_text(ANSWER.format(answer="new"))
        assert reload(daemon).stdout == "answer.py: loaded anew\n"
        with connect(daemon) as new:
            assert (ask(old), ask(new), ask(old)) == (b"old", b"new", b"old")


def test_a_plugin_is_stopped_after_its_last_connection(start_daemon: StartDaemon) -> None:
    source = (
        ANSWER.format(answer="x")
        + 'def io_stop(host):\n    print("{\\"event\\": \\"stopped %s\\"}", flush=True)\n'
    )
    daemon = start_daemon({}, {"answer.py": source % "first"})
    daemon.log("ready")
    with connect(daemon) as client:
        (daemon.folder / "actions" / "answer.py").write_text(source % "second")
        assert reload(daemon).returncode == 0
        assert ask(client) == b"x"
        assert not [line for line in daemon.events if line["event"] == "stopped first"]
    daemon.log("stopped first")
    assert daemon.stop() == 0
    daemon.log("stopped second")


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("syntax", "web.json5:1:"),
        ("value", "is not a size"),
        ("plugin", "answer.py:1: SyntaxError"),
        ("starting plugin", "answer.py:2: OSError: no sensor"),
        ("endpoint", "Cannot listen at http://127.0.0.1:"),
        ("certificate", "write the path of a PEM file"),
    ],
)
def test_what_is_wrong_changes_nothing(start_daemon: StartDaemon, what: str, reason: str) -> None:
    daemon = start(start_daemon)
    plugin = daemon.folder / "actions" / "answer.py"
    with connect(daemon) as old:
        if what == "syntax":
            daemon.config.write_text("{ limits")
        elif what == "value":
            rewrite(daemon, limits={"maxFrame": "12 bananas"})
        elif what == "plugin":
            plugin.write_text("def broken(:\n")
        elif what == "starting plugin":
            plugin.write_text("def io_start(host):\n    raise OSError('no sensor')\n")
        elif what == "endpoint":
            with_other = start_daemon()
            rewrite(daemon, listen=["http://127.0.0.1:0", with_other.url])
        else:
            rewrite(daemon, tls={"certificate": "nowhere.pem"}, limits={"maxMessage": 10})
        run = reload(daemon)
        assert run.returncode == 1
        assert run.stderr.count(reason) == 1, run.stderr
        assert run.stderr.endswith("Nothing was changed.\n")
        with connect(daemon) as new:
            assert (ask(old), ask(new, b"x" * 100)) == (b"old", b"old")
    assert reason in daemon.log("reload refused")["why"]
    assert run_program("status", "--config", daemon.config, cwd=daemon.folder).returncode == 0


def test_what_takes_a_restart_is_named(start_daemon: StartDaemon) -> None:
    daemon = start(start_daemon)
    rewrite(daemon, workers=2)
    run = reload(daemon)
    assert (run.returncode, run.stderr) == (0, "workers: 1 -> 2 (takes a restart)\n")


def test_endpoints_come_and_go_and_connections_stay(start_daemon: StartDaemon, tmp_path: Path) -> None:
    path = tmp_path / "s"
    daemon = start(start_daemon)
    old_port = daemon.port
    with connect(daemon) as old:
        rewrite(daemon, listen=[f"unix:{path}"])
        assert reload(daemon).returncode == 0
        assert path.is_socket()
        with pytest.raises(ConnectionRefusedError):
            RawClient(f"http://127.0.0.1:{old_port}")
        assert ask(old) == b"old"
        rewrite(daemon, listen=[f"http://127.0.0.1:{old_port}"])
        assert reload(daemon).returncode == 0
        assert not path.exists()
        with connect(daemon) as new:
            assert ask(new) == b"old"


def test_an_endpoint_becomes_https_on_its_port(start_daemon: StartDaemon, tmp_path: Path) -> None:
    daemon = start(start_daemon)
    tls = write_pair(tmp_path)
    at = f"127.0.0.1:{daemon.port}"
    with connect(daemon) as old:
        for scheme, settings in (("http", None), ("https", tls), ("http", None), ("https", tls)):
            rewrite(daemon, listen=[f"{scheme}://{at}"], tls=settings)
            run = reload(daemon)
            assert run.returncode == 0, run.stderr
            with RawClient(f"{scheme}://{at}") as new:
                assert new.upgrade("/ws/answer").status == 101
                assert (ask(new), ask(old)) == (b"old", b"old")


def test_an_endpoint_that_another_is_in_the_way_of_is_refused(start_daemon: StartDaemon) -> None:
    daemon = start(start_daemon)
    rewrite(daemon, listen=[f"http://:{daemon.port}"])
    run = reload(daemon)
    assert run.returncode == 1
    assert f"Cannot listen at http://:{daemon.port} while http://127.0.0.1:0 is open; restart" in run.stderr
    with connect(daemon) as client:
        assert ask(client) == b"old"


def test_routes_are_exchanged(start_daemon: StartDaemon) -> None:
    daemon = start(start_daemon)
    with RawClient(daemon.url) as client:
        assert client.request("GET", "/gone").status == 404
    rewrite(daemon, routes=[{"match": "/gone", "redirect": "/here"}, {"match": "/ws/", "handler": "action"}])
    assert reload(daemon).returncode == 0
    with RawClient(daemon.url) as client:
        response = client.request("GET", "/gone")
        assert (response.status, response.get("location")) == (302, "/here")


# Settings, and what of an answer to which request tells that they are in force.
Probe = tuple[str, dict[str, str], Callable[[Response], object], object]
PAGE, ANSWERING = "/index.html", "/ws/answer"
IN_FORCE: list[tuple[dict[str, Any], Probe]] = [
    ({"headers": {"X-Own": "yes"}}, (PAGE, {}, lambda answer: answer.get("x-own"), "yes")),
    (
        {"mime": {".html": "text/own"}},
        (PAGE, {}, lambda answer: str(answer.get("content-type")).partition(";")[0], "text/own"),
    ),
    ({"documents": "own"}, ("/own.txt", {}, lambda answer: answer.body, b"own")),
    ({"index": "favicon.svg"}, ("/", {}, lambda answer: answer.get("content-type"), "image/svg+xml")),
    (
        {"redirect": [{"from": "/a/", "to": "/b/", "status": 308}]},
        ("/a/c", {}, lambda answer: (answer.status, answer.get("location")), (308, "/b/c")),
    ),
    ({"limits": {"header": 300}}, (PAGE, {"X-Long": "x" * 400}, lambda answer: answer.status, 431)),
    ({"limits": {"connections": 1}}, (PAGE, {}, lambda answer: answer.status, 503)),
    ({"limits": {"perAddress": 1}}, (PAGE, {}, lambda answer: answer.status, 503)),
    (
        {"timeouts": {"inactivity": "7 mins", "request": "1 hour"}},
        (
            ANSWERING,
            {},
            lambda answer: (answer.get("x-inactivity-timeout"), answer.get("x-request-timeout")),
            ("420", "3600"),
        ),
    ),
    ({"webSockets": {"enable": False}}, (ANSWERING, {}, lambda answer: answer.status, 426)),
    (
        {"webSockets": {"protocol": ["news", "chat"]}},
        (
            ANSWERING,
            {"Sec-WebSocket-Protocol": "news"},
            lambda answer: answer.get("sec-websocket-protocol"),
            "news",
        ),
    ),
    (
        {"webSockets": {"compress": True}},
        (
            ANSWERING,
            {"Sec-WebSocket-Extensions": "permessage-deflate"},
            lambda answer: str(answer.get("sec-websocket-extensions")).partition(";")[0],
            "permessage-deflate",
        ),
    ),
    (
        {"webSockets": {"origins": ["app.example.com"]}},
        (ANSWERING, {"Origin": "https://app.example.com"}, lambda answer: answer.status, 101),
    ),
    (
        {"name": "own.example.com"},
        (ANSWERING, {"Host": "own.example.com"}, lambda answer: answer.status, 101),
    ),
]


def answer_to(daemon: Daemon, path: str, headers: dict[str, str]) -> Response:
    with RawClient(daemon.url) as client:
        if path == ANSWERING:
            return client.handshake(path, list(headers.items()))
        return client.request("GET", path, list(headers.items()))


def test_every_kind_of_setting_is_in_force_and_taken_back(start_daemon: StartDaemon) -> None:
    daemon = start(start_daemon)
    (daemon.folder / "own").mkdir()
    (daemon.folder / "own" / "own.txt").write_text("own")
    before = daemon.config.read_text()
    with connect(daemon) as old:
        for changes, (path, headers, told, expected) in IN_FORCE:
            assert told(answer_to(daemon, path, headers)) != expected, changes
            rewrite(daemon, **changes)
            assert reload(daemon).returncode == 0
            assert told(answer_to(daemon, path, headers)) == expected, changes
            daemon.config.write_text(before)
            assert reload(daemon).returncode == 0
            assert told(answer_to(daemon, path, headers)) != expected, changes
        assert ask(old) == b"old"


def test_the_log_level_follows(start_daemon: StartDaemon) -> None:
    daemon = start(start_daemon)
    rewrite(daemon, log={"level": "warning"})
    assert reload(daemon).returncode == 0
    with connect(daemon) as client:
        assert ask(client) == b"old"
    rewrite(daemon, log={"level": "info"})
    assert reload(daemon).returncode == 0
    daemon.log("reloaded", number=1)
    assert not [line for line in daemon.events if line["event"] == "websocket open"]


def test_sighup_reloads(start_daemon: StartDaemon) -> None:
    daemon = start(start_daemon)
    rewrite(daemon, limits={"maxMessage": 10})
    daemon.signal(signal.SIGHUP)
    daemon.log("reloaded", changed=["limits.maxMessage: 2147483647 -> 10"])
    daemon.config.write_text("{")
    daemon.signal(signal.SIGHUP)
    daemon.log("reload refused")
    with connect(daemon) as client:
        assert ask(client) == b"old"


HOLDS = """\
from pathlib import Path


class Held:
    def __del__(self):
        Path({marker!r}).touch()


held = Held()


async def action(web):
    web.write(type(held).__name__)
"""


def test_what_a_replaced_plugin_held_is_let_go_of(start_daemon: StartDaemon, tmp_path: Path) -> None:
    """Module and functions refer to each other, which takes a collection; nothing else asks for one."""
    daemon = start(start_daemon)
    markers = [tmp_path / "first", tmp_path / "second"]
    for marker in markers:
        (daemon.folder / "actions" / "holds.py").write_text(HOLDS.format(marker=str(marker)))
        assert reload(daemon).returncode == 0
    end = time.monotonic() + DEADLINE
    while not markers[0].exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    assert not markers[1].exists()
