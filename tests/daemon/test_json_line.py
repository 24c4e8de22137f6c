"""Log lines in JSON are those of structlog's own processors, to the last byte."""

from __future__ import annotations

import enum
import math
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from ioto_server.daemon import json_line
from ioto_server.daemon.json_line import render_json


class Colour(enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    SEVEN = 7


class Text(str):
    """A string in all but its type."""


class Structured:
    """What structlog asks how it is to be written."""

    def __structlog__(self) -> dict[str, int]:
        return {"part": 1}


LINES: list[dict[str, Any]] = [
    {"event": "ready"},
    {"event": "websocket open", "peer": "127.0.0.1:1", "path": "/ws/echo", "protocol": None},
    {
        "peer": "[::1]:65535",
        "seconds": 0.003,
        "messages_in": 2**70,
        "bytes_in": -1,
        "reason": 'quote " backslash \\ newline \n NUL \0 DEL \x7f é 漢 😀 \ud800',
        "clean": True,
        "dropped": False,
        "event": "websocket close",
    },
    {"numbers": [1.5, 1e300, -0.0, math.nan, math.inf, -math.inf], "nan": math.nan, "inf": math.inf},
    {"tiny": 5e-324, "whole": 3.0, "large": 1e16, "minus": -math.inf},
    {"nested": {"list": [1, "two", None, {"deep": ()}], "path": Path("/x")}, "tuple": (1, 2)},
    {"path": Path("/srv/é"), "colour": Colour.RED, "number": Number.SEVEN, "text": Text("as text")},
    {"own": Structured(), "bytes": b"\xff", "set": {1}, "type": int},
    {'a "name" é': 1, "": ""},
    {"none": 0, "most": 2**63 - 1, "over": 2**63, "least": -(2**63)},
    {"long": "x" * 5000},
    {f"field {number}": "y" * 40 for number in range(23)},
    {"level": "its own", "timestamp": "its own too", "event": "named like ours"},
    {},
]


def by_structlog(method: str, line: dict[str, Any]) -> str:
    """The line as the chain of processors made it that this one stands for."""
    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]
    made: Any = dict(line)
    for processor in processors:
        made = processor(None, method, made)
    return str(made)


@pytest.fixture(autouse=True)
def no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    microseconds = (now - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)

    class Still(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return now

    monkeypatch.setattr("datetime.datetime", Still)
    monkeypatch.setattr(json_line, "time_ns", lambda: microseconds * 1000 + 999)


@pytest.mark.parametrize("method", ["debug", "info", "warning", "error", "exception", "critical"])
@pytest.mark.parametrize("line", LINES, ids=lambda line: next(iter(line), "nothing"))
def test_every_line_is_the_one_of_structlog(line: dict[str, Any], method: str) -> None:
    assert render_json(None, method, dict(line)) == by_structlog(method, line)


def test_every_character_is_written_as_structlog_does_it_wherever_it_stands() -> None:
    for character in map(chr, range(256)):
        for place in (0, 1, 6, 7, 8, 9, 16):
            line = {"event": "a" * place + character + "z" * (17 - place), "alone": character}
            assert render_json(None, "info", dict(line)) == by_structlog("info", line)


def test_numbers_with_few_places_are_written_as_structlog_does_it() -> None:
    near = [math.nextafter(value, toward) for value in (0.001, 0.1, 2.345, 1e9) for toward in (0, math.inf)]
    numbers = [thousandths / 1000 for thousandths in (*range(2500), 60_000, 123_456_789, 999_999_999_999)]
    for number in (*numbers, *near, 0.0005, 0.0015, 1e9, 1e9 - 0.001, 12.3456, -0.001, -2.5):
        line = {"seconds": number}
        assert render_json(None, "info", dict(line)) == by_structlog("info", line)


def test_a_traceback_is_the_one_of_structlog() -> None:
    try:
        raise ValueError("no database é")
    except ValueError as error:
        for exc_info in (error, sys.exc_info(), True):
            line: dict[str, Any] = {"event": "action failed", "exc_info": exc_info, "path": "/x"}
            assert render_json(None, "error", dict(line)) == by_structlog("error", line)
    line = {"event": "action failed", "exc_info": None}
    assert render_json(None, "error", dict(line)) == by_structlog("error", line)


@pytest.mark.parametrize("second", [0, 1_700_000_000, 1_764_205_323])
@pytest.mark.parametrize("microsecond", [0, 1, 90_210, 999_999])
def test_the_time_is_that_of_isoformat(second: int, microsecond: int) -> None:
    expected = datetime.fromtimestamp(second, UTC).replace(microsecond=microsecond)
    made = json_line.timestamp(second * 1_000_000_000 + microsecond * 1000 + 999)
    assert made == expected.isoformat().replace("+00:00", "Z")


def test_names_that_somebody_invents_are_not_kept_for_ever() -> None:
    for number in range(5000):
        assert f'"name {number}": 1' in render_json(None, "info", {f"name {number}": 1})
    assert json_line.known_names() <= 1000
