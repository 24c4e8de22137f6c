"""`ioto-server explain`: what a directive means, and which values are in force."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ioto_server.config import ConfigError
from ioto_server.config.explain import explain, explain_values
from ioto_server.config.reference import reference
from ioto_server.config.schema import schema
from ioto_server.daemon.outcome import MISUSED, say

from .options import config_option, load, set_option


@click.command("explain")
@click.argument("directive", required=False)
@config_option
@set_option
@click.option("--values", is_flag=True, help="Show the values in force and where each comes from.")
@click.option("--schema", "as_schema", is_flag=True, help="Print the JSON Schema, for editors.")
@click.option("--reference", "as_reference", is_flag=True, help="Print the whole reference as Markdown.")
def command(
    directive: str | None,
    config: Path | None,
    overrides: list[tuple[str, str]],
    values: bool,
    as_schema: bool,
    as_reference: bool,
) -> None:
    """Explain a DIRECTIVE such as limits.maxFrame: its meaning, default and what may be written.

    Without one, all directives are listed. Exit code 2 for a name that does not exist.
    """
    if as_schema:
        click.echo(json.dumps(schema(), indent=2))
    elif as_reference:
        click.echo(reference())
    elif values:
        click.echo(explain_values(load(config, overrides)))
    else:
        try:
            click.echo(explain(directive))
        except ConfigError as error:
            say(str(error))
            raise SystemExit(MISUSED) from None
