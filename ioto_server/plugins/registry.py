"""All plugins of a process: loaded, started, found by path, stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from inspect import isawaitable
from pathlib import Path
from types import ModuleType

import structlog

from ioto_server.http import DuplicatePrefix, PrefixTable
from ioto_server.session import Action, ActionFunction, Host

from .decorator import check_prefix
from .errors import PluginError, from_exception
from .finder import PluginFile, find_plugins
from .loader import actions_of, import_plugin, make_action

_log = structlog.get_logger("ioto_server.plugins")


@dataclass(slots=True)
class Plugin:
    """One imported plugin and the actions it bound."""

    source: PluginFile
    module: ModuleType
    actions: list[Action] = field(default_factory=list)


class Plugins:
    """The plugins of some folders."""

    def __init__(self) -> None:
        self.plugins: list[Plugin] = []
        self.prefixes: PrefixTable[Action] = PrefixTable()
        self._started: list[Plugin] = []

    @classmethod
    def load(cls, folders: Sequence[Path]) -> Plugins:
        """Import everything below `folders`; raises PluginError at the first that cannot be used."""
        plugins = cls()
        numbers = {folder: number for number, folder in enumerate(folders)}
        for source in find_plugins(folders):
            plugin = Plugin(source, import_plugin(source, numbers[source.folder]))
            for action in actions_of(plugin.module, source):
                plugins._bind(plugin, action)
            plugins.plugins.append(plugin)
        return plugins

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
            stop = getattr(plugin.module, "io_stop", None)
            if stop is None:
                continue
            try:
                result = stop(host)
                if isawaitable(result):
                    await result
            except Exception:
                _log.exception("io_stop failed", plugin=str(plugin.source.file))

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
