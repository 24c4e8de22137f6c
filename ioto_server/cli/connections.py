"""`ioto-server connections`: who is connected to a running daemon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ioto_server.daemon.ask import AskError, ask

from .failure import Failed
from .options import config_option, control_option, control_path
from .tables import Columns, duration, show_table

_ORDERS = ("age", "backlog", "bytes", "id", "messages", "path", "peer")

# Heading, and the value of one connection under it.
_COLUMNS: Columns = (
    ("ID", lambda one: one["id"]),
    ("PEER", lambda one: one["peer"]),
    ("PATH", lambda one: one["path"]),
    ("STATE", lambda one: one["state"]),
    ("AGE", lambda one: duration(one["age_seconds"])),
    ("MESSAGES", lambda one: f"{one['messages_in']}/{one['messages_out']}"),
    ("BYTES", lambda one: f"{one['bytes_in']}/{one['bytes_out']}"),
    ("BACKLOG", lambda one: str(one["backlog"])),
)


@click.command("connections")
@config_option
@control_option
@click.option(
    "--sort",
    type=click.Choice(_ORDERS),
    default="age",
    show_default=True,
    help="The oldest first, or those with most bytes, messages or backlog.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    help="How many to list at most.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
def command(config: Path | None, control: Path | None, sort: str, limit: int, as_json: bool) -> None:
    """List the open WebSockets of a running daemon. Messages and bytes are in/out.

    `ioto-server close ID` closes one. Exit code 1 where no daemon answers.
    """
    try:
        answer = ask(control_path(config, control), "connections", sort=sort, limit=limit)
    except AskError as error:
        raise Failed(str(error)) from None
    if as_json:
        del answer["ok"]
        click.echo(json.dumps(answer))
        return
    _show(answer["connections"], answer["total"])
    for worker in answer.get("silent_workers", ()):
        click.echo(f"worker {worker} does not answer: its connections are not listed", err=True)


def _show(connections: list[dict[str, Any]], total: int) -> None:
    show_table(_COLUMNS, connections)
    if len(connections) < total:
        click.echo(f"{total - len(connections)} more: --limit shows them", err=True)
