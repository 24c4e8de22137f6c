"""A terminal for `ioto-server connect`: what a person types goes in, what they would see comes out."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.daemon import DEADLINE, PROGRAM, environment

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A program behind a pseudo-terminal."""

    def __init__(
        self, *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, columns: int = 80
    ) -> None:
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, columns))
        self._before = termios.tcgetattr(slave)
        self._slave = slave
        self._process = subprocess.Popen(
            [PROGRAM, *arguments],
            cwd=cwd,
            env=environment({"TERM": "xterm", "HOME": str(cwd), "XDG_STATE_HOME": str(cwd), **(env or {})}),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        self.raw = ""
        self._seen = 0

    @property
    def shown(self) -> str:
        """All that was shown so far, without colours and movements."""
        return _ESCAPE.sub("", self.raw).replace("\r", "")

    def type(self, text: str) -> None:
        """Type, with the keys of `text`: '\\r' is Enter, '\\x04' Ctrl-D, '\\x03' Ctrl-C."""
        os.write(self._master, text.encode())

    def expect(self, pattern: str) -> re.Match[str]:
        """Wait until something new matches on the screen, and forget what came before it."""
        end = time.monotonic() + DEADLINE
        while True:
            found = re.compile(pattern).search(self.shown, self._seen)
            if found:
                self._seen = found.end()
                return found
            if not self._more(end):
                raise AssertionError(f"{pattern!r} was not shown; shown was:\n{self.shown[self._seen :]}")

    def wait(self) -> int:
        """Wait for the program's end; returns its exit code."""
        end = time.monotonic() + DEADLINE
        while self._process.poll() is None:
            if not self._more(end):
                raise AssertionError(f"The program did not end; shown was:\n{self.shown}")
        while self._more(time.monotonic() + 0.05):
            pass
        return self._process.returncode

    @property
    def is_as_before(self) -> bool:
        """Whether the terminal was left with the settings it had."""
        return termios.tcgetattr(self._slave) == self._before

    def resize(self, columns: int) -> None:
        """Make the window as wide as that."""
        termios.tcsetwinsize(self._slave, (24, columns))
        self._process.send_signal(signal.SIGWINCH)

    def _more(self, end: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, min(0.1, end - time.monotonic())))
        if ready:
            self.raw += os.read(self._master, 65536).decode(errors="replace")
        return bool(ready) or time.monotonic() < end

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._slave)
        os.close(self._master)


def _take_terminal() -> None:
    """Make the terminal the one that Ctrl-C reaches this program by."""
    import fcntl

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
