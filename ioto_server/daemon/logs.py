"""The log: one line an event, JSON for machines, colours for a person at a terminal (SPEC 10)."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Final, TextIO

import structlog
from structlog.typing import EventDict, Processor

from ioto_server.config import Log


def _open(path: str | Path) -> TextIO:
    if path == "stdout":
        return sys.stdout
    if path == "stderr":
        return sys.stderr
    return open(path, "a", encoding="utf-8", buffering=1)


LEVELS: Final = {
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
}
_threshold = logging.INFO


def set_level(level: str) -> None:
    """Keep lines of this importance and above from now on; loggers that exist already follow."""
    global _threshold
    _threshold = LEVELS[level]


def level() -> str:
    """The least important level that is kept."""
    return next(name for name, number in LEVELS.items() if number == _threshold)


def _drop_unimportant(_logger: object, method: str, event: EventDict) -> EventDict:
    if LEVELS.get(method, logging.ERROR) < _threshold:
        raise structlog.DropEvent
    return event


def configure(log: Log) -> None:
    """Send every log line of the process where `log` says. Raises OSError when its file cannot be opened."""
    stream = _open(log.path)
    console = log.format == "console" or (log.format == "auto" and stream.isatty())
    set_level(log.level)
    processors: list[Processor] = [
        _drop_unimportant,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=not console),
    ]
    if console:
        processors.append(structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=18))
    else:
        processors += [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
