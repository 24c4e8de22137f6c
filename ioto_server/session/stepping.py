"""The iterator behind an `await`: what it yields is waited for, until the last step has the result."""

from __future__ import annotations

from collections.abc import Coroutine
from contextvars import Context
from typing import Any


class Stepping:
    """What a coroutine or a task goes on with, one step at a time.

    Compiled (stepping.pyx), a last step hands its result over as it is; in Python, by StopIteration.
    """

    __slots__ = ("returned",)

    def __init__(self) -> None:
        # Whether the step that was made last was the last one there is.
        self.returned = False

    def step(self) -> Any:
        """Run on; returns what is waited for, or the result with `returned` set."""
        raise NotImplementedError

    def run_on(self, coroutine: Coroutine[Any, Any, Any], context: Context | None) -> Any:
        """Make a step of `coroutine` one of this: in `context`, or where that is None in the current one."""
        self.returned = False
        try:
            return coroutine.send(None) if context is None else context.run(coroutine.send, None)
        except StopIteration as stop:
            self.returned = True
            return stop.value

    def step_ahead(self, waiting: Any, context: Context) -> bool:
        """Run on in the stack of a read; True when this waits for `waiting` again, as its task believes."""
        raise NotImplementedError

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        result = self.step()
        if self.returned:
            raise StopIteration(result)
        return result


def hands_over(_kind: type[Stepping]) -> None:
    """A class of Stepping is complete: compiled, it gets what Python has no name for."""
