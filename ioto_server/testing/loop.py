"""An event loop that a test owns: it runs while it is asked to, and its clock can be moved on."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from time import monotonic
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from .failures import begun_at

Result = TypeVar("Result")

# Told in each turn of the loop whether there is nothing to do, and the seconds until the next timer (None:
# there is none).
Watch = Callable[[bool, float | None], None]


class _Selector(selectors.DefaultSelector):
    """Asks the kernel as ever, and tells a watcher when the loop would have to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.watch: Watch | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.watch is None:
            return super().select(timeout)
        ready = super().select(0)
        self.watch(not ready and (timeout is None or timeout > 0), timeout)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    """A loop whose clock is the machine's, plus what was skipped."""

    skipped = 0.0

    def time(self) -> float:
        return super().time() + self.skipped


class Loop:
    """Runs coroutines to their end for callers that are no coroutines themselves.

    Between two calls nothing runs, so a test sees the same order of things every time.
    """

    def __init__(self) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise RuntimeError(
                "ioto_server.testing brings an event loop of its own, and one is running here already: "
                "use it from a plain `def test_…`, not from an `async def`"
            )
        self._selector = _Selector()
        self._loop = _Loop(self._selector)
        self._loop.set_task_factory(self._make_task)
        #: Where each task was begun, as `file:line`.
        self.begun: WeakKeyDictionary[asyncio.Task[Any], str] = WeakKeyDictionary()

    @property
    def asyncio_loop(self) -> asyncio.AbstractEventLoop:
        """The loop itself."""
        return self._loop

    @property
    def skipped(self) -> float:
        """Seconds by which `advance` has moved the clock on."""
        return self._loop.skipped

    @property
    def is_running(self) -> bool:
        """Whether the caller is called by this loop."""
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

    def begin(self, coroutine: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Make a task that runs whenever the loop does."""
        return self._loop.create_task(coroutine)

    def run(self, awaitable: Awaitable[Result], timeout: float) -> Result:
        """Run until something is done; raises TimeoutError when that takes over `timeout` seconds."""

        async def bounded() -> Result:
            async with asyncio.timeout(timeout):
                return await awaitable

        return self._loop.run_until_complete(bounded())

    def settle(self, timeout: float) -> None:
        """Run until nothing is left that can be done without waiting.

        Raises TimeoutError when there is still something to do after `timeout` seconds.
        """
        self._run_until(lambda _until_timer: True, timeout)

    def advance(self, seconds: float, timeout: float) -> None:
        """Move the clock on, running every timer on the way at its time, then settle.

        Raises TimeoutError when that takes over `timeout` seconds of real time.
        """
        target = self._loop.time() + seconds

        def skip(until_timer: float | None) -> bool:
            left = max(target - self._loop.time(), 0.0)
            arrived = until_timer is None or until_timer >= left
            self._loop.skipped += left if until_timer is None or arrived else until_timer
            return arrived

        self._run_until(skip, timeout)
        self.settle(timeout)

    def _run_until(self, is_done: Callable[[float | None], bool], timeout: float) -> None:
        """Run until `is_done` is true of a moment in which the loop is idle."""
        done: asyncio.Future[None] = self._loop.create_future()
        end = monotonic() + timeout

        def watch(idle: bool, until_timer: float | None) -> None:
            if done.done():
                return
            if idle and is_done(until_timer):
                done.set_result(None)
            elif monotonic() > end:
                done.set_exception(TimeoutError())

        self._selector.watch = watch
        try:
            self._loop.run_until_complete(done)
        finally:
            self._selector.watch = None

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, coroutine: Any, **arguments: Any
    ) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **arguments)
        self.begun[task] = begun_at()
        return task

    def close(self) -> None:
        """Give everything back; what still runs is cancelled."""
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks, timeout=1))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
