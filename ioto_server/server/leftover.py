"""Tasks that plugins begin and never end: found by their number, and named while there is still memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, Final

import structlog

from ioto_server.session import Core
from ioto_server.session.whereabouts import definition, whereabouts

_log = structlog.get_logger("ioto_server.action")

# Seconds between two looks: each costs some microseconds a task.
LOOK_EVERY: Final = 10.0

# So many tasks of one function are not remarkable, and so many for each open WebSocket.
_FEW: Final = 200
_FEW_EACH: Final = 4


class Leftover:
    """Counts the tasks of each function that are neither an action's own nor the server's."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._look_at = 0.0
        # What was said last, by function: it is said again when that has doubled.
        self._told: dict[tuple[str, str | None], int] = {}

    def turn(self, now: float) -> None:
        """The wheel has turned."""
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY
            self._look()

    def _look(self) -> None:
        tasks = asyncio.all_tasks()
        core = self._core
        many = _FEW + _FEW_EACH * len(core.websockets)
        if len(tasks) < many:
            self._told.clear()
            return
        functions: Counter[tuple[str, str | None]] = Counter()
        examples: dict[tuple[str, str | None], asyncio.Task[Any]] = {}
        for task in tasks:
            if not core.is_own(task):
                coroutine = task.get_coro()
                function = definition(getattr(coroutine, "contains", coroutine))
                functions[function] += 1
                examples[function] = task
        for function, count in functions.items():
            if count >= many and count >= 2 * self._told.get(function, 0):
                self._told[function] = count
                name, where = function
                _log.warning(
                    "tasks are left behind",
                    function=name,
                    where=where,
                    tasks=count,
                    one_waits_at=whereabouts(examples[function]),
                    hint="end them with their connection: begin them in an asyncio.TaskGroup of the action",
                )
