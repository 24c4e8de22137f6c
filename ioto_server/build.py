"""Which build of the package runs: the Python sources, or those of them that setup.py has compiled.

A compiled module is an extension beside its source, and Python prefers it by itself. Imported before
everything else, this module adds two things to that: `IOTO_PURE=1` in the environment forces the sources, and
in a source tree a module that was changed since it was compiled is an error, not a puzzle.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

PACKAGE = Path(__file__).resolve().parent

#: The modules that are compiled. Each is its .py with the types of the .pxd beside it, if it has one; or,
#: where a .pyx is beside it, that takes its place, with the same names and the same results.
COMPILED = (
    "websocket/octets",
    "websocket/frames",
    "websocket/handshake",
    "websocket/compression",
    "websocket/reader",
    "websocket/receiver",
    "websocket/protocol",
    "session/quick",
    "session/stepping",
    "session/clock",
    "session/link",
    "session/inbox",
    "session/publication",
    "session/keepalive",
    "session/outbox",
    "session/turn",
    "session/reception",
    "session/contained",
    "session/delivery",
    "session/lifecycle",
    "session/sending",
    "session/conversation",
    "session/websocket",
    "session/core",
    "session/host",
    "session/ending",
    "session/kept",
    "session/opening",
    "session/terms",
    "session/run",
    "session/asked",
    "session/answer",
    "session/web",
    "server/wheel",
    "server/plain",
    "server/secure",
    "server/websocket_connection",
    "daemon/json_line",
    "daemon/logs",
    "daemon/output",
    "plugins/plugin",
    "http/headers",
    "http/request",
    "http/key_field",
    "http/heads",
    "http/parser",
    "http/facts",
    "http/file_cache",
    "server/connections",
    "server/openings",
    "server/peer",
    "server/overstay",
    "server/server",
    "server/exchange",
    "server/http_life",
    "server/http_connection",
)

#: The environment variable that forces the sources, when running and, for setup.py, when building.
FORCE_PURE = "IOTO_PURE"


def pure_is_forced() -> bool:
    """Tell whether the environment forces the Python sources."""
    return os.environ.get(FORCE_PURE, "") not in ("", "0")


class SourceFinder:
    """Finds the modules of one package as their sources, whatever was compiled beside them."""

    def __init__(self, package: str) -> None:
        self._prefix = package + "."

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module (`importlib.abc.MetaPathFinder`); packages are left to the finders behind."""
        if name.startswith(self._prefix):
            for folder in path or ():
                source = Path(folder, name.rpartition(".")[2] + ".py")
                if source.is_file():
                    return spec_from_file_location(name, source)
        return None


def sources(module: str, package: Path = PACKAGE) -> list[Path]:
    """Return the files that one of COMPILED is made from."""
    stem = package / module
    return [
        source for suffix in (".py", ".pyx", ".pxd", ".h") if (source := stem.with_suffix(suffix)).is_file()
    ]


def stale(package: Path = PACKAGE) -> str | None:
    """Return which compiled module of a source tree is older than its source, and what to do; else None."""
    for module in COMPILED:
        for suffix in EXTENSION_SUFFIXES:
            extension = (package / module).with_suffix(suffix)
            if not extension.is_file():
                continue
            built = extension.stat().st_mtime
            for source in sources(module, package):
                if source.stat().st_mtime > built:
                    return (
                        f"{source} was changed since it was compiled: "
                        f"run `pip install -e .` again, or set {FORCE_PURE}=1"
                    )
    return None


def choose() -> None:
    """Make the imports that follow take the build that is wanted. Raises ImportError for a stale one."""
    if pure_is_forced():
        sys.meta_path.insert(0, SourceFinder("ioto_server"))
    elif (PACKAGE.parent / "setup.py").is_file():
        problem = stale()
        if problem is not None:
            raise ImportError(problem)


if __name__ == "ioto_server.build":  # setup.py runs this file too, for the names above only
    choose()
