"""Editing of the line that is typed, and the lines typed before: GNU readline's, where Python has it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

try:
    import readline
except ImportError:
    readline = None  # type: ignore[assignment]

_MOST_LINES: Final = 1000


def history_file() -> Path:
    """Where lines are kept: `$XDG_STATE_HOME/ioto-server/history`, or below `~/.local/state`."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "ioto-server" / "history"


class History:
    """The lines that the arrow keys bring back; those that begin with a blank are not kept."""

    def __init__(self) -> None:
        self._file = history_file()

    @property
    def typed(self) -> str:
        """What stands in the line at this moment."""
        return readline.get_line_buffer() if readline is not None else ""

    def add(self, line: str) -> None:
        """Remember a line."""
        if readline is not None and not line.startswith(" "):
            readline.add_history(line)

    def __enter__(self) -> History:
        if readline is not None:
            readline.set_auto_history(False)
            # Between two lines the terminal is in canonical mode, and there Linux keeps a Ctrl-D that was
            # typed as NUL: what would set the mark ends the line again.
            readline.parse_and_bind(r'"\C-@": "\C-d"')
            with suppress(OSError):
                readline.read_history_file(self._file)
        return self

    def __exit__(self, *_: object) -> None:
        if readline is None:
            return
        readline.set_history_length(_MOST_LINES)
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # What is typed may be secret: the file is its owner's alone from the begin.
            self._file.touch(mode=0o600)
            readline.write_history_file(self._file)
