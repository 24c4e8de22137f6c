"""Where log lines go: a descriptor that can be reopened, and may fail with no harm but lost lines."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from .journal import leads_to_journal


class Output:
    """Writes each line with one system call, so that lines of several processes never mix.

    A disk that is full must not end connections: what cannot be written is counted, and the count is written
    when there is room again.
    """

    def __init__(self, path: Path | str) -> None:
        """Open `path`: 'stdout', 'stderr' or a file to append to. Raises OSError."""
        self._path = path
        self._lost = 0
        if isinstance(path, Path):
            self._descriptor = _open(path)
        else:
            self._descriptor = (sys.stdout if path == "stdout" else sys.stderr).fileno()

    def write(self, line: str) -> None:
        """Write one line, given without its end, or count it as lost."""
        text = f"{line}\n"
        if self._lost:
            text = f"ioto-server: {self._lost} log lines could not be written\n{text}"
        try:
            os.write(self._descriptor, text.encode("utf-8", "backslashreplace"))
        except OSError:
            self._lost += 1
        else:
            self._lost = 0

    # What structlog calls on a logger, by the level's name.
    debug = info = warning = error = exception = critical = write

    def reopen(self) -> None:
        """Go on in the file that has the name now, after logrotate(8) has renamed the old one.

        Raises OSError, and goes on in the old file, where the new one cannot be opened.
        """
        if isinstance(self._path, Path):
            fresh = _open(self._path)
            # One step: a thread that is writing meanwhile finds the one or the other.
            os.dup2(fresh, self._descriptor, inheritable=False)
            os.close(fresh)

    @property
    def descriptor(self) -> int:
        """Where the lines go, for processes that log to the same place."""
        return self._descriptor

    @property
    def is_terminal(self) -> bool:
        """Whether a person is looking."""
        return os.isatty(self._descriptor)

    @property
    def is_journal(self) -> bool:
        """Whether the lines go to systemd's journal."""
        return leads_to_journal(self._descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
