"""What a task waits on that receives: it is woken in the stack that has read the message."""

from __future__ import annotations

import asyncio
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

from .errors import Closed
from .stepping import Stepping, hands_over

if TYPE_CHECKING:
    from .ending import Ending


class Source:
    """What messages are received of: the action's side of a WebSocket."""

    __slots__ = ("ending",)

    ending: Ending | None

    def next_message(self) -> str | bytes | None:
        """Take the message that is next, if one is here."""
        raise NotImplementedError

    def waits(self, reception: Reception) -> None:
        """A task is about to wait for the next message. Raises RuntimeError where it cannot."""
        raise NotImplementedError

    def waits_no_more(self, reception: Reception) -> None:
        """The task does something else."""
        raise NotImplementedError


class Messages(Stepping):
    """One receiver of a WebSocket's messages: the awaitable of the next, and the iterator of all.

    To an author this is an awaitable as any other: where asyncio is asked to, it makes a task of it.
    """

    __slots__ = ("_delivery", "_iterates", "_reception")

    def __init__(self, delivery: Source, iterates: bool) -> None:
        """Receive of `delivery`. At the end of it an iterator ends, and else `Closed` is raised."""
        super().__init__()
        self._delivery = delivery
        self._iterates = iterates
        self._reception = Reception(delivery)

    def __aiter__(self) -> Messages:
        return self

    def __anext__(self) -> Messages:
        return self

    def step(self) -> Any:
        """Return the next message, or what is waited by."""
        delivery = self._delivery
        message = delivery.next_message()
        if message is not None:
            self.returned = True
            return message
        self.returned = False
        ending = delivery.ending
        if ending is not None:
            if self._iterates:
                raise StopAsyncIteration
            raise Closed(ending.code, ending.reason)
        reception = self._reception
        delivery.waits(reception)
        reception.driver = None
        reception._asyncio_future_blocking = True
        return reception

    def throw(self, error: Any, value: Any = None, traceback: Any = None) -> Any:
        """The task is told to do something else than to wait."""
        self._reception.give_up()
        raise error if value is None else value

    def close(self) -> None:
        """The coroutine that waits is given up."""
        self._reception.give_up()


class Reception:
    """What a task waits on for the next message: a future that becomes done again and again.

    It has what asyncio asks of one (`_asyncio_future_blocking`, `add_done_callback`, `result`, `cancel`). A
    future for each message would cost that, and a turn of the loop besides. Where a `driver` is between the
    task and this, a message does not even cost a step of the task.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_cancelled",
        "_context",
        "_delivery",
        "_loop",
        "_runs_ahead",
        "_task",
        "_wakeup",
        "cancelled_ahead",
        "driver",
    )

    def __init__(self, delivery: Source) -> None:
        """Wait for messages of `delivery`."""
        self._asyncio_future_blocking = False
        self._cancelled: asyncio.CancelledError | None = None
        self._context: Context | None = None
        self._delivery = delivery
        # Asked for once: it costs a system call each time.
        self._loop = asyncio.get_running_loop()
        # What makes the waiting task go on; None while none waits.
        self._wakeup: Callable[[Reception], object] | None = None
        # Who can run the coroutine on ahead of its task, set by whoever hands this on to that; and the task.
        self.driver: Stepping | None = None
        self._task: Any = None
        # The coroutine runs ahead of the task, and whether that was cancelled meanwhile.
        self._runs_ahead = False
        self.cancelled_ahead = False

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
        self._task = getattr(wakeup, "__self__", None)
        if not isinstance(self._task, asyncio.Task):
            self.driver = None

    def result(self) -> None:
        """Raises CancelledError where that is why the task goes on; the message is for `Messages.step`."""
        cancelled, self._cancelled = self._cancelled, None
        if cancelled is not None:
            raise cancelled

    def cancel(self, msg: object = None) -> bool:
        """The task is being cancelled; False when it is about to go on anyway."""
        if self._wakeup is None:
            # If the coroutine runs ahead, its task has to be told afterwards.
            self.cancelled_ahead = self._runs_ahead
            return False
        self._cancelled = asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg)
        self._delivery.waits_no_more(self)
        self.wake(False)
        return True

    def give_up(self) -> None:
        """The coroutine does something else than to wait."""
        self._wakeup = self._context = None
        self._delivery.waits_no_more(self)

    # ---- for the WebSocket ----------------------------------------------------------------------------

    def wake(self, at_once: bool) -> None:
        """Let the task go on: in this stack if `at_once`, and if it is no other task's step."""
        wakeup = self._wakeup
        context = self._context
        if wakeup is None or context is None:
            return
        if at_once:
            driver = self.driver
            if driver is None:
                at_once = asyncio.current_task(self._loop) is None
            else:
                task = self._task
                try:
                    _enter_task(self._loop, task)
                except RuntimeError:
                    # It is another task's step.
                    at_once = False
                else:
                    # Another task may come to wait on this meanwhile.
                    self._wakeup = self._context = self._task = None
                    self._runs_ahead = True
                    self.cancelled_ahead = False
                    try:
                        waits_again = driver.step_ahead(self, context)
                    finally:
                        self._runs_ahead = False
                        _leave_task(self._loop, task)
                    if waits_again:
                        self._wakeup, self._context, self._task = wakeup, context, task
                        self._asyncio_future_blocking = False
                    else:
                        context.run(wakeup, self)
                    return
        self._wakeup = self._context = self._task = None
        if at_once:
            context.run(wakeup, self)
        else:
            self._loop.call_soon(wakeup, self, context=context)


hands_over(Messages)
