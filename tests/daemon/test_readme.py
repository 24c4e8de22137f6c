"""What the README shows, done by a test the way a reader would: the same words, against the real daemon."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import json5
import pytest

from ioto_server.config import load_config
from tests.conftest import StartDaemon
from tests.support import REPOSITORY
from tests.support.daemon import environment, run_program, write_project
from tests.support.raw import TEXT, RawClient

README = (REPOSITORY / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


SHOUT, GREET, CLIENT = blocks("python")


def test_the_first_action_is_live_as_soon_as_it_is_saved(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, {}, arguments=["--watch"])
    daemon.log("watching", what=[str(daemon.folder / "actions")])
    (daemon.folder / "actions" / "shout.py").write_text(SHOUT)
    daemon.log("reloaded", changed=["shout.py: added"])
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/shout")
        client.send_frame(TEXT, b"hello")
        assert client.read_message() == (TEXT, b"HELLO")


def test_the_callback_example_works(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, {"greet.py": GREET})
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/greet")
        assert client.read_message() == (TEXT, b"Welcome")
        client.send_frame(TEXT, b"hello")
        assert client.read_message() == (TEXT, b"Response message")


def test_the_client_example_works(start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    program = CLIENT.replace("localhost:4100", f"127.0.0.1:{daemon.port}")
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        env=environment(),
        check=False,
    )
    assert (run.stdout, run.stderr) == ("hello\n", "")


def test_the_configuration_example_loads_without_a_warning(tmp_path: Path) -> None:
    (text,) = blocks("json5")
    assert json5.loads(text)
    file = tmp_path / "web.json5"
    file.write_text(text)
    (tmp_path / "actions").mkdir()
    assert load_config(file).warnings == []


def test_a_plugin_that_cannot_be_imported_is_reported_as_shown(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, {"shout.py": SHOUT}, arguments=["--watch"])
    daemon.log("watching", what=[str(daemon.folder / "actions")])
    (daemon.folder / "actions" / "shout.py").write_text(SHOUT.replace("web.websocket:", "web.websocket"))
    daemon.log("reload refused")
    assert daemon.stop() == 0
    shown = next(block for block in blocks("console") if "SyntaxError" in block)
    assert shown.replace("/home/you/ioto-server", str(daemon.folder)) in daemon.output


def test_a_mistake_in_the_configuration_is_reported_as_shown(tmp_path: Path) -> None:
    text = "{\n    listen: 'http://:8080',\n    limits: { maxFrame: '12 bananas' },\n}\n"
    write_project(tmp_path, text, {})
    run = run_program("start", cwd=tmp_path)
    shown = next(block for block in blocks("console") if "bananas" in block)
    assert (run.returncode, "$ ioto-server start\n" + run.stderr) == (2, shown)


@pytest.mark.parametrize("path", re.findall(r"\]\(((?!http)[^)]+)\)", README))
def test_links_lead_to_files(path: str) -> None:
    file, _, heading = path.partition("#")
    text = REPOSITORY / file
    assert text.exists()
    if heading:
        assert heading in {
            made.lower().replace(" ", "-") for made in re.findall(r"^#+ (.+)$", text.read_text(), re.M)
        }


@pytest.mark.parametrize(
    "path", re.findall(r"\| `([a-z_/]+\.py)", (REPOSITORY / "ARCHITECTURE.md").read_text())
)
def test_the_map_names_files_that_exist(path: str) -> None:
    assert (REPOSITORY / "ioto_server" / path).is_file()
