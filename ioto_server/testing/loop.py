"""An event loop that a test owns: it runs while it is asked to, and its clock can be moved on."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from math import inf
from time import monotonic
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from .failures import begun_at

Result = TypeVar("Result")

# Asked in each turn of the loop: whether there is nothing to do, and the seconds until the next timer (None:
# there is none). Whether the loop is not to wait is the answer.
Watch = Callable[[bool, float | None], bool]

# Seconds in which a loop that never rests is taken for slow: the machine may be busy with something else.
BUSY: Final = 2.0

# Seconds that count as none: what is due then is due now, however sums of fractions were rounded.
_NOTHING: Final = 1e-6


class _Selector(selectors.DefaultSelector):
    """Asks the kernel as ever, tells a watcher how things are, and counts the seconds it really waits."""

    def __init__(self) -> None:
        super().__init__()
        self.watch: Watch | None = None
        self.longest = inf
        self.clock = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        idle = not ready and (timeout is None or timeout > 0)
        if self.watch is not None and self.watch(idle, timeout):
            return ready
        if not idle:
            return ready
        begun = monotonic()
        wait = min(inf if timeout is None else timeout, self.longest)
        ready = super().select(None if wait == inf else wait)
        self.clock += monotonic() - begun
        return ready


class _Loop(asyncio.SelectorEventLoop):
    """A loop whose clock stands still unless it waits, or is moved on."""

    def __init__(self, selector: _Selector) -> None:
        self._waits = selector
        super().__init__(selector)

    def time(self) -> float:
        return self._waits.clock


class Loop:
    """Runs coroutines to their end for callers that are no coroutines themselves.

    Between two calls nothing runs, and its clock counts only the seconds in which it waits: a test sees the
    same things at the same times, however busy the machine is.
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
    def time(self) -> float:
        """The clock, in seconds."""
        return self._selector.clock

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
        """Run until something is done.

        Raises TimeoutError when that takes over `timeout` seconds of waiting; the time in which the loop, or
        another process, is busy counts only when it is much longer.
        """
        waiting = asyncio.ensure_future(awaitable, loop=self._loop)
        by_clock = self.time + timeout
        at_last = monotonic() + timeout + BUSY
        late = False

        def watch(_idle: bool, _until_timer: float | None) -> bool:
            nonlocal late
            left = by_clock - self.time
            self._selector.longest = max(left, 0.0)
            if (left <= 0 or monotonic() > at_last) and not late and not waiting.done():
                late = True
                return waiting.cancel()
            return False

        try:
            return self._watched(waiting, watch)
        except asyncio.CancelledError:
            if late:
                raise TimeoutError from None
            raise

    def settle(self, timeout: float) -> None:
        """Run until nothing is left that can be done without waiting.

        Raises TimeoutError when there is still something to do after `timeout` seconds, and some more.
        """
        self._run_until(lambda _until_timer: True, timeout)

    def advance(self, seconds: float, timeout: float) -> None:
        """Move the clock on, running every timer on the way at its time, then settle.

        Raises TimeoutError when that takes over `timeout` seconds of real time, and some more.
        """
        target = self.time + seconds

        def skip(until_timer: float | None) -> bool:
            left = target - self.time
            if until_timer is None or until_timer > left + _NOTHING:
                self._selector.clock = max(target, self.time)
                return True
            self._selector.clock += until_timer
            return False

        self._run_until(skip, timeout)

    def _run_until(self, is_done: Callable[[float | None], bool], timeout: float) -> None:
        """Run, without ever waiting, until `is_done` is true of a moment in which the loop is idle."""
        done: asyncio.Future[None] = self._loop.create_future()
        end = monotonic() + timeout + BUSY

        def watch(idle: bool, until_timer: float | None) -> bool:
            if not done.done():
                if idle and is_done(until_timer):
                    done.set_result(None)
                elif monotonic() > end:
                    done.set_exception(TimeoutError())
            return True

        self._watched(done, watch)

    def _watched(self, future: asyncio.Future[Result], watch: Watch) -> Result:
        self._selector.watch = watch
        try:
            return self._loop.run_until_complete(future)
        finally:
            self._selector.watch = None
            self._selector.longest = inf

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
