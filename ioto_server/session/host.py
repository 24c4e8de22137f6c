"""The host as a plugin sees it: what all actions share, and what is the plugin's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from .contained import contain
from .errors import Closed
from .whereabouts import authors_part, whereabouts

if TYPE_CHECKING:
    from collections.abc import Set

    from ioto_server.config import Config

    from .action import ActionFunction
    from .core import Core
    from .topics import Topics
    from .websocket import WebSocket

Result = TypeVar("Result")

# How an action gets bound by hand.
Binder = Callable[[str, "ActionFunction"], None]

_log = structlog.get_logger("ioto_server.plugins")


class Host:
    """The host, in the hands of one plugin: `io_start(host)` gets it, and `web.host` is it.

    What it shares is the same for all: topics, open WebSockets, `data`. What is begun through it belongs to
    the plugin, and ends with it: actions bound by hand, background tasks.
    """

    __slots__ = ("_bind", "_owner", "_stopped", "_tasks", "core")

    def __init__(self, core: Core, owner: str) -> None:
        """Made by the server for each plugin, whose file is `owner`; authors never make one."""
        # What the server shares with itself: not for authors, and free to change.
        self.core = core
        self._owner = owner
        self._bind: Binder | None = None
        self._stopped = False
        self._tasks: set[asyncio.Task[Any]] = set()

    # ---- what all share -------------------------------------------------------------------------------

    @property
    def data(self) -> SimpleNamespace:
        """A namespace for what the actions of all plugins share; it lives as long as the process."""
        return self.core.data

    @property
    def topics(self) -> Topics:
        """The topics: `host.topics.count(topic)` subscribers, `host.topics.last(topic)` retained."""
        return self.core.topics

    @property
    def websockets(self) -> Set[WebSocket]:
        """The open WebSockets of this process; not to be changed."""
        return self.core.websockets.keys()  # type: ignore[return-value]

    @property
    def config(self) -> Config:
        """The configuration that is in force, by the names of web.json5 in Python's spelling."""
        return self.core.config

    def publish(self, topic: str, message: str | bytes, *, retain: bool = False) -> int:
        """Send `message` to every subscriber of `topic`, framed once for all; returns for how many it left.

        Those that are closing, or too slow for it, are not counted. With a broker, those of other processes
        hear it too and are not counted either. `retain=True` keeps it, in place of the one before, for those
        who subscribe later: they hear it at once. Raises MessageTooBig for more than `limits.maxMessage`
        bytes, TypeError for what is neither text nor bytes, ValueError for what is no topic, and RuntimeError
        when retained messages would take more than a quarter of `limits.memory`, or with `workers` over 1 and
        no `topics.broker`: the other processes would not hear.
        """
        return self.core.publish(topic, message, retain)

    def forget(self, topic: str) -> None:
        """Retain nothing on `topic` any more; no error where nothing was. Raises as `publish` does."""
        self.core.forget(topic)

    # ---- what is the plugin's own ---------------------------------------------------------------------

    def add_action(self, prefix: str, function: ActionFunction, role: str | None = None) -> None:
        """Bind `function` to the URLs below `prefix` (webAddAction); only while the plugin's `io_start` runs.

        Raises ValueError for a role other than 'public': authentication does not exist yet, and nothing is
        served less protected than its author asked for.
        """
        if role not in (None, "public"):
            raise ValueError(
                f"add_action({prefix!r}, role={role!r}): roles need authentication, which is not there yet; "
                "leave role out or make it 'public'"
            )
        if self._bind is None:
            raise RuntimeError(f"add_action({prefix!r}) was called outside io_start(host): call it there")
        self._bind(prefix, function)

    def spawn(
        self, coroutine: Coroutine[Any, Any, Result], *, name: str | None = None
    ) -> asyncio.Task[Result]:
        """Run a coroutine in the background, as a task that belongs to this plugin.

        It is cancelled and awaited when the server stops, and when a reload has put a new edition of the
        plugin in place: what ticks or polls never does so twice. What only concerns one connection belongs
        into its action, in an `asyncio.TaskGroup`. An exception is logged, with the plugin's file, and ends
        the task alone; `Closed` is a quiet end. Raises RuntimeError once the plugin was stopped.
        """
        if self._stopped:
            coroutine.close()
            raise RuntimeError(
                f"spawn() was called after the background tasks of {self._owner} were stopped: "
                "the server stops, or a newer edition of the plugin is in force"
            )
        task = asyncio.get_running_loop().create_task(contain(coroutine, self._owner), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, Closed):
            _log.error(
                "background task failed",
                plugin=self._owner,
                task=task.get_name(),
                exc_info=authors_part(error),
            )

    # ---- what the registry of plugins calls -----------------------------------------------------------

    def bind_with(self, bind: Binder | None) -> None:
        """Have `add_action` call `bind` from now on; None ends that."""
        self._bind = bind

    async def stop_tasks(self, patience: float) -> None:
        """Cancel the background tasks and wait for their end, for at most `patience` seconds."""
        self._stopped = True
        # Who calls this may be one of them: an action of the plugin that orders a reload.
        tasks = self._tasks - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if not tasks:
            return
        _, left = await asyncio.wait(tasks, timeout=patience)
        for task in left:
            _log.error(
                "background task ignores its cancellation",
                plugin=self._owner,
                task=task.get_name(),
                where=whereabouts(task),
                hint="let asyncio.CancelledError through; this task stays in memory",
            )
