"""Call an action, and see that whatever it does, its request comes to an end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from inspect import isawaitable, iscoroutine
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .web import Web


def run_action(web: Web) -> asyncio.Task[None] | None:
    """Call the action of `web`; returns the task of an async one. Its exceptions end its own request only."""
    try:
        result = web.action.function(web)
    except (Exception, asyncio.CancelledError) as error:
        web.raised(error)
        web.returned()
        return None
    if not isawaitable(result):
        web.returned()
        return None
    coroutine = result if iscoroutine(result) else _wait_for(result)
    return web.host.start_action(coroutine, web.action.prefix, web.task_done)


async def _wait_for(result: Awaitable[None]) -> None:
    await result
