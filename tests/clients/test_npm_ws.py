"""The npm package `ws`, the client of most Node.js programs, against the real daemon."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.samples import SIZES
from tests.support.daemon import Daemon

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def seen(roomy_daemon: Daemon) -> dict[str, Any]:
    """What the client saw in one run over all its scenes."""
    run = subprocess.run(
        ["node", "client.mjs", roomy_daemon.ws_url("")],
        cwd=HERE,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=70,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    account: dict[str, Any] = json.loads(run.stdout)
    return account


def test_every_size_comes_back(seen: dict[str, Any]) -> None:
    assert seen["echoes"] == [[size, binary, True] for size in SIZES for binary in (False, True)]


def test_a_message_in_fragments_comes_back_whole(seen: dict[str, Any]) -> None:
    assert seen["fragments"] == "in three parts"


def test_a_ping_is_answered_with_its_payload(seen: dict[str, Any]) -> None:
    assert seen["pong"] == "are you there?"


def test_the_close_code_is_echoed(seen: dict[str, Any]) -> None:
    assert seen["close"][0] == 4001


def test_an_empty_close_is_answered_empty(seen: dict[str, Any]) -> None:
    assert seen["emptyClose"] == [1005, ""]


def test_the_sub_protocol_chat_is_chosen(seen: dict[str, Any]) -> None:
    assert seen["protocol"] == "chat"


def test_another_sub_protocol_is_refused(seen: dict[str, Any]) -> None:
    assert seen["refusedProtocol"]["status"] == 400
    assert "Unsupported Sec-WebSocket-Protocol" in seen["refusedProtocol"]["text"]


def test_a_path_without_an_action_is_not_found(seen: dict[str, Any]) -> None:
    assert seen["notFound"] == 404
