"""Messages as a person can read them, and as a terminal can bear them."""

from __future__ import annotations

import json
from typing import Final

from ioto_server.daemon.visible import visible, visible_line
from ioto_server.websocket import close_text

# Of a message longer than this, a terminal shows the begin only.
_MOST_CHARACTERS: Final = 16 * 1024
_MOST_BYTES: Final = 256
_ROW: Final = 16


def indented_json(text: str) -> str | None:
    """A JSON text on several lines; None where it is no JSON object or array."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict | list):
        return None
    return json.dumps(value, indent=2, ensure_ascii=False)


def for_terminal(data: str | bytes, *, as_json: bool) -> str:
    """A message as a terminal shows it: its begin, with bytes in hexadecimal."""
    if isinstance(data, bytes):
        return _hexadecimal(data)
    text = (indented_json(data) if as_json else None) or data
    shown = visible(text[:_MOST_CHARACTERS])
    left = len(text) - _MOST_CHARACTERS
    return f"{shown} ... and {left} characters more" if left > 0 else shown


def for_pipe(data: str | bytes, *, as_json: bool) -> str:
    """A message as a program reads it: text as it came, bytes as one line of hexadecimal digits."""
    if isinstance(data, bytes):
        return data.hex()
    return (indented_json(data) if as_json else None) or data


def _hexadecimal(data: bytes) -> str:
    count = f"{len(data)} byte{'s' if len(data) != 1 else ''}"
    if len(data) <= _ROW:
        return f"({count}) {_row(data)}" if data else f"({count})"
    rows = [_row(data[start : start + _ROW]) for start in range(0, min(len(data), _MOST_BYTES), _ROW)]
    if len(data) > _MOST_BYTES:
        rows.append(f"... and {len(data) - _MOST_BYTES} bytes more")
    return "\n".join([f"({count})", *rows])


def _row(data: bytes) -> str:
    characters = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in data)
    return f"{data.hex(' '):<{3 * _ROW if len(data) == _ROW else 0}} {characters}".rstrip()


def closed(code: int, reason: str) -> str:
    """An end in words: `closed: 1001 going away (Server stopping)`."""
    return f"closed: {close_text(code)}" + (f" ({visible_line(reason)})" if reason else "")
