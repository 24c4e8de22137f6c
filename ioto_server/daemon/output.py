"""Where log lines go: a descriptor that can be reopened, and may fail with no harm but lost lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from threading import get_ident
from typing import Final

from .journal import leads_to_journal

# Lines that have gathered leave when they are so many characters: a pipe takes as many bytes in one piece.
_MOST_GATHERED: Final = 4096


class Output:
    """Writes whole lines with each system call, so that those of several processes never mix.

    Where a loop serves, the first line of each of its turns is written at once. What follows it in the same
    turn, and is not urgent, gathers and leaves together, as dozens of clients may come and go in one turn. So
    what an action logs before it blocks the loop is there to be read, unless others had something to say.

    A disk that is full must not end connections: what cannot be written is counted, and the count is written
    when there is room again.
    """

    def __init__(self, path: Path | str) -> None:
        """Open `path`: 'stdout', 'stderr' or a file to append to. Raises OSError."""
        self._path = path
        self._lost = 0
        # What was written last is a part of a line.
        self._cut = False
        self._gathered: list[str] = []
        self._gathered_size = 0
        self._call_soon: Callable[[Callable[[], None]], object] | None = None
        # The thread of the loop, and whether something was written in the turn that it is in.
        self._thread = 0
        self._in_turn = False
        if isinstance(path, Path):
            self._descriptor = _open(path)
        else:
            self._descriptor = (sys.stdout if path == "stdout" else sys.stderr).fileno()

    def gather(self, call_soon: Callable[[Callable[[], None]], object] | None) -> None:
        """Gather lines by the turn of the loop whose `call_soon` this is; None writes each at once again.

        Called in the thread of the loop, as long as that is there.
        """
        self.flush()
        self._call_soon = call_soon
        self._thread = get_ident()
        self._in_turn = False

    def forget(self) -> None:
        """This is a fork of the process that serves: what has gathered is that one's to write."""
        self._gathered = []
        self._gathered_size = 0
        self._call_soon = None

    def write(self, line: str) -> None:
        """Write one line, given without its end, or count it as lost."""
        if self._gathered and get_ident() == self._thread:
            self._gathered.append(line)
            self.flush()
        else:
            self._put([line])

    def info(self, line: str) -> None:
        """Write one line, which others of this turn may leave together with."""
        if self._call_soon is None or get_ident() != self._thread:
            self._put([line])
        elif not self._in_turn:
            self._in_turn = True
            self._call_soon(self._end_turn)
            self._put([line])
        else:
            self._gathered.append(line)
            self._gathered_size += len(line)
            if self._gathered_size > _MOST_GATHERED:
                self.flush()

    # What structlog calls on a logger, by the level's name.
    debug = info
    warning = error = exception = critical = write

    def _end_turn(self) -> None:
        self._in_turn = False
        self.flush()

    def flush(self) -> None:
        """Write what has gathered. Another thread than the loop's calls this only where the process ends."""
        if self._gathered:
            lines, self._gathered = self._gathered, []
            self._gathered_size = 0
            self._put(lines)

    def _put(self, lines: list[str]) -> None:
        """Write lines in one system call, or count them as lost."""
        text = "\n".join(lines)
        if self._lost:
            text = f"ioto-server: {self._lost} log lines could not be written\n{text}"
        if self._cut:
            text = f"\n{text}"
        data = f"{text}\n".encode("utf-8", "backslashreplace")
        try:
            while data:
                # A file may take a part of it: why not the rest is told then.
                written = os.write(self._descriptor, data)
                self._cut = data[written - 1 : written] != b"\n"
                data = data[written:]
        except OSError:
            self._lost += min(len(lines), data.count(b"\n"))
        else:
            self._lost = 0

    def reopen(self) -> None:
        """Go on in the file that has the name now, after logrotate(8) has renamed the old one.

        Raises OSError, and goes on in the old file, where the new one cannot be opened.
        """
        self.flush()
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
