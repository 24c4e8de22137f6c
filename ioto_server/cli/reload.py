"""`ioto-server reload`: have a running daemon take up its changed configuration and plugins."""

from __future__ import annotations

from pathlib import Path

import click

from ioto_server.daemon.ask import AskError, ask
from ioto_server.daemon.outcome import say
from ioto_server.daemon.visible import visible

from .failure import Failed
from .options import config_option, control_option, control_path


@click.command("reload")
@config_option
@control_option
def command(config: Path | None, control: Path | None) -> None:
    """Load and check the configuration and the plugins again, and apply them whole or not at all.

    Open connections live on. Exit code 1 where the daemon refuses; it then goes on as before and says why.
    """
    try:
        answer = ask(control_path(config, control), "reload", timeout=None)
    except AskError as error:
        raise Failed(str(error)) from None
    for warning in answer["warnings"]:
        say(warning)
    for change in answer["changed"]:
        click.echo(visible(change))
    for change in answer["restart"]:
        say(f"{change} (takes a restart)")
    if not answer["changed"]:
        click.echo("nothing to apply has changed")
