"""Call an action, and see that whatever it does, its request comes to an end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from inspect import isawaitable, iscoroutine
from types import CoroutineType
from typing import TYPE_CHECKING

from .contained import contain
from .holding import HOLDS_THE_LOOP, NOTED, held_the_loop, ran
from .quick import monotonic

if TYPE_CHECKING:
    from .web import Web


def run_action(web: Web) -> asyncio.Task[None] | None:
    """Call the action of `web`; returns the task of an async one. Its exceptions end its own request only."""
    begun = monotonic()
    try:
        result = web.action.function(web)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        web.raised(error)
        web.returned()
        return None
    finally:
        seconds = monotonic() - begun
        if seconds > NOTED:
            (held_the_loop if seconds > HOLDS_THE_LOOP else ran)(web.action.function, seconds)
    if type(result) is not CoroutineType and not iscoroutine(result):
        if not isawaitable(result):
            web.returned()
            return None
        result = _wait_for(result)
    coroutine = contain(result, web.action.function)
    return web.host.core.start_action(coroutine, web.action.prefix, web)


async def _wait_for(result: Awaitable[None]) -> None:
    await result
