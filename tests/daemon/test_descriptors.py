"""Descriptors: the limit is raised, checked against limits.connections, and reached without harm."""

from __future__ import annotations

import json
import resource
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import StartDaemon
from tests.support import daemon as support
from tests.support.daemon import Daemon, run_program
from tests.support.raw import IncompleteError, RawClient


@pytest.fixture
def limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Daemons of this test begin with 60 descriptors and may raise that to 200."""
    program = tmp_path / "limited"
    program.write_text(f'#!/bin/sh\nulimit -S -n 60\nulimit -H -n 200\nexec "{support.PROGRAM}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setattr(support, "PROGRAM", program)


def fills_up(daemon: Daemon, clients: ExitStack) -> int:
    """Connect until the daemon takes no more; returns how many it took."""
    for count in range(300):
        client = clients.enter_context(RawClient(daemon.url))
        try:
            client.upgrade("/ws/echo")
        except (IncompleteError, ConnectionError):
            return count
    return 300


def test_a_daemon_without_descriptors_says_so_and_goes_on_when_it_has_some(
    start_daemon: StartDaemon, limited: None
) -> None:
    daemon = start_daemon({"limits": {"connections": 1000}})
    assert resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE) == (200, 200)
    said = daemon.log("descriptors")["problem"]
    assert "limits.connections: 1000 connections take 1128 open files, and this process may have 200" in said
    assert "LimitNOFILE=1128" in said
    assert "limits.connections: 72" in said
    with ExitStack() as clients:
        assert 100 < fills_up(daemon, clients) < 200
        assert daemon.log("out of descriptors")["limit"] == 200
    daemon.log("descriptors again")
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/echo")


def test_what_fits_is_no_warning_and_a_reload_that_does_not_fit_is(
    start_daemon: StartDaemon, limited: None
) -> None:
    daemon = start_daemon({"limits": {"connections": 72}}, {})
    daemon.log("ready")
    assert '"descriptors"' not in daemon.output
    document = json.loads(daemon.config.read_text())
    document["limits"] = {"connections": "unlimited"}
    daemon.config.write_text(json.dumps(document))
    run = run_program("reload", "--config", daemon.config, cwd=daemon.folder)
    assert run.returncode == 0
    assert "limits.connections: unlimited, but this process may open 200 files" in run.stderr
