"""What a peer has chosen, as a terminal can bear it: paths, header fields, reasons, messages, answers.

Whoever connects decides what these hold, and an operator reads them. Nothing of it may move the cursor,
change what stands there already, show another order of letters than it has, or pass for a line of its own.
"""

from __future__ import annotations

import re
from typing import Final

# Control characters (C0, DEL, C1) but line end and tab; what ends a line in Unicode; what changes the
# direction of writing; halves of a pair, which no encoding has.
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_UNSAFE_IN_LINE: Final = re.compile(f"[\t\n]|{_UNSAFE.pattern}")
_NAMED: Final = {"\t": "\\t", "\n": "\\n"}


def visible(text: str) -> str:
    """`text`, which may have several lines, with what could steer a terminal written as escapes."""
    return _UNSAFE.sub(_escape, text)


def visible_line(text: str) -> str:
    """`text` on one line, with what could end it, or steer a terminal, written as escapes."""
    return _UNSAFE_IN_LINE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    number = ord(character)
    return _NAMED.get(character) or (f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}")
