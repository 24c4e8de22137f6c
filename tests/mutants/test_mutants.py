"""Each mistake still fits the code: `make mutants`, which takes minutes, need not be run to find that out."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.mutants.run import Mutant, MutantError, load
from tests.support import REPOSITORY

MUTANTS = load()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_mistake_can_be_made(tmp_path: Path, mutant: Mutant) -> None:
    shutil.copytree(
        REPOSITORY / mutant.room, tmp_path / mutant.room, ignore=shutil.ignore_patterns("__pycache__")
    )
    changed = mutant.apply(tmp_path)
    compile(changed.read_text(), changed, "exec")
    assert all((REPOSITORY / test).exists() for test in mutant.tests)


def test_there_are_at_least_twenty() -> None:
    assert len(MUTANTS) >= 20


def test_a_mistake_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("twice = 1\n")
    (tmp_path / "two.py").write_text("twice = 1\n")
    for old in ("never", "twice"):
        with pytest.raises(MutantError, match="not once"):
            Mutant("name", ".", old, "new", ("tests",)).apply(tmp_path)
