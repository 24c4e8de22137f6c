"""A text that configuration comes from: a file, a drop-in, an environment variable or a `--set`."""

from __future__ import annotations

import re
from bisect import bisect_right
from pathlib import Path
from typing import Literal

from ioto_server.config.problems import ConfigError, Problem

# The json5 package reads about 40 KB a second (SPEC 2).
LARGEST = 128 * 1024

_LINE_END = re.compile(r"\r\n|\r|\n")
_EXCERPT = 90
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class Source:
    """A text and what to call it; one that is no file has no lines, and a name like '--set listen'."""

    def __init__(self, name: str, text: str, *, is_file: bool = True) -> None:
        self.name = name
        self.text = text
        self.is_file = is_file
        self._lines: list[int] = []

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column of an offset, both from 1, as editors count; (0, 0) when it is no file."""
        if not self.is_file:
            return 0, 0
        start = self._line(offset)
        return bisect_right(self._lines, start), offset - start + 1

    def _line(self, offset: int) -> int:
        """Return where the line of an offset begins. Lines are found once: there may be many problems."""
        if not self._lines:
            self._lines = [0, *(end.end() for end in _LINE_END.finditer(self.text))]
        return self._lines[bisect_right(self._lines, offset) - 1]

    def excerpt(self, offset: int) -> str:
        """Return the line of an offset with a mark under it; of a long line, the part around it."""
        if not self.is_file:
            return ""
        start = self._line(offset)
        end = _LINE_END.search(self.text, offset)
        line = self.text[start : end.start() if end else len(self.text)].rstrip()
        column = offset - start
        cut = max(0, column - _EXCERPT // 2) if len(line) > _EXCERPT else 0
        lead = len(line) - len(line.lstrip()) if not cut else 0
        shown = line[cut + lead : cut + _EXCERPT]
        printable = "".join(character if character.isprintable() else " " for character in shown)
        return f"{printable}\n{' ' * (column - cut - lead)}^" if printable else ""

    def problem(
        self,
        message: str,
        hint: str = "",
        *,
        offset: int | None = None,
        path: str = "",
        found: str = "",
        severity: Literal["error", "warning"] = "error",
        excerpt: bool = False,
    ) -> Problem:
        """Say what is wrong with this source, at an offset where there is one."""
        line, column = (0, 0) if offset is None else self.place(offset)
        shown = self.excerpt(offset) if excerpt and offset is not None else ""
        return Problem(message, hint, self.name, line, column, path, found, severity, shown)


def read_source(path: Path) -> Source:
    """Read a file. Raises `ConfigError` when it cannot be read, is too large or is not UTF-8."""
    name = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise ConfigError([_unreadable(name, error)]) from None
    if len(data) > LARGEST:
        hint = "move parts of it into files of their own beside it, web.d/*.json5"
        raise ConfigError([Problem("the file is larger than 128 KB", hint, name)])
    try:
        return Source(name, data.decode())
    except UnicodeDecodeError as error:
        wide = data.startswith(_UTF16)
        what = "the file is UTF-16" if wide else f"byte 0x{data[error.start]:02x} is not UTF-8"
        # Every byte before the wrong one is good, so the place can be told.
        good = Source(name, "" if wide else data[: error.start].decode())
        problem = good.problem(what, "save the file as UTF-8", offset=len(good.text))
        raise ConfigError([problem]) from None


def _unreadable(name: str, error: OSError | ValueError) -> Problem:
    if isinstance(error, FileNotFoundError):
        hint = "`ioto-server init DIR` writes a small working project, `--config FILE` names a file elsewhere"
        return Problem("there is no such file", hint, name)
    if isinstance(error, IsADirectoryError):
        return Problem("is a folder", f"name the file in it: {name.rstrip('/')}/web.json5", name)
    if isinstance(error, PermissionError):
        return Problem(
            "may not be read by this user", f"let the server's user read it: chmod o+r {name}", name
        )
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return Problem(f"cannot be read: {reason}", "name another file with --config", name)
