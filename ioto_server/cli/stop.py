"""`ioto-server stop`: have a running daemon end in order."""

from __future__ import annotations

from pathlib import Path

import click

from ioto_server.daemon.ask import AskError, ask

from .failure import Failed
from .options import config_option, control_option, control_path


@click.command("stop")
@config_option
@control_option
def command(config: Path | None, control: Path | None) -> None:
    """Stop a running daemon as SIGTERM does: tell every client, end within timeouts.drain.

    Returns as soon as the daemon has begun. Exit code 1 where none answers.
    """
    try:
        answer = ask(control_path(config, control), "stop")
    except AskError as error:
        raise Failed(str(error)) from None
    click.echo(f"stopping (pid {answer['pid']}, {answer['connections']} connections)")
