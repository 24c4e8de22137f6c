"""What is wrong with a plugin."""

from __future__ import annotations

import traceback
from pathlib import Path


class PluginError(Exception):
    """A plugin cannot be used: where, why, and the author's own part of the traceback."""

    def __init__(self, file: Path, line: int | None, reason: str, trace: str = "") -> None:
        super().__init__(f"{file}:{line}: {reason}" if line is not None else f"{file}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason
        self.trace = trace


class BeingSaved(Exception):
    """A file of a plugin is empty that was not: as a rule somebody has just begun to save it."""

    def __init__(self, file: Path) -> None:
        super().__init__(f"{file} is empty: is it being saved?")
        self.file = file


def from_exception(file: Path, error: BaseException) -> PluginError:
    """Describe an exception that came out of a plugin's own code, by the last of its lines that ran."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        trace = "".join(traceback.format_exception_only(error))
        return PluginError(Path(error.filename), error.lineno, f"{type(error).__name__}: {error.msg}", trace)
    frames = traceback.extract_tb(error.__traceback__)
    folder = str(file.parent)
    first = next(
        (number for number, frame in enumerate(frames) if frame.filename.startswith(folder)), len(frames)
    )
    own = frames[first:]
    line = next((frame.lineno for frame in reversed(own) if frame.filename == str(file)), None)
    trace = "".join(
        [
            "Traceback (most recent call last):\n",
            *traceback.format_list(own),
            *traceback.format_exception_only(error),
        ]
    )
    return PluginError(file, line, f"{type(error).__name__}: {error}", trace)
