"""`ioto-server start`: serve in the foreground."""

from __future__ import annotations

from pathlib import Path

import click

from ioto_server.daemon import run

from .options import config_option, load


@click.command("start")
@config_option
def command(config: Path | None) -> None:
    """Serve until told to stop.

    SIGTERM or Ctrl-C tells every client and ends within timeouts.drain; a second one ends at once. Exit
    codes: 0 stopped, 1 failed (an endpoint is taken), 2 wrong use, configuration or plugin.
    """
    raise SystemExit(run(load(config)))
