"""Mutation testing of the codec with mutmut, in a copy: how many small mistakes do the tests notice?

Usage: run.py [FOLDER]. The copy is made in FOLDER (a new one in artefacts/mutation by default) and stays
there: `mutmut show NAME` inside it shows a survivor. SURVIVORS.md says of each why it may live. Ends with an
error below 95 %.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
WANTED = 0.95


def copy_tree(target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in ("ioto_server", "tests", "actions", "etc"):
        ignored = shutil.ignore_patterns("*.so", "__pycache__", "node_modules")
        shutil.copytree(REPOSITORY / name, target / name, ignore=ignored)
    for name in ("Makefile", "README.md", "ARCHITECTURE.md"):
        shutil.copy2(REPOSITORY / name, target / name)
    project = (REPOSITORY / "pyproject.toml").read_text() + "\n" + (HERE / "mutmut.toml").read_text()
    (target / "pyproject.toml").write_text(project)


def main() -> int:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "artefacts" / "mutation"
    copy_tree(target)
    mutmut = [sys.executable, "-m", "mutmut"]
    environment = {**os.environ, "IOTO_PURE": "1"}
    subprocess.run([*mutmut, "run", "--max-children", "1"], cwd=target, env=environment, check=True)
    listed = subprocess.run(
        [*mutmut, "results", "--all", "true"],
        cwd=target,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    lines = [line.strip() for line in listed.stdout.splitlines() if ": " in line]
    outcomes = Counter(line.rpartition(": ")[2] for line in lines)
    killed = outcomes["killed"] + outcomes["timeout"]
    total = sum(outcomes.values())
    print(f"{killed} of {total} mutants killed, {killed / total:.1%}: {dict(outcomes)}")
    print(*(line for line in lines if not line.endswith((": killed", ": timeout"))), sep="\n")
    return 0 if killed >= WANTED * total else 1


if __name__ == "__main__":
    sys.exit(main())
