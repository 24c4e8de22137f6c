"""Work that waits for the disk: done in a thread, and never given up half done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

Result = TypeVar("Result")


async def off_the_loop(work: Callable[[], Result], undo: Callable[[Result], object] | None = None) -> Result:
    """Do `work` in a thread, and return or raise what it does.

    A thread cannot be stopped: where the task is cancelled meanwhile, the end of the work is waited for, as
    its files are in use, and `undo` is called with what it has returned.
    """
    doing = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        while not doing.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([doing])
        if undo is not None and doing.exception() is None:
            undo(doing.result())
        raise
