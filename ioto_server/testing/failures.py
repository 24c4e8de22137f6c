"""What goes wrong in a test, in words that lead to the line to change."""

from __future__ import annotations

import asyncio
import linecache
import os
import sys
import sysconfig
from pathlib import Path
from types import CodeType, FrameType, TracebackType

from ioto_server.session.whereabouts import frames as frames_of

# Code below these folders, and code that stands in no file, is nobody's who reads a test's output.
_PACKAGE = str(Path(__file__).parents[1]) + os.sep
_FOREIGN = (
    _PACKAGE,
    *(sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    "<",
)


class Failure(AssertionError):
    """An action did not do what the test needs."""


class TimedOut(Failure):
    """What was waited for did not come in time."""


class ActionFailed(Failure):
    """An action, or a callback or task of it, raised an exception: the `__cause__` of this one."""


class Leaked(Failure):
    """Tasks that an action had begun were still running after everything had been stopped."""


def describe_exception(error: BaseException, path: str | None) -> str:
    """One line: what was raised, where in the author's code, and for which URL."""
    place = raised_at(error.__traceback__)
    where = f" at {place}" if place else ""
    whose = f"The action at {path}" if path else "A task"
    return f"{whose} raised {type(error).__name__}{where}: {error}"


def raised_at(traceback: TracebackType | None) -> str | None:
    """`file:line` of the last line of an author's that ran before the exception."""
    found = None
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if is_authors(code):
            found = f"{shorten(code.co_filename)}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return found


def describe_task(task: asyncio.Task[object]) -> str:
    """Where a task stands: `file:line: source line` of the author's code that waits."""
    frames = list(frames_of(task.get_coro()))
    own = [frame for frame in frames if is_authors(frame.f_code)]
    if not frames:
        return task.get_name()
    frame = (own or frames)[-1]
    file, line = frame.f_code.co_filename, frame.f_lineno
    source = linecache.getline(file, line).strip()
    text = f"{frame.f_code.co_qualname}() at {shorten(file)}:{line}"
    return f"{text}: {source}" if source else text


def is_asleep(task: asyncio.Task[object]) -> bool:
    """Whether a task waits for nothing but time, in `asyncio.sleep`."""
    frames = list(frames_of(task.get_coro()))
    return bool(frames) and frames[-1].f_code is asyncio.sleep.__code__


def begun_at() -> str:
    """`file:line` of the author's code that is running now, to be said of a task that it begins."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and not is_authors(frame.f_code):
        frame = frame.f_back
    return f"{shorten(frame.f_code.co_filename)}:{frame.f_lineno}" if frame is not None else "<unknown>"


def is_authors(code: CodeType) -> bool:
    """Whether code is neither this package's, nor Python's, nor an installed package's."""
    return not code.co_filename.startswith(_FOREIGN)


def shorten(file: str | Path) -> str:
    """A path as the author would type it here."""
    relative = os.path.relpath(file)
    return str(file) if relative.startswith("..") else relative
