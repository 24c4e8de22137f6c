"""`workers`: what this version does not do is said, not ignored (SPEC 2)."""

from __future__ import annotations

from tests.conftest import StartDaemon


def test_more_than_one_is_a_warning(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"workers": 2}, {})
    line = daemon.log("not supported")
    assert line["level"] == "warning"
    assert "set workers: 1" in line["problem"]


def test_one_is_none(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"workers": 1}, {})
    daemon.log("ready")
    assert "not supported" not in daemon.output
