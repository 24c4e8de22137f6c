"""Actions that go on after their connection: for a while they may, then they are cancelled and named."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from math import inf
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from ioto_server.session import Action

    from .wheel import Wheel

# Of one connection: an action's, and that of an async callback.
Tasks = tuple[asyncio.Task[Any] | None, ...]

_log = structlog.get_logger("ioto_server.action")


class Overstay:
    """The tasks of an action without a connection, on the wheel until they end."""

    __slots__ = ("_action", "_cancelled", "_grace", "_tasks", "slot", "until")

    def __init__(self, tasks: list[asyncio.Task[Any]], action: Action, now: float, grace: float) -> None:
        """`grace` is what they get to end by themselves, and again to heed their cancellation, in seconds."""
        self.slot = -1
        self.until = now + grace
        self._tasks = tasks
        self._action = action
        self._grace = grace
        self._cancelled = False

    def expire(self, now: float) -> float:
        """Cancel those that still run; complain if that did not end them either."""
        self._tasks = _running(self._tasks)
        if not self._tasks:
            return inf
        if now < self.until:
            return self.until
        if self._cancelled:
            _log.error(
                "action ignores its cancellation",
                action=self._action.where,
                prefix=self._action.prefix,
                hint="let asyncio.CancelledError through; this task stays in memory",
            )
            return inf
        self._cancelled = True
        self.until = now + self._grace
        for task in self._tasks:
            task.cancel()
        _log.warning(
            "action cancelled",
            action=self._action.where,
            prefix=self._action.prefix,
            why="its connection ended longer ago than timeouts.close",
            hint="return when web.wait() does or Closed is raised",
        )
        return self.until


class Outlived:
    """Tasks of actions whose connection has gone: most end at once, so they are looked at a tick later."""

    __slots__ = ("_gone", "_wheel", "slot")

    def __init__(self, wheel: Wheel) -> None:
        """Look at them when `wheel` turns."""
        self.slot = -1
        self._wheel = wheel
        self._gone: list[tuple[Tasks, Action, float, float]] = []

    def add(self, tasks: Tasks, action: Action, grace: float) -> None:
        """The connection of `tasks` is gone: they get `grace` seconds to end."""
        self._gone.append((tasks, action, self._wheel.now, grace))
        if self.slot < 0:
            self._wheel.schedule(self, self._wheel.now)

    def expire(self, now: float) -> float:
        """A tick has passed: those that still run are watched."""
        gone, self._gone = self._gone, []
        for tasks, action, since, grace in gone:
            if left := _running(tasks):
                overstay = Overstay(left, action, since, grace)
                self._wheel.schedule(overstay, overstay.until)
        return inf


def _running(tasks: Iterable[asyncio.Task[Any] | None]) -> list[asyncio.Task[Any]]:
    return [task for task in tasks if task is not None and not task.done()]
