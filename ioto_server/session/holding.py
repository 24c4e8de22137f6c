"""Naming in the log what has run for long without a pause, while everybody else had to wait."""

from __future__ import annotations

import inspect
import logging
from typing import Final

import structlog

from .whereabouts import definition, full_name

# What holds the loop for longer than this, in seconds, is named in a warning (SPEC 6).
HOLDS_THE_LOOP: Final = 0.1
# What runs for longer than this, in seconds, is told of at the level debug, which the metrics see.
NOTED: Final = 0.001

_log = structlog.get_logger("ioto_server.action")


def ran(function: object, seconds: float) -> None:
    """Tell of a function that has run for a while without a pause, and kept nobody waiting for long."""
    if _log.is_enabled_for(logging.DEBUG):
        _log.debug("action ran", action=full_name(function), milliseconds=round(seconds * 1000, 1))


def held_the_loop(function: object, seconds: float, until: str | None = None) -> None:
    """Name a function that has kept everybody waiting, and the line at which it waits itself, if it does."""
    _, where = definition(inspect.unwrap(function) if callable(function) else function)
    _log.warning(
        "action held the loop",
        action=full_name(function),
        where=where,
        until=until,
        milliseconds=round(seconds * 1000),
        hint="every connection of this process waited; await in between, or move the work to a thread "
        "with asyncio.to_thread()",
    )
