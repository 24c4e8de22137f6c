"""Where log lines go: a descriptor that can be reopened, and may fail with no harm but lost lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from threading import get_ident
from time import monotonic
from typing import Final

from .journal import leads_to_journal
from .unhindered import room_within, unhindered

# Lines that have gathered leave before they are more characters than this: a pipe takes as many bytes in one
# piece (pipe(7), PIPE_BUF), and more of them may come to stand in the midst of another process' line.
_MOST_GATHERED: Final = 4096

# How long a line may wait for somebody to read those before it, in seconds: the loop waits as well. Where one
# has waited in vain, no other does, until for so long none was lost.
_PATIENCE: Final = 1.0
_WARY: Final = 10.0


class Output:
    """Writes whole lines with each system call, so that those of several processes never mix.

    Where a loop serves, the first line of each of its turns is written at once. What follows it in the same
    turn, and is not urgent, gathers and leaves together, as dozens of clients may come and go in one turn. So
    what an action logs before it blocks the loop is there to be read, unless others had something to say.

    Neither a disk that is full nor a pipe that nobody reads may end connections or hold them: what cannot be
    written is counted, and the count is written when there is room again.
    """

    def __init__(self, path: Path | str, tell_lost: Callable[[int], str]) -> None:
        """Open `path`: 'stdout', 'stderr' or a file to append to. Raises OSError.

        `tell_lost` makes the line that says how many others were lost.
        """
        self._path = path
        self._tell_lost = tell_lost
        self._lost = 0
        # When none waits for room before, by monotonic().
        self._wary_until = 0.0
        # What was written last is a part of a line.
        self._cut = False
        self._gathered: list[str] = []
        self._gathered_size = 0
        self._call_soon: Callable[[Callable[[], None]], object] | None = None
        # The thread of the loop, and whether something was written in the turn that it is in.
        self._thread = 0
        self._in_turn = False
        self._write_some: Callable[[int, bytes], int] = os.write
        if isinstance(path, Path):
            self._descriptor = _open(path)
        else:
            standard = (sys.stdout if path == "stdout" else sys.stderr).fileno()
            self._descriptor, self._write_some = unhindered(standard)

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
            self._add(line)
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
            self._add(line)

    def _add(self, line: str) -> None:
        # With its end.
        size = len(line) + 1
        if self._gathered_size + size > _MOST_GATHERED:
            self.flush()
        self._gathered.append(line)
        self._gathered_size += size

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
        """Write lines, before them how many were lost, and count those that find no room."""
        told = [self._tell_lost(self._lost)] if self._lost else []
        left = self._try_to_write(told + lines)
        if left > len(lines):
            self._lost += len(lines)
        else:
            self._lost = left
        if left:
            self._wary_until = monotonic() + _WARY

    def _try_to_write(self, lines: list[str]) -> int:
        """Write lines in one system call where they fit; returns how many found no room."""
        text = "\n".join(lines)
        if self._cut:
            text = f"\n{text}"
        data = f"{text}\n".encode("utf-8", "backslashreplace")
        end = 0.0
        try:
            while data:
                try:
                    # It may take a part: why not the rest is told then.
                    written = self._write_some(self._descriptor, data)
                except BlockingIOError:
                    end = end or self._limit()
                    left = end - monotonic()
                    if left <= 0 or not room_within(self._descriptor, left):
                        raise
                else:
                    self._cut = data[written - 1 : written] != b"\n"
                    data = data[written:]
        except OSError:
            return min(len(lines), data.count(b"\n"))
        return 0

    def _limit(self) -> float:
        """Until when to wait for room, by monotonic()."""
        now = monotonic()
        return now if self._lost or now < self._wary_until else now + _PATIENCE

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
    # Not waiting matters where it is a named pipe.
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o640)
