"""The log as operators need it: rotated, in the journal, on a full disk; what is never in it (SPEC 10)."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.conftest import StartDaemon
from tests.support.daemon import DEADLINE, write_project
from tests.support.raw import TEXT, RawClient
from tests.support.systemd import Manager

RAISES = """\
from ioto_server import Web, action


@action("/raises")
async def raises(web: Web) -> None:
    if web.upgrade:
        web.accept()
    raise RuntimeError("no database")
"""


def wait_for_line(path: Path, event: str) -> None:
    """Wait until a line of this event is in the file."""
    end = time.monotonic() + DEADLINE
    while not (path.exists() and f'"event": "{event}"' in path.read_text()):
        assert time.monotonic() < end, path.read_text() if path.exists() else f"no {path}"
        time.sleep(0.02)


def test_the_log_goes_on_in_a_new_file_when_the_old_one_was_renamed(tmp_path: Path) -> None:
    log, old = tmp_path / "ioto.log", tmp_path / "ioto.log.1"
    config = write_project(
        tmp_path, {"listen": f"unix:{tmp_path}/web", "log": {"path": str(log)}}, {"raises.py": RAISES}
    )
    with Manager(config) as service:
        service.wait_for("READY")
        assert log.stat().st_mode & 0o007 == 0, "nobody else reads it"
        log.rename(old)
        service.signal(signal.SIGUSR1)
        wait_for_line(log, "log reopened")
        with RawClient(f"unix:{tmp_path}/web") as client:
            client.request("GET", "/nothing")
        wait_for_line(log, "request")
        assert '"request"' not in old.read_text()
        # A folder that has gone: the file that is open is better than none.
        (tmp_path / "ioto.log").unlink()
        (tmp_path / "ioto.log").mkdir()
        service.signal(signal.SIGUSR1)
        with RawClient(f"unix:{tmp_path}/web") as client:
            assert client.request("GET", "/nothing").status == 404
        service.signal(signal.SIGTERM)
        assert service.wait() == 0


def test_the_signal_is_harmless_where_there_is_no_file(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, {})
    daemon.log("ready")
    daemon.signal(signal.SIGUSR1)
    daemon.log("log reopened")
    assert daemon.stop() == 0


def test_a_full_disk_loses_lines_and_nothing_else(tmp_path: Path) -> None:
    config = write_project(tmp_path, {"listen": f"unix:{tmp_path}/web", "log": {"path": "/dev/full"}}, None)
    with Manager(config) as service:
        service.wait_for("READY")
        with RawClient(f"unix:{tmp_path}/web") as client:
            client.upgrade("/ws/echo")
            client.send_frame(TEXT, b"on")
            assert client.read_message() == (TEXT, b"on")
        service.signal(signal.SIGTERM)
        assert service.wait() == 0


@pytest.mark.parametrize("form", ["auto", "console"])
def test_lines_for_the_journal_begin_with_their_priority(tmp_path: Path, form: str) -> None:
    config = write_project(
        tmp_path,
        {"listen": f"unix:{tmp_path}/web", "log": {"format": form, "level": "debug"}},
        {"raises.py": RAISES},
    )
    output = tmp_path / "output"
    output.touch()
    found = output.stat()
    with Manager(config, env={"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}) as service:
        service.wait_for("READY")
        with RawClient(f"unix:{tmp_path}/web") as client:
            assert client.request("GET", "/raises").status == 500
        service.signal(signal.SIGTERM)
        assert service.wait() == 0
        lines = [line for line in service.output.splitlines() if line]
    assert {line[:3] for line in lines} == {"<6>", "<3>"}
    assert any(line.startswith("<3>") and "no database" in line for line in lines)
    if form == "auto":
        assert all(json.loads(line[3:]) for line in lines)


@pytest.mark.parametrize("wrong", ["configuration", "plugin", "port"])
def test_so_do_the_reasons_for_which_a_start_is_refused(tmp_path: Path, wrong: str) -> None:
    """They are said before there is a log, and the journal is to show them among its errors."""
    output = tmp_path / "output"
    output.touch()
    found = output.stat()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        settings, source = {
            "configuration": ({"limits": {"maxFrame": "12 bananas"}}, RAISES),
            "plugin": ({}, "import nothing_of_this_name"),
            "port": ({"listen": endpoint}, RAISES),
        }[wrong]
        config = write_project(tmp_path, settings, {"raises.py": source})
        with Manager(config, env={"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}) as service:
            assert service.wait() == (1 if wrong == "port" else 2)
            lines = service.output.splitlines()
    assert lines
    assert {line[:3] for line in lines} == {"<3>"}


def test_another_stream_than_the_journal_has_no_priorities(tmp_path: Path) -> None:
    config = write_project(tmp_path, {"listen": f"unix:{tmp_path}/web"}, {})
    with Manager(config, env={"JOURNAL_STREAM": "1:2"}) as service:
        service.wait_for("READY")
        assert service.output.startswith("{")


def test_no_query_string_is_ever_logged(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(
        {
            "log": {"level": "debug"},
            "redirect": [{"from": "/old", "to": "/new"}],
            "limits": {"header": 300},
        },
        {"raises.py": RAISES},
    )
    secret = "token=s3cret"
    for target in (f"/?{secret}", f"/none?{secret}", f"/old?{secret}", f"/raises?{secret}", f"/%2F?{secret}"):
        with RawClient(daemon.url) as client:
            client.request("GET", target)
    with RawClient(daemon.url) as client:
        client.upgrade(f"/raises?{secret}")
        assert client.read_close()[0] == 1011
    with RawClient(daemon.url) as client:
        assert client.request("GET", f"/?{secret}&{'x' * 300}").status == 414
    with RawClient(daemon.url) as client:
        client.send(f"GET /?{secret} HTTP/1.1\r\nHost\r\n\r\n".encode())
        assert client.read_response().status == 400
    daemon.log("refused", number=2)
    assert daemon.stop() == 0
    assert "no database" in daemon.output
    assert "s3cret" not in daemon.output


def test_health_checks_and_port_scans_that_send_nothing_leave_no_line(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"parse": 0.2}}, {"raises.py": RAISES})
    daemon.log("ready")
    before = len(daemon.events)
    RawClient(daemon.url).close()
    RawClient(daemon.url).reset()
    with RawClient(daemon.url) as client:
        client.finish_sending()
        assert client.read_to_end() == b""
    with RawClient(daemon.url) as client:
        assert client.read_to_end() == b"", "closed in silence at timeouts.parse"
    with RawClient(daemon.url) as client:
        client.request("GET", "/seen")
    daemon.log("request", path="/seen")
    assert [line["event"] for line in daemon.events[before:]] == ["request"]


def test_the_log_file_is_not_inherited(tmp_path: Path) -> None:
    log = tmp_path / "ioto.log"
    config = write_project(tmp_path, {"listen": f"unix:{tmp_path}/web", "log": {"path": str(log)}}, {})
    with Manager(config) as service:
        service.wait_for("READY")
        folder = Path(f"/proc/{service.process.pid}")
        (number,) = (one.name for one in (folder / "fd").iterdir() if os.path.realpath(one) == str(log))
        flags = (folder / "fdinfo" / number).read_text().split("flags:")[1].split()[0]
    assert int(flags, 8) & os.O_CLOEXEC
