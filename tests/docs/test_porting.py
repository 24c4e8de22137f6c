"""Each pair of the porting page: the Python does what the C beside it is documented to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ioto_server
from ioto_server import Event, Host, Opcode, Web, WebSocket
from ioto_server.testing import Server
from tests.docs.story import DOCS, Story, blocks

PAGE = DOCS / "porting.md"

# The calls of the original's page, which must each have a line in the table.
CALLS = """
    ioStart webAddAction webAsync webWait webSocketSend webSocketSendBlock webSocketSendClose webFinalize
    webUpdateDeadline web->webSocket WS_EVENT_OPEN WS_EVENT_MESSAGE WS_EVENT_PARTIAL_MESSAGE WS_EVENT_ERROR
    WS_EVENT_CLOSE limits.maxMessage limits.maxFrame webSockets.ping .protocol .validateUTF
    timeouts.inactivity timeouts.request
"""


@pytest.fixture
def actions(tmp_path: Path) -> Iterator[Server]:
    Story(tmp_path).live(PAGE)
    with Server(tmp_path / "actions", settings={"timeouts.inactivity": "1 min"}) as server:
        yield server


def test_every_call_of_the_original_is_in_the_table() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    left = "".join(row.split("|")[1] for row in rows)
    assert [call for call in CALLS.split() if call not in left] == []


def test_every_name_in_the_table_exists() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    right = "".join(row.split("|")[2] for row in rows)
    for owner, kind in (
        ("web", Web),
        ("ws", WebSocket),
        ("host", Host),
        ("Event", Event),
        ("Opcode", Opcode),
    ):
        names = re.findall(rf"\b{owner}\.(\w+)", right)
        assert names, owner
        assert [name for name in names if not hasattr(kind, name)] == []
    assert hasattr(ioto_server, "action")


def test_every_c_block_has_its_python() -> None:
    languages = [block.language for block in blocks(PAGE) if block.language in ("c", "python")]
    assert languages == ["c", "python"] * languages.count("c") + ["python"]


def test_registering(actions: Server) -> None:
    assert actions.connect("/test/websockets").receive() == "WebSocket connected"


def test_running(actions: Server, capsys: pytest.CaptureFixture[str]) -> None:
    client = actions.connect("/test/run")
    client.send("hello")
    assert client.receive() == "/test/run: hello"
    client.close()
    printed = capsys.readouterr().out
    assert "Closed" in printed
    assert "Error" not in printed
    actions.connect("/test/run").drop()
    assert "Error" in capsys.readouterr().out


def test_events(actions: Server, capsys: pytest.CaptureFixture[str]) -> None:
    client = actions.connect("/test/events")
    client.send("whole")
    client.send_fragments("in ", "pieces")
    assert list(client.messages) == ["Response message"] * 3
    printed = capsys.readouterr().out
    assert [line for line in printed.splitlines() if line.startswith("Received")] == [
        "Received whole",
        "Received in ",
        "Received pieces",
    ]


def test_sending(actions: Server) -> None:
    client = actions.connect("/test/send")
    assert list(client) == ["WebSocket connected", "3 readings", "a block"]


def test_closing(actions: Server) -> None:
    assert actions.connect("/test/close").wait_closed() == (4000, "enough")
    client = actions.connect("/test/finalize")
    assert client.receive() == "That was all"
    assert client.wait_closed() == (1000, "")


def test_extending_the_timeouts(actions: Server) -> None:
    client = actions.connect("/test/deadline")
    for _ in range(3):
        actions.advance(50)
        client.send("still here")
    assert client.closed is None
    actions.advance(70)
    assert client.closed == (1001, "Inactivity timeout")


def test_what_python_adds(actions: Server) -> None:
    client = actions.connect("/test/python")
    client.send(b"echo")
    assert client.receive() == b"echo"
