"""One edition of a plugin: from its import to its end, which comes when nobody uses it any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from math import isfinite
from types import ModuleType
from typing import TYPE_CHECKING

import structlog

from ioto_server.session import Action, ActionFunction, Core, Host
from ioto_server.session.contained import contain
from ioto_server.session.whereabouts import authors_line

from .decorator import Binding, check_prefix
from .errors import PluginError, from_exception
from .finder import PluginFile
from .loader import actions_of, import_plugin, make_action

if TYPE_CHECKING:
    from .modules import Root

_log = structlog.get_logger("ioto_server.plugins")


class Plugin:
    """A plugin as it was read once, and the actions it binds.

    `users` counts the actions that run; `host` is what it sees of the server, from its start on.
    """

    __slots__ = ("_idle", "actions", "ended", "host", "module", "root", "source", "started", "users")

    def __init__(self, source: PluginFile, module: ModuleType, root: Root | None = None) -> None:
        """Wrap a module, which was imported below `root` if it is one of a plugin folder."""
        self.source = source
        self.module = module
        self.root = root
        self.actions: list[Action] = []
        self.users = 0
        self.host: Host | None = None
        self.started = False
        # Made once: every connection holds it.
        self.ended: Callable[[], None] = self._leave
        self._idle: Callable[[], None] | None = None
        if root is not None:
            root.used_by(self)

    @classmethod
    def load(cls, source: PluginFile, root: Root) -> Plugin:
        """Import a plugin. Raises PluginError."""
        module = import_plugin(source, root)
        plugin = cls(source, module, root)
        plugin.actions = actions_of(module, source)
        return plugin

    def forget(self) -> None:
        """Let go of the modules; what still runs keeps what it holds."""
        root, self.root = self.root, None
        if root is not None:
            root.forget(self.source.parts)
            root.left_by(self)

    # ---- in use ---------------------------------------------------------------------------------------

    def enter(self) -> None:
        """An action of this plugin is called; it calls `ended` at its end."""
        self.users += 1

    def _leave(self) -> None:
        self.users -= 1
        if self.users == 0 and self._idle is not None:
            idle, self._idle = self._idle, None
            idle()

    def when_idle(self, idle: Callable[[], None]) -> None:
        """Call `idle` once no action of this plugin runs any more, at once if none does."""
        if self.users == 0:
            idle()
        else:
            self._idle = idle

    # ---- start and stop -------------------------------------------------------------------------------

    async def start(self, core: Core, bind: Callable[[Action], None], patience: float) -> None:
        """Call `io_start(host)`; what that binds by hand goes to `bind`.

        Raises PluginError, also where it has not ended after `patience` seconds.
        """
        self.host = host = Host(core, str(self.source.file))
        self.started = True
        io_start = getattr(self.module, "io_start", None)
        if io_start is None:
            return

        def add(prefix: str, function: ActionFunction) -> None:
            action = make_action(Binding(check_prefix(prefix)), function, self.source.file)
            bind(action)
            self.actions.append(action)

        host.bind_with(add)
        try:
            result = io_start(host)
            if isawaitable(result):
                await self._within(patience, result)
        except (PluginError, KeyboardInterrupt, asyncio.CancelledError):
            raise
        except BaseException as error:
            raise from_exception(self.source.file, error) from error
        finally:
            host.bind_with(None)

    async def _within(self, patience: float, result: Awaitable[object]) -> None:
        """Wait for `io_start`, which is given up after `patience` seconds, or when we are cancelled."""
        starting = asyncio.ensure_future(_outcome(result))
        try:
            _, late = await asyncio.wait((starting,), timeout=patience if isfinite(patience) else None)
            if not late:
                error = starting.result()
                if error is not None:
                    raise error
                return
            # What is compiled does not show what it awaits: so not from the task on.
            where = authors_line(result) or repr(result)
        finally:
            # Not awaited: what ignores this must not keep a server from ending.
            starting.cancel()
        raise PluginError(
            self.source.file,
            None,
            f"io_start has not ended within timeouts.start: it waits at {where}. "
            "What takes longer belongs into host.spawn(), or timeouts.start be raised",
        )

    async def stop_tasks(self, patience: float) -> None:
        """End the background tasks, for at most `patience` seconds."""
        if self.host is not None:
            await self.host.stop_tasks(patience)

    async def stop(self, patience: Callable[[], float]) -> None:
        """End the background tasks, call `io_stop(host)`, let go of the modules; failures are logged.

        Each of the two gets at most as many seconds as `patience` gives when it begins.
        """
        if self.started:
            self.started = False
            await self.stop_tasks(patience())
            await self._io_stop(patience())
        self.forget()

    async def _io_stop(self, patience: float) -> None:
        io_stop = getattr(self.module, "io_stop", None)
        if io_stop is None:
            return
        try:
            result = io_stop(self.host)
            if isawaitable(result):
                stopping = asyncio.ensure_future(contain(_wait_for(result), io_stop))
                _, late = await asyncio.wait((stopping,), timeout=patience)
                if late:
                    _log.error(
                        "io_stop takes longer than timeouts.close",
                        plugin=str(self.source.file),
                        hint="it is for all io_stop of a stop together",
                    )
                    stopping.cancel()
                else:
                    stopping.result()
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            _log.exception("io_stop failed", plugin=str(self.source.file))


async def _wait_for(result: Awaitable[object]) -> None:
    await result


async def _outcome(result: Awaitable[object]) -> Exception | SystemExit | None:
    """The exception that an author's code has ended with: a task would let SystemExit through to the loop."""
    try:
        await result
    except (Exception, SystemExit) as error:
        return error
    return None
