"""The Python files of the plugin folders as they were read at one moment, and which of them use which."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType


@dataclass(frozen=True)
class Source:
    """One file: what is in it, and where it stands below its folder."""

    folder: Path
    file: Path
    content: bytes

    @property
    def package(self) -> Path:
        """The folder that relative imports in this file begin at."""
        return self.file.parent

    @cached_property
    def uses(self) -> frozenset[Path]:
        """The files that this one imports below its folder, wherever in it; also where none is yet."""
        try:
            tree = ast.parse(self.content)
        except (SyntaxError, ValueError, RecursionError):
            # Whoever imports it will be told.
            return frozenset()
        used: set[Path] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                used.update(self._targets(node.level, node.module, [alias.name for alias in node.names]))
        used.discard(self.file)
        return frozenset(used)

    def _targets(self, level: int, module: str | None, names: Sequence[str]) -> Iterator[Path]:
        place = self.package
        for _ in range(level - 1):
            place = place.parent
        if place != self.folder and self.folder not in place.parents:
            return
        yield place / "__init__.py"
        for part in module.split(".") if module else ():
            place = place / part
            yield from _as_module(place)
        for name in names:
            yield from _as_module(place / name)


def _as_module(place: Path) -> tuple[Path, Path]:
    return place.with_name(f"{place.name}.py"), place / "__init__.py"


@dataclass(frozen=True)
class Sources:
    """Every Python file below some folders; hidden ones, and those below hidden folders, are none."""

    files: Mapping[Path, Source] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def read(cls, folders: Sequence[Path]) -> Sources:
        """Read the files; what cannot be read is left out, and whoever imports it is told why."""
        files = {}
        for folder in folders:
            for file in _python_files(folder):
                try:
                    files[file] = Source(folder, file, file.read_bytes())
                except OSError:
                    continue
        return cls(files)

    def changed(self, before: Sources) -> set[Path]:
        """The files that differ from what they were, that are new or gone, or that use such a one."""
        names = self.files.keys() | before.files.keys()
        changed = {name for name in names if _content(self, name) != _content(before, name)}
        if not changed:
            return changed
        users: dict[Path, set[Path]] = {}
        for sources in (self, before):
            for name in sources.files:
                for used in sources.uses(name):
                    users.setdefault(used, set()).add(name)
        todo = list(changed)
        while todo:
            for user in users.get(todo.pop(), ()):
                if user not in changed:
                    changed.add(user)
                    todo.append(user)
        return changed

    def emptied(self, before: Sources) -> Path | None:
        """A file that has no content any more, and had some."""
        return next(
            (file for file in self.files if _content(self, file) == b"" and _content(before, file)), None
        )

    def uses(self, file: Path) -> frozenset[Path]:
        """What a file uses. A package is one thing: its `__init__.py` and all below it use each other."""
        source = self.files.get(file)
        if source is None:
            return frozenset()
        if file.name == "__init__.py":
            below = frozenset(name for name in self.files if file.parent in name.parents)
            return (source.uses | below) - {file}
        packages = (parent / "__init__.py" for parent in file.parents if source.folder in parent.parents)
        return source.uses | frozenset(package for package in packages if package in self.files)

    def closure(self, file: Path) -> set[Path]:
        """The file, and all that it uses, directly or not."""
        found = {file}
        todo = [file]
        while todo:
            for used in self.uses(todo.pop()) - found:
                if used in self.files:
                    found.add(used)
                    todo.append(used)
        return found


def _content(sources: Sources, file: Path) -> bytes | None:
    source = sources.files.get(file)
    return None if source is None else source.content


def _python_files(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        # Editors leave links that lead nowhere, and a folder may be called anything.
        if entry.name.startswith(".") or entry.name == "__pycache__":
            continue
        if entry.is_dir():
            if not entry.is_symlink():
                yield from _python_files(entry)
        elif entry.suffix == ".py" and entry.is_file():
            yield entry
