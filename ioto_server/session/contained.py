"""A coroutine of an author's, of which nothing gets out that would end or stop the server unnoticed."""

from __future__ import annotations

from collections.abc import Coroutine
from contextvars import Context
from typing import Any, TypeVar

from .holding import HOLDS_THE_LOOP, NOTED, held_the_loop, ran
from .quick import monotonic
from .reception import Reception
from .stepping import Stepping, hands_over
from .whereabouts import authors_frame

Result = TypeVar("Result")


class ActionExit(Exception):
    """An action has tried to end the process."""


class Contained(Stepping):
    """A coroutine whose `sys.exit()` is a failure of its own, and that is named when it holds the loop.

    A task lets SystemExit through to the loop. This costs a connection a few dozen bytes, and a step of the
    coroutine two looks at the clock; an `async def` around the author's would cost it a frame.

    And it spares a message the task: while that waits for a message, the coroutine is run on from the stack
    of the read. As long as it then waits for the next message, the task has nothing to know. What else it
    comes to is kept for the task, which is woken and finds it as its own next step.
    """

    __slots__ = ("_kept", "_named", "contains")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], named: object) -> None:
        """Run `coroutine`; `named` is the function to name in the log, else the coroutine's own."""
        super().__init__()
        self.contains = coroutine
        self._named = named
        # How a step ended that the task has not heard of: the last one or not, its result, its exception.
        self._kept: tuple[bool, Any, BaseException | None] | None = None

    # ---- by the task ----------------------------------------------------------------------------------

    def step(self) -> Any:
        """Run on, or tell of the step that was made ahead."""
        if self._kept is None:
            return self._run(None)
        (self.returned, result, error), self._kept = self._kept, None
        if error is not None:
            raise error
        return result

    def send(self, value: Any) -> Any:
        """Run on; a task sends nothing but None."""
        if value is not None:
            raise TypeError("A contained coroutine takes no values")
        return self.__next__()

    def throw(self, error: Any, value: Any = None, traceback: Any = None) -> Any:
        """Run on with an exception."""
        if self._kept is not None:
            (returned, waiting, raised), self._kept = self._kept, None
            if raised is not None or returned:
                raise error if raised is None else raised
            # The task was cancelled while it ran ahead: so is what it waits for by now, as asyncio has it.
            cancel = getattr(waiting, "cancel", None)
            if cancel is not None and cancel(*getattr(error, "args", ())):
                return waiting
        try:
            return self.contains.throw(error if value is None else value)
        except SystemExit as exit_:
            raise _exits(exit_) from exit_

    def close(self) -> None:
        """Give up."""
        self._kept = None
        self.contains.close()

    def __repr__(self) -> str:
        return repr(self.contains)

    def _run(self, context: Context | None) -> Any:
        begun = monotonic()
        try:
            result = self.run_on(self.contains, context)
        except SystemExit as error:
            raise _exits(error) from error
        finally:
            seconds = monotonic() - begun
            if seconds > NOTED:
                self._took(seconds)
        if not self.returned and isinstance(result, Reception):
            result.driver = self
        return result

    def _took(self, seconds: float) -> None:
        named = self._named if callable(self._named) else self.contains
        if seconds <= HOLDS_THE_LOOP:
            ran(named, seconds)
            return
        frame = authors_frame(self.contains)
        held_the_loop(named, seconds, f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else None)

    # ---- ahead of the task ----------------------------------------------------------------------------

    def step_ahead(self, waiting: Any, context: Context) -> bool:
        """Run on in the stack of a read; True when this waits for `waiting` again, as the task believes."""
        reception: Reception = waiting
        try:
            result = self._run(context)
        except BaseException as error:
            self._kept = (False, None, error)
            return False
        if result is waiting and not self.returned and not reception.cancelled_ahead:
            return True
        self._kept = (self.returned, result, None)
        return False


hands_over(Contained)
# To a task it is one: compiled, it cannot say so by inheriting.
Coroutine.register(Contained)


def contain(coroutine: Coroutine[Any, Any, Result], named: object = None) -> Coroutine[Any, Any, Result]:
    """Contain a coroutine; `named` is the function to name in the log, else the coroutine's own."""
    # Not by cast(), which would be a call for each connection.
    contained: Coroutine[Any, Any, Result] = Contained(coroutine, named)
    return contained


def _exits(error: SystemExit) -> ActionExit:
    return ActionExit(f"the action called sys.exit({error.code!r}): return instead")
