"""Which files under `actions/` are plugins, and which prefix each has by its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PluginFile:
    """A plugin before it is imported: a module's file, or a package's `__init__.py`."""

    folder: Path
    file: Path
    parts: tuple[str, ...]

    @property
    def prefix(self) -> str:
        """The prefix by place: `actions/test/websockets.py` is `/test/websockets`."""
        return "/" + "/".join(self.parts)


def find_plugins(folders: Sequence[Path]) -> list[PluginFile]:
    """Every plugin below the folders, sorted by path; a folder that does not exist has none."""
    return [plugin for folder in folders for plugin in _below(folder, folder, ())]


def fingerprint(folders: Sequence[Path]) -> bytes:
    """A digest of every Python file below the folders, helpers included: equal means that nothing changed."""
    digest = blake2b(digest_size=16)
    for folder in folders:
        for file in sorted(folder.rglob("*.py")):
            # Editors leave links that lead nowhere, and a folder may be called anything.
            if not file.is_file() or file.name.startswith("."):
                continue
            content = file.read_bytes()
            digest.update(f"{file}\0{len(content)}\0".encode("utf-8", "surrogateescape"))
            digest.update(content)
    return digest.digest()


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
