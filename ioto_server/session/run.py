"""Call an action, and see that whatever it does, its request comes to an end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from inspect import isawaitable, iscoroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .web import Web


def run_action(web: Web) -> asyncio.Task[None] | None:
    """Call the action of `web`; returns the task of an async one. Its exceptions end its own request only."""
    try:
        result = web.action.function(web)
    except (Exception, asyncio.CancelledError, SystemExit) as error:
        web.raised(error)
        web.returned()
        return None
    if not isawaitable(result):
        web.returned()
        return None
    coroutine = _Contained(result if iscoroutine(result) else _wait_for(result))
    return web.host.start_action(coroutine, web.action.prefix, web.task_done)


class _Contained(Coroutine[Any, Any, None]):
    """An action's coroutine, whose `sys.exit()` is a failure of its own and not the end of the server.

    A task lets SystemExit through to the loop. This costs a connection a few dozen bytes; an `async def`
    around the action would cost it a frame.
    """

    __slots__ = ("_action",)

    def __init__(self, action: Coroutine[Any, Any, None]) -> None:
        self._action = action

    def send(self, value: Any) -> Any:
        """Run on."""
        try:
            return self._action.send(value)
        except SystemExit as error:
            raise ActionExit(f"the action called sys.exit({error.code!r}): return instead") from error

    def throw(self, *error: Any) -> Any:
        """Run on with an exception."""
        try:
            return self._action.throw(*error)
        except SystemExit as exit_:
            raise ActionExit(f"the action called sys.exit({exit_.code!r}): return instead") from exit_

    def close(self) -> None:
        """Give up."""
        self._action.close()

    def __await__(self) -> Any:
        return self._action.__await__()

    def __repr__(self) -> str:
        return repr(self._action)


class ActionExit(Exception):
    """An action has tried to end the process."""


async def _wait_for(result: Awaitable[None]) -> None:
    await result
