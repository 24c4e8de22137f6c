"""The codec twice in one process: the build that runs, and its Python sources under another name.

Where nothing was compiled the two are the same code, and the comparisons that are built on this still run:
then they show that no result depends on how the input is cut. With `IOTO_EXPECT_COMPILED=1` in the
environment it is an error if what runs is not the compiled build.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from ioto_server import websocket

FOLDER = Path(websocket.__file__).parent
EXPECT_COMPILED = "IOTO_EXPECT_COMPILED"

Transform = Callable[[CodeType], CodeType]


def running() -> ModuleType:
    """The package `ioto_server.websocket` as everything else imports it.

    Raises AssertionError where the compiled build was expected and did not come.
    """
    expected = os.environ.get(EXPECT_COMPILED, "") not in ("", "0")
    assert not expected or websocket.BUILD == "compiled", (
        f"{EXPECT_COMPILED} is set, but the {websocket.BUILD} build runs: install with a C compiler at hand, "
        "and without IOTO_PURE"
    )
    return websocket


@cache
def reference() -> ModuleType:
    """The same package from its sources."""
    return load_sources("ioto_reference_websocket")


def load_sources(name: str, transform: Transform | None = None) -> ModuleType:
    """Import the sources of the codec as the package `name`; `transform` may change each module's code."""
    spec = _spec(name, FOLDER / "__init__.py", transform, folder=FOLDER)
    module = module_from_spec(spec)
    sys.modules[name] = module
    finder = _Finder(name, transform)
    sys.meta_path.insert(0, finder)
    try:
        assert spec.loader is not None
        spec.loader.exec_module(module)
    finally:
        sys.meta_path.remove(finder)
    return module


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, transform: Transform) -> None:
        super().__init__(name, path)
        self._transform = transform

    def get_code(self, fullname: str) -> CodeType:
        # From the source each time: a cached file has the code that was not transformed.
        return self._transform(self.source_to_code(self.get_data(self.path), self.path))


class _Finder:
    """Finds the modules of the package as sources, whatever was compiled beside them."""

    def __init__(self, package: str, transform: Transform | None) -> None:
        self._package = package
        self._transform = transform

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, module = name.rpartition(".")
        return _spec(name, FOLDER / f"{module}.py", self._transform) if package == self._package else None


def _spec(name: str, file: Path, transform: Transform | None, folder: Path | None = None) -> ModuleSpec:
    spec = spec_from_file_location(
        name,
        file,
        loader=None if transform is None else _Loader(name, str(file), transform),
        submodule_search_locations=None if folder is None else [str(folder)],
    )
    assert spec is not None
    return spec
