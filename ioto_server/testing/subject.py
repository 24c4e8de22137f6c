"""What a test names, loaded the way the daemon loads it."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from ioto_server.plugins import Plugin, PluginError, Plugins
from ioto_server.plugins.finder import PluginFile
from ioto_server.plugins.loader import actions_of
from ioto_server.plugins.modules import Root
from ioto_server.plugins.sources import Sources
from ioto_server.session import ActionFunction

#: An action's function, a module of actions, a plugin's file, or a folder of plugins.
Subject = ActionFunction | ModuleType | str | os.PathLike[str]


class Subjects:
    """Some subjects, loaded together."""

    def __init__(self) -> None:
        self.plugins = Plugins([])

    @classmethod
    def load(cls, subjects: Iterable[Subject]) -> Subjects:
        """Load every subject.

        Raises PluginError for a file or folder that cannot be used, TypeError for what is no subject and
        ValueError for one without an action.
        """
        loaded = cls()
        try:
            for subject in subjects:
                loaded._add(subject)
        except BaseException:
            loaded.forget()
            raise
        return loaded

    def forget(self) -> None:
        """Let go of the modules that were imported."""
        self.plugins.forget()

    def _add(self, subject: Subject) -> None:
        if isinstance(subject, str | os.PathLike):
            path = Path(subject)
            if path.is_dir() and not (path / "__init__.py").is_file():
                self._add_folder(path)
            else:
                self._add_file(path)
        elif isinstance(subject, ModuleType):
            file = Path(subject.__file__ or "<unknown>")
            self._bind(Plugin(PluginFile(file.parent, file, (file.stem,)), subject), str(file))
        elif callable(subject):
            self._add_function(subject)
        else:
            raise TypeError(
                f"{subject!r} cannot be driven: give an action's function, a module, a plugin's file or a "
                "folder of plugins"
            )

    def _add_folder(self, folder: Path) -> None:
        for plugin in Plugins.load([folder.resolve()]).plugins:
            self._bind(plugin, str(folder))

    def _add_file(self, path: Path) -> None:
        if not path.exists():
            raise FileNotFoundError(
                f"There is no plugin at {path} (looked from {Path.cwd()}): build its path from "
                "Path(__file__), so that pytest may be started anywhere"
            )
        file = (path / "__init__.py" if path.is_dir() else path).resolve()
        stem = file.parent.name if path.is_dir() else file.stem
        source = PluginFile(file.parent.parent if path.is_dir() else file.parent, file, (stem,))
        root = Root(source.folder, Sources())
        try:
            plugin = Plugin.load(source, root)
        except BaseException:
            root.drop()
            raise
        self._bind(plugin, str(path))

    def _add_function(self, function: ActionFunction) -> None:
        """Load one function as if it stood alone in its module."""
        module = ModuleType(function.__module__)
        # A function that names no URL of its own is reached at every one.
        module.__dict__.update({"PREFIX": "/", "action": function})
        file = Path(inspect.getsourcefile(inspect.unwrap(function)) or "<unknown>")
        self._bind(Plugin(PluginFile(file.parent, file, (file.stem,)), module), repr(function))

    def _bind(self, plugin: Plugin, what: str) -> None:
        plugin.actions = plugin.actions or actions_of(plugin.module, plugin.source)
        if not plugin.actions and not hasattr(plugin.module, "io_start"):
            raise ValueError(f"{what} has no action: put @action('/prefix') above a function of it")
        try:
            self.plugins.add(plugin)
        except PluginError as error:
            raise ValueError(str(error)) from None
