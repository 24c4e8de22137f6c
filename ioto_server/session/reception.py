"""What a task waits on that receives: it is woken in the stack that has read the message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

from .errors import Closed

if TYPE_CHECKING:
    from .delivery import Delivery


class Reception:
    """One receiver of a WebSocket's messages: the awaitable of the next, and the iterator of all.

    To the task that awaits it, it is a future that becomes done again and again: it has what asyncio asks of
    one (`_asyncio_future_blocking`, `add_done_callback`, `result`, `cancel`). A future for each message would
    cost that, and a turn of the loop besides.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_cancelled",
        "_context",
        "_delivery",
        "_iterates",
        "_loop",
        "_wakeup",
    )

    def __init__(self, delivery: Delivery, iterates: bool) -> None:
        """Receive of `delivery`. At the end of it an iterator ends, and else `Closed` is raised."""
        self._asyncio_future_blocking = False
        self._cancelled: asyncio.CancelledError | None = None
        self._context: Context | None = None
        self._delivery = delivery
        self._iterates = iterates
        # Asked for once: it costs a system call each time.
        self._loop = asyncio.get_running_loop()
        # What makes the waiting task go on; None while none waits.
        self._wakeup: Callable[[Reception], object] | None = None

    # ---- for `async for` and `await` ------------------------------------------------------------------

    def __aiter__(self) -> Reception:
        return self

    def __anext__(self) -> Reception:
        return self

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Reception:
        return self

    def __next__(self) -> Any:
        delivery = self._delivery
        message = delivery.next_message()
        if message is not None:
            raise StopIteration(message)
        ending = delivery.ending
        if ending is not None:
            if self._iterates:
                raise StopAsyncIteration
            raise Closed(ending.code, ending.reason)
        delivery.waits(self)
        self._asyncio_future_blocking = True
        return self

    def throw(self, error: Any, value: Any = None, traceback: Any = None) -> Any:
        """The task is told to do something else than to wait."""
        self._give_up()
        raise error if value is None else value

    def close(self) -> None:
        """The coroutine that waits is given up."""
        self._give_up()

    def _give_up(self) -> None:
        self._wakeup = self._context = None
        self._delivery.waits_no_more(self)

    # ---- for the task, which takes it for a future ----------------------------------------------------

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop of the task."""
        return self._loop

    def add_done_callback(
        self, wakeup: Callable[[Reception], object], *, context: Context | None = None
    ) -> None:
        """The task waits from now on."""
        self._wakeup = wakeup
        self._context = context

    def result(self) -> None:
        """Raises CancelledError where that is why the task goes on; the message is for `__next__`."""
        cancelled, self._cancelled = self._cancelled, None
        if cancelled is not None:
            raise cancelled

    def cancel(self, msg: object = None) -> bool:
        """The task is being cancelled; False when it is about to go on anyway."""
        if self._wakeup is None:
            return False
        self._cancelled = asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg)
        self._delivery.waits_no_more(self)
        self.wake(False)
        return True

    # ---- for the WebSocket ----------------------------------------------------------------------------

    def wake(self, at_once: bool) -> None:
        """Let the task go on: in this stack if `at_once`, and if it is no other task's step."""
        wakeup = self._wakeup
        context = self._context
        if wakeup is None or context is None:
            return
        self._wakeup = self._context = None
        if at_once and asyncio.current_task(self._loop) is None:
            context.run(wakeup, self)
        else:
            self._loop.call_soon(wakeup, self, context=context)
