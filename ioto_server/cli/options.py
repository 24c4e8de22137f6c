"""What several commands share: finding and loading the configuration, and saying what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import click

from ioto_server.config import ConfigError, Loaded, find_config, load_config
from ioto_server.daemon import MISUSED

config_option = click.option(
    "--config",
    "-c",
    "config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file; else ./web.json5, ./etc/web.json5 or /etc/ioto-server/web.json5.",
)


def load(config: Path | None) -> Loaded:
    """Load the configuration; where it cannot be used, print every problem and exit with 2."""
    try:
        return load_config(find_config(config))
    except ConfigError as error:
        click.echo(str(error), err=True)
        raise SystemExit(MISUSED) from None
