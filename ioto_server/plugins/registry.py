"""All plugins of a process: loaded, started, found by path, stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from inspect import isawaitable
from itertools import count
from pathlib import Path
from types import ModuleType

import structlog

from ioto_server.http import DuplicatePrefix, PrefixTable
from ioto_server.session import Action, ActionFunction, Host

from .decorator import check_prefix
from .errors import PluginError, from_exception
from .finder import PluginFile, find_plugins, fingerprint
from .loader import actions_of, forget, import_plugin, make_action

_log = structlog.get_logger("ioto_server.plugins")


@dataclass(slots=True)
class Plugin:
    """One imported plugin and the actions it bound."""

    source: PluginFile
    module: ModuleType
    actions: list[Action] = field(default_factory=list)


# Each loading imports into packages of its own: the modules of the one before live on beside it.
_generations = count()


class Plugins:
    """One generation of plugins: what was imported from some folders at one time.

    A reload makes a new generation. The old one serves the requests it has begun; `users` counts them.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        """Make an empty generation; `Plugins.load` fills one."""
        self.folders = tuple(folders)
        self.fingerprint = fingerprint(folders)
        self.plugins: list[Plugin] = []
        self.prefixes: PrefixTable[Action] = PrefixTable()
        self.users = 0
        # The file whose io_stop was called last.
        self.stopping = ""
        self._started: list[Plugin] = []
        # Plugins live out of the way of everything that is installed.
        generation = next(_generations)
        self._roots = {folder: f"ioto_actions_{generation}_{number}" for number, folder in enumerate(folders)}

    @classmethod
    def load(cls, folders: Sequence[Path]) -> Plugins:
        """Import everything below `folders`; raises PluginError at the first that cannot be used."""
        plugins = cls(folders)
        try:
            for source in find_plugins(folders):
                plugin = Plugin(source, import_plugin(source, plugins._roots[source.folder]))
                for action in actions_of(plugin.module, source):
                    plugins._bind(plugin, action)
                plugins.plugins.append(plugin)
        except PluginError:
            plugins.forget()
            raise
        return plugins

    @property
    def started(self) -> bool:
        """Whether `start` has run: what plugins bind by hand is bound."""
        return bool(self._started)

    @property
    def bind_by_hand(self) -> bool:
        """Whether a plugin has an `io_start`, which may bind more actions."""
        return any(hasattr(plugin.module, "io_start") for plugin in self.plugins)

    def is_current(self, folders: Sequence[Path]) -> bool:
        """Whether loading `folders` now would read the very same files."""
        return self.folders == tuple(folders) and self.fingerprint == fingerprint(folders)

    def forget(self) -> None:
        """Let go of this generation's modules."""
        for root in self._roots.values():
            forget(root)

    def find(self, path: str) -> tuple[Action, str] | None:
        """The action with the longest prefix of `path` in whole segments, and the rest of the path."""
        found = self.prefixes.find(path)
        return None if found is None else (found[0], found[2])

    def actions(self) -> list[Action]:
        """Every bound action, by prefix."""
        return sorted(
            (action for plugin in self.plugins for action in plugin.actions), key=lambda one: one.prefix
        )

    async def start(self, host: Host) -> None:
        """Call every plugin's `io_start(host)`; raises PluginError at the first that fails."""
        for plugin in self.plugins:
            start = getattr(plugin.module, "io_start", None)
            if start is not None:

                def bind(prefix: str, function: ActionFunction, plugin: Plugin = plugin) -> None:
                    self._bind(plugin, make_action(check_prefix(prefix), function, plugin.source.file))

                host.binder = bind
                try:
                    result = start(host)
                    if isawaitable(result):
                        await result
                except PluginError:
                    raise
                except Exception as error:
                    raise from_exception(plugin.source.file, error) from error
                finally:
                    host.binder = None
            self._started.append(plugin)

    async def stop(self, host: Host) -> None:
        """Call `io_stop(host)` of every started plugin, the last first; a failure is only logged."""
        while self._started:
            plugin = self._started.pop()
            self.stopping = str(plugin.source.file)
            stop = getattr(plugin.module, "io_stop", None)
            if stop is None:
                continue
            try:
                result = stop(host)
                if isawaitable(result):
                    await result
            except Exception:
                _log.exception("io_stop failed", plugin=str(plugin.source.file))
        self.forget()

    def _bind(self, plugin: Plugin, action: Action) -> None:
        try:
            self.prefixes.add(action.prefix, action)
        except DuplicatePrefix as error:
            other = error.existing
            where = other.where if isinstance(other, Action) else str(other)
            raise PluginError(
                action.file,
                action.line,
                f"The prefix {action.prefix!r} is bound by {where} already: give one of them another prefix",
            ) from None
        plugin.actions.append(action)
