"""`ioto-server upgrade`: let a new process take a running daemon's place."""

from __future__ import annotations

from pathlib import Path

import click

from ioto_server.daemon.ask import AskError, ask

from .failure import Failed
from .options import config_option, control_option, control_path


@click.command("upgrade")
@config_option
@control_option
def command(config: Path | None, control: Path | None) -> None:
    """Start the version that is installed now beside the daemon that runs, and let it take over.

    No client is refused meanwhile: the new process gets the listening sockets, then the old one tells its
    WebSockets 1012 (service restart) and ends within timeouts.drain. Exit code 1 where the new process does
    not get ready; the old one then goes on as before.
    """
    try:
        answer = ask(control_path(config, control), "upgrade", timeout=None)
    except AskError as error:
        raise Failed(str(error)) from None
    told = answer["connections"]
    click.echo(f"pid {answer['pid']} has taken over, {told} connections are told to reconnect")
