"""What `make bench-start` measures is a start, and nothing else is taken for one."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support import REPOSITORY
from tests.support.daemon import PROGRAM

SCRIPT = Path(__file__).with_name("until-listening.sh")


def run(program: Path | str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPT, program], cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_a_daemon_that_listens_is_ended() -> None:
    done = run(PROGRAM)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_program_that_never_listens_is_a_failure() -> None:
    done = run("true")
    assert (done.returncode, done.stderr) == (1, "true ended without listening\n")
