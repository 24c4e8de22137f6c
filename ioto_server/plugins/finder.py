"""Which files under `actions/` are plugins, and which prefix each has by its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple


class PluginFile(NamedTuple):
    """A plugin before it is imported: a module's file, or a package's `__init__.py`."""

    folder: Path
    file: Path
    parts: tuple[str, ...]

    @property
    def prefix(self) -> str:
        """The prefix by place: `actions/test/websockets.py` is `/test/websockets`."""
        return "/" + "/".join(self.parts)

    @property
    def name(self) -> str:
        """How an author calls it: its path below the folder of plugins."""
        return str(self.file.relative_to(self.folder))


def find_plugins(folders: Sequence[Path]) -> list[PluginFile]:
    """Every plugin below the folders, sorted by path; a folder that does not exist has none."""
    return [plugin for folder in folders for plugin in _below(folder, folder, ())]


def _below(root: Path, folder: Path, parts: tuple[str, ...]) -> Iterator[PluginFile]:
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(("_", ".")):
            continue
        if entry.is_dir():
            package = entry / "__init__.py"
            if package.is_file():
                yield PluginFile(root, package, (*parts, entry.name))
            else:
                yield from _below(root, entry, (*parts, entry.name))
        elif entry.suffix == ".py":
            yield PluginFile(root, entry, (*parts, entry.stem))
