"""What peers choose, in the log, in tables and at a terminal: it is shown, and steers nothing (SPEC 10)."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from ioto_server.daemon.visible import visible, visible_line
from tests.conftest import StartDaemon
from tests.support import daemon as support
from tests.support.daemon import DEADLINE, environment, run_program, write_project
from tests.support.raw import RawClient
from tests.support.systemd import Manager

ACTIONS = """\
from ioto_server import Event, Web, action


@action("/ws")
async def ws(web: Web) -> None:
    web.on_event(on_event)
    await web.wait()


@action("/api")
async def api(web: Web) -> None:
    raise ValueError(web.param("why"))


def on_event(ws, event, data, arg):
    if event is Event.MESSAGE:
        ws.send("\\x1b[2J\\x9b31m\\u202egone")
"""

# CSI in its C1 form, then what writes from the right to the left: both as UTF-8 in a path.
EVIL_PATH = "/ws/%C2%9B31m%E2%80%AE"
SHOWN_PATH = "/ws/\\x9b31m\\u202e"
FORGED = "2026-11-27T00:00:00 [info] forged"
EVIL_REASON = f"bye\n{FORGED}\x1b[2J\x7f"
HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e]")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ä → 😀", "plain ä → 😀"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("over\rwritten", "over\\x0dwritten"),
        ("\u202eright to left", "\\u202eright to left"),
        ("\x00\x7f\ud800", "\\x00\\x7f\\ud800"),
    ],
)
def test_what_could_steer_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible_line(text) == shown.replace("\n", "\\n").replace("\t", "\\t")


def talk(url: str) -> None:
    """Be a peer who means harm, with whatever a peer decides."""
    with RawClient(url) as client:
        client.upgrade(EVIL_PATH)
        client.send_close(4000, EVIL_REASON)
        client.read_to_end()
    why = quote(f"{FORGED}\n{FORGED}\x1b[2J")
    with RawClient(url) as client:
        head = f"GET /api?why={why} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: \x9b31m\r\n\r\n"
        client.send(head.encode("latin-1"))
        assert client.read_response().status == 500


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"unix:{tmp_path}/web"


def serve(folder: Path, url: str, form: str) -> str:
    """What a server has in its log after that peer's visit."""
    log = {"format": form, "level": "debug", "show": "Hh"}
    with Manager(write_project(folder, {"listen": url, "log": log}, {"a.py": ACTIONS})) as service:
        service.wait_for("READY")
        talk(url)
        service.signal(signal.SIGTERM)
        assert service.wait() == 0
        return service.output


def test_no_byte_of_a_peer_steers_the_terminal_that_shows_the_log(tmp_path: Path, url: str) -> None:
    output = serve(tmp_path, url, "console")
    assert not HARMFUL.findall(output)
    assert not [line for line in output.split("\n") if line.startswith(FORGED)]
    for shown in (SHOWN_PATH, f"bye\\n{FORGED}\\x1b[2J\\x7f", "\\x9b31m", f"ValueError: {FORGED}"):
        assert shown in output, "it is all there to be read"


def test_a_line_in_json_is_ascii_and_one_line(tmp_path: Path, url: str) -> None:
    lines = serve(tmp_path, url, "json").splitlines()
    assert not [line for line in lines if re.search("[^ -~]", line)]
    assert [line for line in map(json.loads, lines) if line.get("reason") == EVIL_REASON]


def test_nor_what_the_daemon_tells_of_a_peer(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, {"a.py": ACTIONS})
    with RawClient(daemon.url) as client:
        client.upgrade(EVIL_PATH)
        for command in (("connections",), ("close", "1")):
            run = run_program(*command, "--config", daemon.config, cwd=daemon.folder)
            assert SHOWN_PATH in run.stdout
            assert not HARMFUL.findall(run.stdout)


def test_nor_a_message_in_a_pipe_that_ends_at_a_terminal(start_daemon: StartDaemon, tmp_path: Path) -> None:
    """What a program reads is what came; a person gets to see it with escapes."""
    address = start_daemon({}, {"a.py": ACTIONS}).ws_url("/ws")
    given = {"input": b"go\n", "env": environment(), "cwd": tmp_path, "timeout": DEADLINE, "check": True}
    command = [support.PROGRAM, "connect", address]
    read = subprocess.run(command, stdout=subprocess.PIPE, **given).stdout  # type: ignore[call-overload]
    assert read.decode() == "\x1b[2J\x9b31m\u202egone\n"
    master, slave = pty.openpty()
    with os.fdopen(master, "rb") as screen:
        subprocess.run(command, stdout=slave, **given)  # type: ignore[call-overload]
        seen = screen.readline().decode()
        os.close(slave)
    assert seen == "\\x1b[2J\\x9b31m\\u202egone\r\n"
