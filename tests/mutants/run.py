"""Break the code in the ways of `mutants.toml`, one at a time: the tests must notice each.

Each mistake is made in a copy of the tree, so the work tree is never touched. Its own tests run first,
then, while all is still green, every test that runs side by side. A mistake that no longer fits the code,
or that keeps the tests from running at all, is as bad as one that nobody notices.

Usage: run.py [NAME…]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
SIDE_BY_SIDE = 2

# pytest's exit codes: 1 is a test that failed; the others say that it could not run them as asked.
GREEN, RED = 0, 1


class MutantError(Exception):
    """The mistake cannot be made, or the tests cannot judge it; says what to change."""


@dataclass(frozen=True)
class Mutant:
    """One plausible mistake: in a file of `room`, the text `old`, which stands there once, becomes `new`."""

    name: str
    room: str
    old: str
    new: str
    tests: tuple[str, ...]

    def apply(self, tree: Path) -> Path:
        """Make the mistake in `tree` and return the file; raises MutantError where it does not fit."""
        sources = {path: path.read_text() for path in sorted((tree / self.room).rglob("*.py"))}
        times = sum(source.count(self.old) for source in sources.values())
        if times != 1:
            raise MutantError(
                f"its old text stands {times} times in {self.room}, not once: write it as the code is now"
            )
        path = next(path for path, source in sources.items() if self.old in source)
        path.write_text(sources[path].replace(self.old, self.new))
        return path


def load() -> list[Mutant]:
    """Read `mutants.toml`; raises MutantError for an entry that says nothing."""
    document = tomllib.loads((HERE / "mutants.toml").read_text())
    mutants = [
        Mutant(entry["name"], entry["room"], entry["old"], entry["new"], tuple(entry["tests"]))
        for entry in document["mutant"]
    ]
    names = [mutant.name for mutant in mutants]
    for mutant in mutants:
        if mutant.old == mutant.new or not mutant.tests or names.count(mutant.name) > 1:
            raise MutantError(f"{mutant.name}: give it a name of its own, a change, and tests that notice it")
    return mutants


def copy_tree(target: Path) -> None:
    """Copy the work tree as git sees it, with changes not committed yet, and lend it the npm client."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    for name in filter(None, os.fsdecode(listed.stdout).split("\0")):
        source = REPOSITORY / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    modules = REPOSITORY / "tests" / "clients" / "node_modules"
    if modules.exists():
        (target / "tests" / "clients" / "node_modules").symlink_to(modules)


def run_tests(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in the copy until a test fails."""
    # A compiled part is made from the sources as they were: only the pure build shows the mistake.
    environment = {**os.environ, "PYTHONPATH": str(tree), "IOTO_PURE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *arguments],
        cwd=tree,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def tail(run: subprocess.CompletedProcess[str]) -> str:
    return run.stdout[-4000:] + run.stderr[-1000:]


def first_failure(output: str) -> str:
    """The first line of pytest's short summary: the test, or the fixture that it could not have."""
    lines = [line for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return lines[0].partition(" ")[2].partition(" - ")[0] if lines else "a test"


def judge(mutant: Mutant) -> str:
    """Make one mistake in a fresh copy; returns the test that noticed it, raises MutantError if none."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        tree = Path(folder)
        copy_tree(tree)
        mutant.apply(tree)
        # The tests of this table fail for every mistake: it cannot be made twice.
        others = ("-m", "not alone", "--ignore", "tests/mutants", "tests")
        for arguments in (mutant.tests, others):
            run = run_tests(tree, *arguments)
            if run.returncode == RED:
                return first_failure(run.stdout)
            if run.returncode != GREEN:
                raise MutantError(f"pytest ended with {run.returncode}, it could not judge\n{tail(run)}")
    raise MutantError("no test noticed it: write one that does")


def check_green(mutants: Sequence[Mutant]) -> None:
    """The tests that shall turn red must be green without a mistake."""
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy_tree(Path(folder))
        run = run_tests(Path(folder), "-n", str(SIDE_BY_SIDE), *tests)
    if run.returncode != GREEN:
        raise MutantError(
            f"the tests are not green without a mistake:\n{run.stdout[-6000:]}{run.stderr[-1000:]}"
        )


def report(mutant: Mutant) -> bool:
    try:
        noticed_by = judge(mutant)
    except MutantError as error:
        print(f"FAILED  {mutant.name}: {error}", flush=True)
        return False
    print(f"noticed {mutant.name}: {noticed_by}", flush=True)
    return True


def main(names: Sequence[str]) -> int:
    try:
        mutants = [mutant for mutant in load() if not names or mutant.name in names]
        if not mutants:
            raise MutantError(f"no mutant is named {' or '.join(names)}: see {HERE / 'mutants.toml'}")
        check_green(mutants)
    except MutantError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(mutants)} mistakes, one at a time in a copy; their tests are green without them", flush=True)
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        noticed = sum(pool.map(report, mutants))
    print(f"{noticed} passed, {len(mutants) - noticed} failed")
    return 0 if noticed == len(mutants) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
