"""`ioto-server close`: close one WebSocket of a running daemon."""

from __future__ import annotations

from pathlib import Path

import click

from ioto_server.daemon.ask import AskError, ask
from ioto_server.daemon.visible import visible_line

from .failure import Failed
from .options import config_option, control_option, control_path


@click.command("close")
@config_option
@control_option
@click.argument("number", metavar="ID")
@click.argument("code", type=int, default=1000)
@click.argument("reason", default="")
def command(config: Path | None, control: Path | None, number: str, code: int, reason: str) -> None:
    """Close the WebSocket that `ioto-server connections` lists as ID, with CODE (1000) and REASON.

    The client is sent a Close and has timeouts.close to answer it. Exit code 1 where there is none with this
    ID, or the code is none that may be sent.
    """
    try:
        answer = ask(control_path(config, control), "close", id=number, code=code, reason=reason)
    except AskError as error:
        raise Failed(str(error)) from None
    click.echo(visible_line(f"closing {answer['path']} of {answer['peer']}"))
