"""All plugins of a process: loaded, started, found by path, followed when they change, stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from math import inf
from pathlib import Path
from time import monotonic
from typing import Final

from ioto_server.http import DuplicatePrefix, PrefixTable
from ioto_server.session import Action, Core

from .errors import BeingSaved, PluginError
from .finder import find_plugins
from .modules import Root
from .plugin import Plugin
from .sources import Sources

# What each io_start gets in any case, where timeouts.start allows as much, in seconds.
_LEAST: Final = 1.0
# What each plugin gets in any case to stop, where timeouts.close allows as much, in seconds.
_MOMENT: Final = 0.1


class Plugins:
    """The plugins of some folders at one time, and the prefixes they serve.

    A reload makes the next ones with `follow`: of what has not changed, the same plugins; of what has, new
    editions. Requests find the new ones from then on; the old ones serve what they have begun.
    """

    def __init__(self, folders: Sequence[Path], sources: Sources | None = None) -> None:
        """Make an empty set of plugins; `Plugins.load` fills one."""
        self.folders = tuple(folders)
        self.plugins: list[Plugin] = []
        self.prefixes: PrefixTable[tuple[Plugin, Action]] = PrefixTable()
        self._sources = Sources() if sources is None else sources

    # ---- loading --------------------------------------------------------------------------------------

    @classmethod
    def load(cls, folders: Sequence[Path]) -> Plugins:
        """Import everything below `folders`; raises PluginError at the first that cannot be used."""
        return cls(())._next(folders, Sources.read(folders), frozenset())

    def follow(self, folders: Sequence[Path], while_saving: bool = False) -> Plugins:
        """The plugins that are below `folders` now: these ones, where nothing has changed.

        A plugin is imported anew when a file of it, or one that it imports from beside it, has other content
        than when it was read. Raises PluginError when one of those cannot be used, and, if it is
        `while_saving` that this is called, BeingSaved for a file that was emptied; nothing has changed then.
        """
        sources = Sources.read(folders)
        changed = sources.changed(self._sources)
        if while_saving and (emptied := sources.emptied(self._sources)):
            raise BeingSaved(emptied)
        if not changed and tuple(folders) == self.folders:
            return self
        if changed & self._hidden():
            # It is imported in a way that the sources do not show: by a name that is put together, say.
            changed = set(sources.files)
        return self._next(folders, sources, changed)

    def _next(self, folders: Sequence[Path], sources: Sources, changed: AbstractSet[Path]) -> Plugins:
        following = Plugins(folders, sources)
        kept = {one.source: one for one in self.plugins if one.source.file not in changed}
        found = find_plugins(folders)
        fresh = [source for source in found if source not in kept]
        roots = {folder: Root(folder, sources) for folder in {source.folder for source in fresh}}
        try:
            self._hand_over(roots, {used for one in fresh for used in sources.closure(one.file)} - changed)
            for source in found:
                following.add(kept.get(source) or Plugin.load(source, roots[source.folder]))
        except PluginError:
            for root in roots.values():
                root.drop()
            raise
        return following

    def _hand_over(self, roots: Mapping[Path, Root], used: AbstractSet[Path]) -> None:
        """Give modules that new plugins use, and that have not changed, to the roots of these."""
        for plugin in self.plugins:
            root = roots.get(plugin.source.folder)
            if root is None or plugin.root is None:
                continue
            # What a plugin in force uses is in force; beside it, its root may still have older editions.
            seen = plugin.root.modules()
            for file in self._sources.closure(plugin.source.file) & used & seen.keys():
                root.adopt(seen[file])

    def _hidden(self) -> set[Path]:
        """The files of modules that no plugin is known to use, and that were imported nevertheless."""
        imported = {file for plugin in self.plugins if plugin.root for file in plugin.root.modules()}
        return imported.difference(*(self._sources.closure(plugin.source.file) for plugin in self.plugins))

    def add(self, plugin: Plugin) -> None:
        """Serve a plugin's prefixes. Raises PluginError for one that another has."""
        for action in plugin.actions:
            self._bind(plugin, action)
        self.plugins.append(plugin)

    def _bind(self, plugin: Plugin, action: Action) -> None:
        try:
            self.prefixes.add(action.prefix, (plugin, action))
        except DuplicatePrefix as error:
            _, other = self.prefixes.get(action.prefix)
            raise PluginError(
                action.file,
                action.line,
                f"The prefix {action.prefix!r} is bound by {other.where} already: "
                "give one of them another prefix",
            ) from error

    # ---- serving --------------------------------------------------------------------------------------

    @property
    def started(self) -> bool:
        """Whether `start` has run: what plugins bind by hand is bound."""
        return any(plugin.started for plugin in self.plugins)

    @property
    def bind_by_hand(self) -> bool:
        """Whether a plugin has an `io_start`, which may bind more actions."""
        return any(hasattr(plugin.module, "io_start") for plugin in self.plugins)

    def find(self, path: str) -> tuple[Plugin, Action, str] | None:
        """The action with the longest prefix of `path` in whole segments, its plugin and the rest."""
        found = self.prefixes.find(path)
        return None if found is None else (*found[0], found[2])

    def actions(self) -> list[Action]:
        """Every bound action, by prefix."""
        return sorted(
            (action for plugin in self.plugins for action in plugin.actions), key=lambda one: one.prefix
        )

    async def start(
        self, core: Core, patience: float = inf, begin: Callable[[Path], None] = lambda _file: None
    ) -> None:
        """Start the plugins that are not started yet; raises PluginError at the first that fails.

        They have `patience` seconds for it, together; `begin` is called before each, with its file. Those
        that had been started by this call are stopped then, and all the new ones are let go of.
        """
        fresh = [plugin for plugin in self.plugins if not plugin.started]
        end = monotonic() + patience
        try:
            for plugin in fresh:
                begin(plugin.source.file)
                # One that held the loop for all of the time is not to be blamed on the next.
                left = max(end - monotonic(), min(_LEAST, patience))
                await plugin.start(core, partial(self._bind, plugin), left)
        except BaseException:
            await stop_all(fresh, core.config.timeouts.close)
            raise

    async def stop(self, core: Core, replaced: Sequence[Plugin] = ()) -> None:
        """Stop those that these have `replaced`, then these, the last first: see stop_all."""
        await stop_all([*self.plugins, *reversed(replaced)], core.config.timeouts.close)

    def forget(self) -> None:
        """Let go of the modules of plugins that were never started."""
        for plugin in self.plugins:
            plugin.forget()


async def stop_all(plugins: Sequence[Plugin], patience: float) -> None:
    """Stop plugins, the last first, within `patience` seconds for all of them; a failure is only logged.

    A plugin for which others have left nothing gets a moment nevertheless.
    """
    end = monotonic() + patience
    for plugin in reversed(plugins):
        await plugin.stop(lambda: max(end - monotonic(), min(_MOMENT, patience)))
