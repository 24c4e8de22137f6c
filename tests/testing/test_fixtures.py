"""The fixtures, in a pytest of their own, as an author has it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.daemon import DEADLINE, environment

TESTS = """\
from ioto_server import Web, action


@action("/ws/hello")
async def hello(web: Web) -> None:
    async for name in web.websocket:
        if name == "nobody":
            raise LookupError("nobody is there")
        await web.websocket.send(f"Hello, {name}!")


def test_client(ioto_client) -> None:
    client = ioto_client(hello)
    client.send("Ada")
    assert client.receive() == "Hello, Ada!"


def test_server(ioto_server) -> None:
    server = ioto_server(hello, settings={"limits.maxMessage": 10})
    client = server.connect("/ws/hello")
    client.send("a name that is too long")
    assert client.wait_closed().code == 1009


def test_failure(ioto_client) -> None:
    client = ioto_client(hello)
    client.send("nobody")
"""


def test_fixtures_drive_actions_and_failures_point_at_the_test(tmp_path: Path) -> None:
    (tmp_path / "test_hello.py").write_text(TESTS)
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
        ],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE * 4,
        check=False,
    )
    assert "1 failed, 2 passed" in run.stdout, run.stdout + run.stderr
    assert "The action at /ws/hello raised LookupError at test_hello.py:8: nobody is there" in run.stdout
    assert '>       client.send("nobody")' in run.stdout
    assert "ioto_server/testing" not in run.stdout
