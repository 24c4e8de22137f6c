"""`ioto-server init`: what it writes works at once, and is as strict as the code it comes from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import REPOSITORY
from tests.support.daemon import DEADLINE, Daemon, environment, run_program

WRITTEN = ["web.json5", "actions/hello.py", "tests/test_hello.py", ".gitignore"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project as init has written it, in a folder whose name needs quotes."""
    run = run_program("init", "my project", cwd=tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    return tmp_path / "my project"


def python(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=cwd,
        env=environment({"MYPYPATH": str(REPOSITORY)}),
        capture_output=True,
        text=True,
        timeout=4 * DEADLINE,
        check=False,
    )


def test_what_is_written_and_said(tmp_path: Path) -> None:
    run = run_program("init", "my project", cwd=tmp_path)
    assert [name for name in WRITTEN if (tmp_path / "my project" / name).is_file()] == WRITTEN
    assert run.stdout.splitlines() == [
        "Written into my project: web.json5, actions/hello.py, tests/test_hello.py, .gitignore",
        "",
        "Next, after `cd 'my project'`:",
        "  pytest                                             test the action",
        "  ioto-server start --watch                          serve it; what you save is live at once",
        "  ioto-server connect ws://localhost:4100/ws/hello   talk to it, from another terminal",
    ]


def test_here_needs_no_cd(tmp_path: Path) -> None:
    run = run_program("init", ".", cwd=tmp_path)
    assert "Next:\n" in run.stdout


def test_its_test_passes_at_once(project: Path) -> None:
    run = python("pytest", "-q", "-W", "error", cwd=project)
    assert "2 passed" in run.stdout, run.stdout


def test_its_test_fails_when_the_action_is_broken(project: Path) -> None:
    action = project / "actions" / "hello.py"
    action.write_text(action.read_text().replace("Hello", "Goodbye"))
    assert "1 failed, 1 passed" in python("pytest", "-q", cwd=project).stdout


def test_its_configuration_has_no_problem(project: Path) -> None:
    run = run_program("check", "--strict", cwd=project)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_daemon_serves_it_and_connect_talks_to_it(project: Path) -> None:
    daemon = Daemon(project / "web.json5", arguments=["--set", 'listen=["http://127.0.0.1:0"]'])
    try:
        daemon.log("ready", actions=1)
        run = subprocess.run(
            [Path(sys.executable).with_name("ioto-server"), "connect", daemon.ws_url("/ws/hello")],
            input="Ada\n",
            capture_output=True,
            text=True,
            env=environment(),
            timeout=DEADLINE,
            check=False,
        )
        assert (run.returncode, run.stdout) == (0, "Hello, Ada!\n")
    finally:
        daemon.close()


@pytest.mark.parametrize(
    "tool",
    [["ruff", "check", "--isolated"], ["ruff", "format", "--check", "--isolated"], ["mypy", "--strict"]],
)
def test_linters_have_nothing_to_say(project: Path, tool: list[str]) -> None:
    options = ["--cache-dir", str(REPOSITORY / ".mypy_cache")] if tool[0] == "mypy" else []
    run = python(*tool, *options, ".", cwd=project)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("name", WRITTEN)
def test_nothing_is_overwritten(tmp_path: Path, name: str) -> None:
    file = tmp_path / "project" / name
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    run = run_program("init", "project", cwd=tmp_path)
    assert run.returncode == 2
    assert f"has {name} already, and nothing is overwritten" in run.stderr
    assert [path for path in (tmp_path / "project").rglob("*") if path.is_file()] == [file]
    assert file.read_text() == "mine"


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    run = run_program("init", "file/project", cwd=tmp_path)
    assert run.returncode == 1
    assert "cannot write" in run.stderr


def test_it_is_part_of_the_package() -> None:
    folder = REPOSITORY / "ioto_server" / "cli" / "project"
    assert {path.name for path in folder.iterdir()} == {
        "web.json5",
        "hello.py.txt",
        "test_hello.py.txt",
        "gitignore.txt",
    }
