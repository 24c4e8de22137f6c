"""What the server logs while a test runs, and which exceptions of actions are among it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from .failures import ActionFailed, describe_exception
from .loop import Loop

# Log lines that a test can look at; of more, the oldest are forgotten.
_MOST_LINES = 10_000
# Written or not, as the machine is slow or quick: no test could say what is in its log.
_TIMINGS = frozenset({"action ran"})


class Journal:
    """Listens to the log of one loop, and passes everything on."""

    def __init__(self, loop: Loop) -> None:
        self.lines: list[dict[str, Any]] = []
        self._loop = loop
        self._failures: list[ActionFailed] = []
        self._processors: list[Any] = structlog.get_config()["processors"]

    def open(self) -> None:
        """Begin to listen."""
        # In place: loggers that were made before share this very list.
        self._processors.insert(0, self._listen)
        self._loop.asyncio_loop.set_exception_handler(self._unhandled)

    def close(self) -> None:
        """Listen no more."""
        self._processors.remove(self._listen)

    def take_failures(self) -> list[ActionFailed]:
        """The exceptions of actions that nobody was told of yet."""
        failures, self._failures = self._failures, []
        return failures

    def _listen(self, _logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if self._loop.is_running and event.get("event") not in _TIMINGS:
            line = dict(event)
            line["level"] = "error" if method == "exception" else method
            error = _exception(line.pop("exc_info", None))
            if error is not None:
                line["exception"] = error
                self._fail(error, line.get("path"))
            self.lines.append(line)
            del self.lines[:-_MOST_LINES]
        return event

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A task of the author's has raised, and nobody was there to hear it."""
        error = context.get("exception")
        if isinstance(error, Exception):
            self._fail(error, None)
        else:
            loop.default_exception_handler(context)

    def _fail(self, error: BaseException, path: str | None) -> None:
        failure = ActionFailed(describe_exception(error, path))
        failure.__cause__ = error
        self._failures.append(failure)


def _exception(logged: object) -> BaseException | None:
    """The exception of a log line, in one of the three ways in which structlog takes it."""
    if isinstance(logged, BaseException):
        return logged
    if isinstance(logged, tuple):
        return logged[1] if isinstance(logged[1], BaseException) else None
    return sys.exception() if logged else None
