"""`ioto-server status`: ask a running daemon how it is."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ioto_server.daemon.ask import AskError, ask

from .options import config_option, control_option, control_path


@click.command("status")
@config_option
@control_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
def command(config: Path | None, control: Path | None, as_json: bool) -> None:
    """Show where a running daemon listens, and how much is going on. Exit code 1 where none answers."""
    try:
        answer = ask(control_path(config, control), "status")
    except AskError as error:
        raise click.ClickException(str(error)) from None
    del answer["ok"]
    if as_json:
        click.echo(json.dumps(answer))
        return
    width = max(map(len, answer))
    for name, value in answer.items():
        shown = " ".join(map(str, value)) if isinstance(value, list) else value
        click.echo(f"{name.replace('_', ' '):<{width}}  {shown}")
