"""`ioto-server log`: change how much a running daemon logs."""

from __future__ import annotations

from pathlib import Path

import click

from ioto_server.daemon.ask import AskError, ask

from .failure import Failed
from .options import config_option, control_option, control_path


@click.command("log")
@config_option
@control_option
@click.argument("level", type=click.Choice(["error", "warning", "info", "debug"]))
def command(config: Path | None, control: Path | None, level: str) -> None:
    """Log lines of LEVEL and above from now on, until the next reload or start says what log.level says."""
    try:
        answer = ask(control_path(config, control), "log", level=level)
    except AskError as error:
        raise Failed(str(error)) from None
    for worker in answer.get("silent_workers", ()):
        click.echo(f"worker {worker} does not answer: it does so when it answers again", err=True)
    click.echo(f"log level {answer['now']}, was {answer['before']}")
