"""Lines of the log for a person: in columns, with colours at a terminal, with nothing that could steer it."""

from __future__ import annotations

from io import StringIO
from textwrap import indent
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo

from .visible import visible, visible_line

_WIDTH: Final = 18
# What the renderer writes below the line, as several lines.
_BELOW: Final = ("exception", "stack")


class _Shown:
    """A text that the renderer writes as it is: it asks what is no text for its representation."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def make_visible(_logger: object, _method: str, line: EventDict) -> EventDict:
    """Escape what peers have chosen; how each line looks, colours too, is decided after this."""
    return {visible_line(name): _visible(name, value) for name, value in line.items()}


def _visible(name: str, value: Any) -> Any:
    if name == "exc_info" or value is None or isinstance(value, bool | int | float):
        return value
    if name == "event":
        return visible_line(str(value))
    if name in _BELOW:
        return _below(str(value))
    if isinstance(value, str) and value.isprintable():
        return value
    return _Shown(visible_line(repr(value)))


def _below(text: str) -> str:
    # Indented, so that no line of an exception's message passes for one of the log.
    return indent(visible(text), "  ")


def renderer(colours: bool) -> structlog.dev.ConsoleRenderer:
    """What makes a text of a line that went through `make_visible`."""
    return structlog.dev.ConsoleRenderer(
        colors=colours, pad_event_to=_WIDTH, exception_formatter=_write_traceback
    )


def _write_traceback(stream: TextIO, exc_info: ExcInfo) -> None:
    """The plain one, whatever else is installed: others show the values of variables, secret or not."""
    held = StringIO()
    structlog.dev.plain_traceback(held, exc_info)
    stream.write("\n" + _below(held.getvalue().lstrip("\n")))
