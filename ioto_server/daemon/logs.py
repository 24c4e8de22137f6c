"""The log: one line an event, JSON for machines, colours for a person at a terminal (SPEC 10)."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor

from ioto_server.config import Log

from . import console_lines
from .journal import with_priority
from .json_line import render_json
from .output import Output

LEVELS: Final = {
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
}

_ERROR: Final = logging.ERROR
_threshold = logging.INFO
_output: Output | None = None
# Somebody sees also the lines that are not kept.
_watched = False

_log = structlog.get_logger("ioto_server.log")


def set_level(level: str) -> None:
    """Keep lines of this importance and above from now on; loggers that exist already follow."""
    global _threshold
    _threshold = LEVELS[level]


def level() -> str:
    """The least important level that is kept."""
    return next(name for name, number in LEVELS.items() if number == _threshold)


def reopen() -> None:
    """Go on in a new file where the old one was renamed (SIGUSR1)."""
    assert _output is not None
    try:
        _output.reopen()
    except OSError as error:
        _log.error("log not reopened", why=str(error), hint="lines go to the old file; see to its folder")
    else:
        _log.info("log reopened")


def gather(loop: asyncio.AbstractEventLoop | None) -> None:
    """Have what is logged in one turn of `loop` leave together, but for its first line and urgent ones.

    It is to be called in the loop's thread, and with None before the loop is gone.
    """
    if _output is not None:
        _output.gather(None if loop is None else loop.call_soon)


def flush() -> None:
    """Write what has gathered, from whichever thread: the loop is held, and the process ends."""
    if _output is not None:
        _output.flush()


def _forget_gathered() -> None:
    if _output is not None:
        _output.forget()


# A plugin may fork: the lines that wait are its parent's to write.
os.register_at_fork(after_in_child=_forget_gathered)


def descriptor() -> int:
    """Where the lines go: what a process of ours needs to log to the same place."""
    assert _output is not None
    return _output.descriptor


class _Logger(structlog.make_filtering_bound_logger(logging.DEBUG)):  # type: ignore[misc]
    """What the others write lines with. The level changes under it, so it is looked at for each line."""

    def info(self, event: str, *args: Any, **fields: Any) -> None:
        """What structlog does, without its layers: every request has a line of this level."""
        self.note(event % args if args else event, fields)

    def note(self, event: str, fields: dict[str, Any]) -> None:
        """As `info`, with fields that are given away: every connection has two lines, and one is long."""
        line: Any = {**self._context, **fields} if self._context else fields
        line["event"] = event
        logger = self._logger
        try:
            for processor in self._processors:
                line = processor(logger, "info", line)
        except structlog.DropEvent:
            return
        logger.info(line)

    def is_enabled_for(self, level: int) -> bool:
        """Whether anybody wants a line of this level: for who would spend time on making one."""
        return level >= _threshold or _watched


def watch(processor: Processor) -> None:
    """Show every line to `processor` first, also those that are too unimportant to be kept."""
    global _watched
    _watched = True
    # In place: loggers that exist already hold this very list.
    structlog.get_config()["processors"].insert(0, processor)


def _drop_unimportant(_logger: object, method: str, event: EventDict) -> EventDict:
    if LEVELS.get(method, _ERROR) < _threshold:
        raise structlog.DropEvent
    return event


def _add_priority(_logger: object, method: str, line: Any) -> str:
    return with_priority(method, str(line))


def _tell_lost(count: int) -> str:
    """A line that goes the way of all, but for where it is written: there it comes before what is."""
    line: Any = {
        "event": "log lines lost",
        "lines": count,
        "why": "they could not be written: the disk was full, or nobody read them",
    }
    for processor in structlog.get_config()["processors"]:
        line = processor(None, "error", line)
    return str(line)


def configure(log: Log) -> None:
    """Send every log line of the process where `log` says. Raises OSError when its file cannot be opened."""
    global _output, _watched
    _watched = False
    _output = output = Output(log.path, _tell_lost)
    console = log.format == "console" or (log.format == "auto" and output.is_terminal)
    set_level(log.level)
    processors: list[Processor]
    if console:
        processors = [
            _drop_unimportant,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=False),
            console_lines.make_visible,
            console_lines.renderer(colours=output.is_terminal),
        ]
    else:
        processors = [_drop_unimportant, render_json]
    if output.is_journal:
        processors.append(_add_priority)
    structlog.configure(
        processors=processors,
        wrapper_class=_Logger,
        logger_factory=lambda *_arguments: output,
        cache_logger_on_first_use=True,
    )
