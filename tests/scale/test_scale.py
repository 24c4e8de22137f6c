"""The runs at scale, small: that they run, and that they hold (SPEC 9)."""

from __future__ import annotations

from tests.scale import run


def test_workers_are_killed_under_load() -> None:
    figures = run.kill(workers=2, held=100, rate=20, seconds=2)
    assert figures["new"]["opened"] > 0


def test_upgrades_under_load() -> None:
    figures = run.upgrade(workers=1, held=100, rate=20, times=2)
    assert figures["new"]["opened"] > 0


def test_many_are_pinged() -> None:
    figures = run.idle(workers=2, count=100, seconds=2, ping=0.5)
    assert figures["pings_each"] > 1
