"""Where code of an author's stands: the lines to be named in the log."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Final

# Plugins are imported below packages of these names, each with a number (plugins/modules.py).
PLUGINS: Final = "ioto_actions_"
# What is compiled gives its files from the folder of the package on.
_PACKAGE: Final = (str(Path(__file__).parents[1]), "ioto_server/")


def definition(function: object) -> tuple[str, str | None]:
    """The name of a function, or of a coroutine's function, and the `file:line` of its definition."""
    code = getattr(function, "__code__", None) or getattr(function, "cr_code", None)
    if not isinstance(code, CodeType):
        return getattr(function, "__qualname__", repr(function)), None
    return code.co_qualname, f"{code.co_filename}:{code.co_firstlineno}"


def full_name(function: object) -> str:
    """The name of a function with that of its module, the plugin's: `test.websockets.on_event`.

    What is wrapped is named, not what wraps it. Many plugins have an `action(web)`.
    """
    unwrapped = inspect.unwrap(function) if callable(function) else function
    name, where = definition(unwrapped)
    if where is None:
        return name
    module = getattr(unwrapped, "__module__", None)
    if module is None:
        # A coroutine that has ended has no frame, and so no module any more.
        module = Path(where.rpartition(":")[0]).stem
    root, _, below = module.partition(".")
    return f"{below if root.startswith(PLUGINS) else module}.{name}"


def whereabouts(task: asyncio.Task[object]) -> str:
    """`file:line in function()` of the author's line at which a task waits; its name without one."""
    return authors_line(task.get_coro()) or task.get_name()


def authors_line(waiting: object) -> str | None:
    """`file:line in function()` of the author's line at which a coroutine waits."""
    frame = authors_frame(waiting)
    if frame is None:
        return None
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}()"


def authors_frame(coroutine: object) -> FrameType | None:
    """The outermost frame of a suspended coroutine that is not this package's."""
    own = (frame for frame in frames(coroutine) if not frame.f_code.co_filename.startswith(_PACKAGE))
    return next(own, None)


def authors_part(error: BaseException) -> BaseException:
    """The exception, its traceback beginning with the author's first line where it has one of those."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        traceback = traceback.tb_next
    return error if traceback is None else error.with_traceback(traceback)


def frames(waiting: object) -> Iterator[FrameType]:
    """The frames of a suspended coroutine, the outermost first: `Task.get_stack` gives only that one."""
    while waiting is not None:
        # The session's own coroutine around an author's has no frame.
        waiting = getattr(waiting, "contains", waiting)
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "ag_frame", None)
        if isinstance(frame, FrameType):
            yield frame
        waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "ag_await", None)
