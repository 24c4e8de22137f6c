"""A coroutine of an author's, of which nothing gets out that would end or stop the server unnoticed."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Coroutine
from time import monotonic
from typing import Any, Final, Generic, TypeVar

import structlog

from .whereabouts import authors_frame, definition

Result = TypeVar("Result", covariant=True)

# What holds the loop for longer than this, in seconds, is named in a warning (SPEC 6).
HOLDS_THE_LOOP: Final = 0.1
# What runs for longer than this, in seconds, is told of at the level debug, which the metrics see.
NOTED: Final = 0.001

_log = structlog.get_logger("ioto_server.action")


class ActionExit(Exception):
    """An action has tried to end the process."""


class Contained(Coroutine[Any, Any, Result], Generic[Result]):
    """A coroutine whose `sys.exit()` is a failure of its own, and that is named when it holds the loop.

    A task lets SystemExit through to the loop. This costs a connection a few dozen bytes, and a step of the
    coroutine two looks at the clock; an `async def` around the author's would cost it a frame.
    """

    __slots__ = ("_named", "contains")

    def __init__(self, coroutine: Coroutine[Any, Any, Result], named: object = None) -> None:
        """Run `coroutine`; `named` is the function to name in the log, else the coroutine's own."""
        self.contains = coroutine
        self._named = named

    def send(self, value: Any) -> Any:
        """Run on."""
        begun = monotonic()
        try:
            return self.contains.send(value)
        except SystemExit as error:
            raise ActionExit(f"the action called sys.exit({error.code!r}): return instead") from error
        finally:
            seconds = monotonic() - begun
            if seconds > NOTED:
                self._took(seconds)

    def throw(self, *error: Any) -> Any:
        """Run on with an exception."""
        try:
            return self.contains.throw(*error)
        except SystemExit as exit_:
            raise ActionExit(f"the action called sys.exit({exit_.code!r}): return instead") from exit_

    def close(self) -> None:
        """Give up."""
        self.contains.close()

    def __await__(self) -> Any:
        return self.contains.__await__()

    def __repr__(self) -> str:
        return repr(self.contains)

    def _took(self, seconds: float) -> None:
        if seconds <= HOLDS_THE_LOOP:
            ran(self._named if callable(self._named) else self.contains, seconds)
            return
        frame = authors_frame(self.contains)
        held_the_loop(
            self._named if callable(self._named) else self.contains,
            seconds,
            f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else None,
        )


def ran(function: object, seconds: float) -> None:
    """Tell of a function that has run for a while without a pause, and kept nobody waiting for long."""
    if _log.is_enabled_for(logging.DEBUG):
        name, _ = definition(inspect.unwrap(function) if callable(function) else function)
        _log.debug("action ran", action=name, milliseconds=round(seconds * 1000, 1))


def held_the_loop(function: object, seconds: float, until: str | None = None) -> None:
    """Name a function that has kept everybody waiting, and the line at which it waits itself, if it does."""
    name, where = definition(inspect.unwrap(function) if callable(function) else function)
    _log.warning(
        "action held the loop",
        action=name,
        where=where,
        until=until,
        milliseconds=round(seconds * 1000),
        hint="every connection of this process waited; await in between, or move the work to a thread "
        "with asyncio.to_thread()",
    )
