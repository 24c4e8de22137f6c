"""A log line in JSON: what structlog's own processors make of it, byte for byte, for a tenth of the price."""

from __future__ import annotations

from json.encoder import encode_basestring_ascii as quoted
from math import isfinite
from time import gmtime, strftime, time_ns
from typing import Any, Final

import structlog
from structlog.typing import EventDict

_add_level: Final = structlog.processors.add_log_level
_add_exception: Final = structlog.processors.format_exc_info
_render_other: Final = structlog.processors.JSONRenderer()

# Names are few: those in the source. Who logs names of somebody's invention has them made anew now and then.
_MOST_NAMES: Final = 1000


_names: Final[dict[str, str]] = {}
# The second of the last line, since the epoch and in words: one object, as threads log too.
_last = (-1, "")


def known_names() -> int:
    """How many names of fields are kept as they stand in a line."""
    return len(_names)


def _name(key: str) -> str:
    """A field's name as it stands before its value."""
    text = _names.get(key)
    if text is None:
        if len(_names) >= _MOST_NAMES:
            _names.clear()
        text = _names[key] = f", {quoted(key)}: "
    return text


def timestamp(now: int) -> str:
    """`now`, in nanoseconds since the epoch, as `datetime.isoformat` has it, with a Z for UTC."""
    global _last
    second = now // 1_000_000_000
    micro = now // 1000 % 1_000_000
    known, text = _last
    if second != known:
        text = strftime("%Y-%m-%dT%H:%M:%S", gmtime(second))
        _last = (second, text)
    # One without a fraction has no point either: so it is with isoformat().
    return f"{text}.{micro:06d}Z" if micro else f"{text}Z"


def _value(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return quoted(value)
    if kind is int:
        return str(value)
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if kind is float and isfinite(value):
        return repr(value)
    # structlog knows what to write for what JSON does not have.
    return str(_render_other(None, "", value))


def render_json(logger: object, method: str, line: EventDict) -> str:
    """Add level, time, and a traceback where there is one, and render: the last processor of a line."""
    line = _add_level(logger, method, line)
    line["timestamp"] = timestamp(time_ns())
    if "exc_info" in line:
        line = _add_exception(logger, method, line)
    parts: list[Any] = []
    for key, value in line.items():
        parts.append(_name(key))
        parts.append(_value(value))
    return "{" + "".join(parts)[2:] + "}"
