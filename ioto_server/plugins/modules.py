"""Where plugins live in `sys.modules`: below packages of their own, one for each folder and loading.

The modules of an edition stay under their names for as long as a plugin uses them, so that old code finds its
own helpers, also those that it imports late, while a newer edition runs beside it. What has not changed is
taken over by the next loading as it is: the same module under one more name.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from itertools import count
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

from ioto_server.session.whereabouts import PLUGINS

from .sources import Sources

# Plugins live out of the way of everything that is installed.
_numbers = count()


class Root:
    """The package that the plugins of one folder are imported below, in one loading."""

    def __init__(self, folder: Path, sources: Sources) -> None:
        """Import below `folder` what `sources` has; what it has not is read when it is imported."""
        self.folder = folder
        self.name = f"{PLUGINS}{next(_numbers)}"
        self.sources = sources
        self._users: set[object] = set()
        # Those of the modules that were taken over.
        self._homes: set[Root] = set()
        _FINDER.roots[self.name] = self

    def full_name(self, parts: Sequence[str]) -> str:
        """The name of the module at a place below the folder."""
        return ".".join((self.name, *parts))

    def modules(self) -> dict[Path, ModuleType]:
        """What stands below this root, imported here or taken over, by file."""
        below = f"{self.name}."
        # Others import meanwhile: this may be called from a thread.
        return {
            Path(module.__file__): module
            for name, module in list(sys.modules.items())
            if name.startswith(below) and module.__file__ is not None
        }

    def adopt(self, module: ModuleType) -> None:
        """Take over a module of another root, which stays for as long as this one does."""
        home, *parts = module.__name__.split(".")
        sys.modules[self.full_name(parts)] = module
        root = _FINDER.roots[home]
        root.used_by(self)
        self._homes.add(root)

    def used_by(self, user: object) -> None:
        """Stay for as long as `user` does."""
        self._users.add(user)

    def left_by(self, user: object) -> None:
        """`user` is gone; with the last one all modules lose their names here."""
        self._users.discard(user)
        if not self._users:
            self.drop()

    def forget(self, parts: Sequence[str]) -> None:
        """Let go of one module and all below it; what still runs keeps what it holds."""
        name = self.full_name(parts)
        for one in list(sys.modules):
            if one == name or one.startswith(f"{name}."):
                sys.modules.pop(one, None)

    def drop(self) -> None:
        """Let go of every module."""
        self.forget(())
        _FINDER.roots.pop(self.name, None)
        homes, self._homes = self._homes, set()
        for root in homes:
            root.left_by(self)


class _Finder:
    """Finds modules below roots (`importlib.abc.MetaPathFinder`)."""

    def __init__(self) -> None:
        self.roots: dict[str, Root] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What `name` is: a package, a module, or a folder; what is none of these is left to others."""
        first, *parts = name.split(".")
        root = self.roots.get(first)
        if root is None:
            return None
        place = root.folder.joinpath(*parts)
        for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            # A folder of plugins is no package itself, whatever is in it.
            if parts and (file in root.sources.files or file.is_file()):
                return spec_from_file_location(
                    name,
                    file,
                    loader=_Loader(root, name, file),
                    submodule_search_locations=[str(place)] if file.name == "__init__.py" else None,
                )
        if parts and not place.is_dir():
            return None
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(place)]
        return spec


class _Loader(SourceFileLoader):
    """Runs a plugin's source as it was read.

    Nothing is cached in files: Python's own cache takes a file that was changed within a second, to the same
    length, for the old one.
    """

    def __init__(self, root: Root, name: str, file: Path) -> None:
        super().__init__(name, str(file))
        self._root = root
        self._file = file

    def get_source(self, fullname: str) -> str:
        return self._content().decode("utf-8", "replace")

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._content(), str(self._file), "exec", dont_inherit=True)

    def _content(self) -> bytes:
        source = self._root.sources.files.get(self._file)
        return self._file.read_bytes() if source is None else source.content


_FINDER: Final = _Finder()
sys.meta_path.insert(0, _FINDER)
