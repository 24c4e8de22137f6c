"""What the soak of a day says of a series: growth is told from noise, and it is drawn."""

from __future__ import annotations

import random
from pathlib import Path
from xml.etree import ElementTree

import pytest
import uvloop

from .day import ACTIONS, Day, Sample, draw, live, serve, summary
from .trend import trend

X = [number / 100 for number in range(100)]


def test_a_straight_line_has_its_slope_and_no_margin() -> None:
    found = trend(X, [5 + 3 * x for x in X])
    assert found.slope == pytest.approx(3)
    assert found.margin == pytest.approx(0, abs=1e-9)
    assert found.grows


def test_a_slow_leak_is_told_from_noise() -> None:
    chance = random.Random(1)
    noise = [chance.gauss(0, 1) for _ in X]
    assert trend(X, [x * 4 + one for x, one in zip(X, noise, strict=True)]).grows
    assert not trend(X, noise).grows
    assert not trend(X, [one - x * 4 for x, one in zip(X, noise, strict=True)]).grows


def test_steps_that_come_and_go_are_no_growth() -> None:
    """Neighbours are alike, as with memory: the margin must not take them for so many witnesses."""
    steps = [[0.0, 2.0, 1.0, 2.0, 0.0][number // 20] for number in range(100)]
    assert not trend(X, steps).grows


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="7 samples are too few"):
        trend(X[:7], X[:7])


def made_day(resident: float, descriptors: float = 0) -> Day:
    """A day of 40 rests, in which so many bytes and descriptors are lost a minute."""
    chance = random.Random(2)
    rests = [
        Sample(
            minute * 60.0,
            round(50e6 + resident * minute + chance.gauss(0, 1e5)),
            200_000,
            20 + round(descriptors * minute),
            4,
            0,
        )
        for minute in range(40)
    ]
    return Day(rests, [(one.at, one.resident * 2, one.descriptors + 100) for one in rests])


def test_a_day_without_a_leak_has_no_fault_and_one_with_is_told() -> None:
    assert made_day(0).faults() == []
    assert [fault.split(" ")[0] for fault in made_day(50_000).faults()] == ["resident"]
    assert {fault.split(" ")[0].strip(":") for fault in made_day(0, 0.2).faults()} == {"descriptors"}
    assert summary(made_day(0))["wrong"] == []


def test_the_day_is_drawn() -> None:
    drawing = ElementTree.fromstring(draw(made_day(1000)))
    assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(drawing.findall("{*}circle")) == 4 * 40


LEAKING = ACTIONS.replace(
    "async def topics(web: Web) -> None:\n",
    "async def topics(web: Web, kept=[]) -> None:\n    kept.append(bytearray(300_000))\n",
)


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.timeout(900)
def test_an_action_that_leaks_is_found(tmp_path: Path) -> None:
    """The real daemon on a short day; what its action keeps for each visitor is seen from outside."""
    folder = tmp_path / "server"
    assert LEAKING != ACTIONS
    server, trust = serve(folder, {"day.py": LEAKING})
    try:
        day = uvloop.run(live(server, folder, trust, 60, 2, 1, print))
        assert server.stop() == 0
    finally:
        server.kill()
    assert any(fault.startswith("resident grows") for fault in day.faults()), day.rests
