"""Run the loop to its end, also when a plugin will not let go of it (SPEC 5: a stop ends)."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any, Final

import structlog
import uvloop

from . import logs

_log = structlog.get_logger("ioto_server")

# Seconds that threads of plugins get to end after everything else has.
_FOR_THREADS: Final = 2.0


def run_to_the_end(main: Coroutine[Any, Any, int], *, serves: bool = True) -> int:
    """Run `main` on a loop of its own and return what it returns.

    A process that `serves` gets uvloop's; a supervisor asyncio's, which can be left behind in a fork.

    asyncio's own runner waits for every task and thread that is left, for ever. Here `main` has cancelled and
    waited for what there was to wait for: what ignores that ends with the process.
    """
    loop = uvloop.new_event_loop() if serves else asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # Started with the first call that needs one.
    threads = ThreadPoolExecutor(thread_name_prefix="ioto")
    loop.set_default_executor(threads)
    if serves:
        logs.gather(loop)
    try:
        code = loop.run_until_complete(main)
    finally:
        # Also what was logged last before something failed.
        logs.gather(None)
    # Those that have nothing to do end now, and are not work that is left.
    threads.shutdown(wait=False, cancel_futures=True)
    left = [task for task in asyncio.all_tasks(loop) if not task.done()]
    if left or _threads_left():
        _log.warning("ending with work left", tasks=len(left), threads=len(_threads_left()))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    loop.run_until_complete(loop.shutdown_asyncgens())
    asyncio.set_event_loop(None)
    loop.close()
    return code


def _threads_left() -> list[threading.Thread]:
    """The threads, other than this one, that would keep the interpreter from ending."""
    end = monotonic() + _FOR_THREADS
    left = []
    for thread in threading.enumerate():
        if thread is threading.current_thread() or thread.daemon:
            continue
        thread.join(max(0.0, end - monotonic()))
        if thread.is_alive():
            left.append(thread)
    return left
