"""What authors write is typed, as pyright, the checker in most editors, sees it: strictly, and offline."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.story import DOCS, blocks
from tests.support import REPOSITORY
from tests.support.daemon import environment, run_program

PYRIGHT = Path(__file__).parent / "node_modules" / "pyright" / "index.js"

# Untyped callbacks, and one whose argument is not what on_event() is given.
WRONG = """\
from ioto_server import Event, Web, WebSocket, action


@action("/wrong", inactivity=[5])
async def wrong(web: Web) -> None:
    web.on_event(on_event, 5)
    web.websocket.send(5)
    web.host.publish("topic", {})


def on_event(ws: WebSocket, event: Event, data: str | bytes | None, arg: str) -> None:
    ws.send(data)
"""


def pyright(folder: Path) -> list[tuple[str, int, str]]:
    """What pyright has to say in strict mode, as file, line and message."""
    settings = {
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "extraPaths": [str(REPOSITORY)],
        # How the tests' own tools are typed is not the authors' business.
        "reportMissingTypeStubs": False,
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    run = subprocess.run(
        ["node", PYRIGHT, "--outputjson", "--pythonpath", sys.executable],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = json.loads(run.stdout)
    assert said["summary"]["filesAnalyzed"] > 0, run.stdout + run.stderr
    return [
        (Path(one["file"]).name, one["range"]["start"]["line"] + 1, one["message"])
        for one in said["generalDiagnostics"]
    ]


@pytest.mark.timeout(400)
def test_the_actions_that_ship_what_init_writes_and_the_guide_are_typed_strictly(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "actions", tmp_path / "shipped")
    assert run_program("init", "project", cwd=tmp_path).returncode == 0
    for page in ("actions", "porting", "tutorial-chat", "tutorial-chart", "tutorial-upload"):
        for block in blocks(DOCS / f"{page}.md"):
            if block.language == "python" and block.caption is not None:
                file = tmp_path / page / block.caption
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block.text)
    assert pyright(tmp_path) == []


@pytest.mark.timeout(400)
def test_mistakes_are_found_while_they_are_typed(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(WRONG)
    assert {line for _, line, _ in pyright(tmp_path)} == {4, 6, 7, 8, 12}
    assert {name for name, _, _ in pyright(tmp_path)} == {"wrong.py"}
