"""A person's terminal: lines with time and arrow above a line that is being typed."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final, TextIO

_COLOURS: Final = {"green": "32", "cyan": "36", "red": "31", "grey": "90"}

#: What stands before the line that is being typed.
PROMPT: Final = "> "


def can_colour(stream: TextIO) -> bool:
    """Whether colours are wanted: at a terminal that knows them, unless NO_COLOR is set."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb" and not os.environ.get("NO_COLOR")


def arrows(stream: TextIO) -> tuple[str, str]:
    """The arrows for what comes and what goes, in ASCII where the terminal has no others."""
    try:
        "←→".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "<-", "->"
    return "←", "→"


class Screen:
    """Prints lines while another thread reads what is typed on the line below them.

    `typing` gives the text that is being typed, None while nothing is.
    """

    def __init__(self, *, typing: Callable[[], str | None], stream: TextIO | None = None) -> None:
        stream = sys.stdout if stream is None else stream
        self.came, self.went = arrows(stream)
        self._stream = stream
        self._typing = typing
        self._colours = can_colour(stream)
        self._moves = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        # Two threads print: the one that types, and the one of the connection.
        self._lock = threading.Lock()

    def show(self, sign: str, text: str, colour: str = "grey") -> None:
        """Print one entry: the time, a sign, and text, whose further lines are indented."""
        time = datetime.now().strftime("%H:%M:%S.%f")[:-3]
        first, *others = text.split("\n")
        indent = " " * (len(time) + len(sign) + 2)
        lines = [f"{self._paint(time, 'grey')} {self._paint(sign, colour)} {first}".rstrip()]
        lines += [f"{indent}{other}" for other in others]
        self._print("\n".join(lines))

    def say(self, text: str) -> None:
        """Print text as it is."""
        self._print(text)

    def wipe_typed(self, line: str) -> None:
        """Wipe the line that was typed and entered: it is shown again, as sent."""
        if self._moves:
            with self._lock:
                self._stream.write(f"\x1b[{self._rows(line)}A\r\x1b[J")
                self._stream.flush()

    def wipe(self) -> None:
        """Wipe the prompt, and what was typed behind it: nobody will read it."""
        with self._lock:
            self._stream.write("\r\x1b[J" if self._moves else "\n")
            self._stream.flush()

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self._colours else text

    def _print(self, text: str) -> None:
        with self._lock:
            typed = self._typing()
            if typed is None or not self._moves:
                self._stream.write(f"{text}\n")
            else:
                # Over the line that is being typed, which then stands below as it was.
                up = self._rows(typed) - 1
                move = f"\x1b[{up}A" if up else ""
                self._stream.write(f"{move}\r\x1b[J{text}\n{PROMPT}{typed}")
            self._stream.flush()

    def _rows(self, typed: str) -> int:
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns or 80
        except OSError:
            columns = 80
        return (len(PROMPT) + len(typed)) // columns + 1
