"""Writing JSON5: values as the file has them, and a whole `Config` that loads as the same one."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from ioto_server.config.directives import show
from ioto_server.config.model import Config
from ioto_server.config.syntax import quoted

_BARE_KEY = r"[A-Za-z_$][A-Za-z0-9_$]*"
_CONTROL = r"[\x00-\x1f\x7f\u2028\u2029]"
_WIDTH = 100


def write(value: object, indent: int = 0) -> str:
    """Write a plain value as JSON5, on one line where it fits. `indent` is the column its line begins at."""
    line = write_line(value)
    if len(line) + indent <= _WIDTH or not isinstance(value, Mapping | list | tuple):
        return line
    inner, outer = " " * (indent + 4), " " * indent
    if isinstance(value, Mapping):
        items = [f"{inner}{_key(key)}: {write(item, indent + 4)},\n" for key, item in value.items()]
        return "{\n" + "".join(items) + outer + "}"
    return "[\n" + "".join(f"{inner}{write(item, indent + 4)},\n" for item in value) + outer + "]"


def write_config(config: Config) -> str:
    """Write every directive with its value; loading the text gives an equal `Config`."""
    return write(show(config)) + "\n"


def write_line(value: object) -> str:
    """Write a plain value as JSON5 on one line, however long."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return re.sub(_CONTROL, lambda match: f"\\u{ord(match[0]):04x}", quoted(value))
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(key)}: {write_line(item)}" for key, item in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(write_line, value))}]"
    return repr(value)


def _key(key: str) -> str:
    return key if re.fullmatch(_BARE_KEY, key) else write_line(key)
