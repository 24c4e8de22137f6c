"""What `check`, `start` and `reload` say of routes and actions that never meet (SPEC 2, `routes`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from ioto_server.config import Config
from ioto_server.daemon.preflight import plugin_problems

PLUGIN = """\
from ioto_server import Web, action


@action("/ws/echo")
async def echo(web: Web) -> None:
    await web.wait()
"""

ACTION = {"handler": "action"}


def said(tmp_path: Path, *routes: dict[str, object]) -> list[str]:
    """The warnings, each by its beginning."""
    (tmp_path / "echo.py").write_text(PLUGIN)
    problems = plugin_problems(Config.read({"actions": str(tmp_path), "routes": routes}))
    assert not any(problem.fatal for problem in problems)
    return [problem.text.removeprefix(f"{tmp_path}/").split("\n")[0] for problem in problems]


UNREACHED = "echo.py:4: no route leads to the action /ws/echo"


@pytest.mark.parametrize(
    "routes",
    [
        [ACTION],
        [{"match": "/ws/", **ACTION}, {}],
        [{"match": "/ws/echo", **ACTION}, {}],
        [{"match": "/ws/echo/", **ACTION}, {}],
        [{"match": "/ws/echo/left", **ACTION}, {}],
        # What trim takes off, the action does not see.
        [{"match": "/v1/", "trim": "/v1", **ACTION}, {}],
        [{"match": "/v1/ws/", "trim": "/v1", **ACTION}, {}],
        [{"match": "/v1/ws/echo", "trim": "/v1/", **ACTION}, {}],
        [{"match": "/v1/ws/echo/left", "trim": "/v1", **ACTION}, {}],
        [{"trim": "/v1", **ACTION}],
        # By /ws/ws/echo.
        [{"match": "/ws/", "trim": "/ws", **ACTION}, {}],
    ],
)
def test_an_action_that_a_route_reaches(routes: list[dict[str, object]], tmp_path: Path) -> None:
    assert said(tmp_path, *routes) == []


@pytest.mark.parametrize(
    ("routes", "warnings"),
    [
        ([{}], [UNREACHED]),
        ([{}, {"match": "/ws/", **ACTION}], [UNREACHED]),
        ([{"match": "/api/", **ACTION}, {}], [UNREACHED, "routes: no action is bound below /api/"]),
        ([{"match": "/ws/", "redirect": "/", **ACTION}, {}], [UNREACHED]),
        (
            [{"match": "/v1/api/", "trim": "/v1", **ACTION}, {}],
            [UNREACHED, "routes: no action is bound below /v1/api/"],
        ),
        ([{"match": "/v1/"}, {"match": "/v1/ws/", "trim": "/v1", **ACTION}, {}], [UNREACHED]),
    ],
)
def test_one_that_none_does(routes: list[dict[str, object]], warnings: list[str], tmp_path: Path) -> None:
    assert said(tmp_path, *routes) == warnings
