"""A running daemon's control socket, asked as an operator does."""

from __future__ import annotations

from typing import Any

from ioto_server.daemon.ask import ask as ask_daemon

from .daemon import DEADLINE, Daemon


def ask(daemon: Daemon, command: str, **arguments: object) -> dict[str, Any]:
    """What the control socket answers; raises AskError for a refusal."""
    return ask_daemon(daemon.folder / "run" / "control.sock", command, timeout=2 * DEADLINE, **arguments)


def status(daemon: Daemon) -> dict[str, Any]:
    """The answer to `status`."""
    return ask(daemon, "status")
