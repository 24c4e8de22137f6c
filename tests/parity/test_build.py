"""Which build is taken: `ioto_server/build.py`."""

from __future__ import annotations

import os
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from ioto_server import build


@pytest.mark.parametrize("module", build.COMPILED)
def test_every_compiled_module_is_python_to_read(module: str) -> None:
    assert ".py" in {source.suffix for source in build.sources(module)}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A package whose modules were all compiled a while ago."""
    for module in build.COMPILED:
        for suffix, age in ((".py", 200), (".pxd", 200), (EXTENSION_SUFFIXES[0], 100)):
            file = (tmp_path / module).with_suffix(suffix)
            file.parent.mkdir(exist_ok=True)
            file.touch()
            os.utime(file, (1e9 - age, 1e9 - age))
    return tmp_path


def test_compiled_modules_that_are_up_to_date(tree: Path) -> None:
    assert build.stale(tree) is None


@pytest.mark.parametrize("suffix", [".py", ".pxd"])
def test_source_that_was_changed_since(tree: Path, suffix: str) -> None:
    changed = (tree / build.COMPILED[-1]).with_suffix(suffix)
    changed.touch()
    assert build.stale(tree) == (
        f"{changed} was changed since it was compiled: run `pip install -e .` again, or set IOTO_PURE=1"
    )


def test_sources_that_were_never_compiled(tree: Path) -> None:
    for module in build.COMPILED:
        (tree / module).with_suffix(EXTENSION_SUFFIXES[0]).unlink()
    assert build.stale(tree) is None


def test_source_finder(tmp_path: Path) -> None:
    (tmp_path / "module.py").touch()
    (tmp_path / "package").mkdir()
    finder = build.SourceFinder("some")
    spec = finder.find_spec("some.module", ["/nowhere", str(tmp_path)])
    assert spec is not None
    assert spec.origin == str(tmp_path / "module.py")
    assert finder.find_spec("some.package", [str(tmp_path)]) is None
    assert finder.find_spec("some.other", [str(tmp_path)]) is None
    assert finder.find_spec("other.module", [str(tmp_path)]) is None
    assert finder.find_spec("some", None) is None


@pytest.mark.parametrize(("value", "forced"), [(None, False), ("", False), ("0", False), ("1", True)])
def test_pure_is_forced(monkeypatch: pytest.MonkeyPatch, value: str | None, forced: bool) -> None:
    monkeypatch.delenv(build.FORCE_PURE, raising=False)
    if value is not None:
        monkeypatch.setenv(build.FORCE_PURE, value)
    assert build.pure_is_forced() is forced
