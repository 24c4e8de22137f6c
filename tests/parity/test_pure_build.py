"""The tests of what is compiled, once more, on the Python sources: both builds pass the same tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES

import pytest

from ioto_server import build
from tests.support import REPOSITORY

from .both import running


def run_forced(value: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with `IOTO_PURE` set to a value."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, build.FORCE_PURE: value},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.alone
@pytest.mark.timeout(600)
def test_sources_pass_the_same_tests() -> None:
    if running().BUILD == "pure":
        pytest.skip("the sources are what runs: tests/websocket has shown it")
    folders = ["tests/websocket", "tests/session", "tests/server"]
    done = run_forced("1", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *folders)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 1000


@pytest.mark.parametrize("value", ["1", "yes", "0", ""])
def test_environment_forces_the_sources(value: str) -> None:
    module = build.PACKAGE / build.COMPILED[-1]
    compiled = any(module.with_suffix(suffix).is_file() for suffix in EXTENSION_SUFFIXES)
    program = "import ioto_server.websocket as w; print(w.BUILD, w.protocol.__file__)"
    done = run_forced(value, "-c", program)
    assert done.returncode == 0, done.stderr
    name, file = done.stdout.split()
    assert name == ("compiled" if compiled and value in ("0", "") else "pure")
    assert file.endswith(".py") == (name == "pure")
