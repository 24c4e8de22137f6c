"""`ioto-server routes`: what is bound where."""

from __future__ import annotations

from pathlib import Path

import click

from ioto_server.config import Config
from ioto_server.daemon.outcome import MISUSED, report_plugin, say
from ioto_server.plugins import PluginError, Plugins

from .options import config_option, load


@click.command("routes")
@config_option
def command(config: Path | None) -> None:
    """Show the routes in the order in which they are tried, and the action behind every prefix.

    Plugins are imported, their io_start is not called: what that would bind by hand is not shown.
    """
    loaded = load(config)
    for warning in loaded.warnings:
        say(str(warning))
    try:
        plugins = Plugins.load(loaded.config.actions)
    except PluginError as error:
        report_plugin(error)
        raise SystemExit(MISUSED) from None
    for line in _routes(loaded.config):
        click.echo(line)
    click.echo()
    for line in _actions(plugins):
        click.echo(line)


def _routes(config: Config) -> list[str]:
    if config.routes is None:
        return ["No routes: registered prefixes go to their actions, everything else to files."]
    rows = [("MATCH", "METHODS", "GOES TO")]
    for route in config.routes:
        if route.redirect:
            target = f"redirect to {route.redirect}"
        elif route.handler == "action":
            target = "action"
        else:
            target = f"files in {route.documents or config.documents}"
        rows.append((route.match or "(everything)", " ".join(route.methods), target))
    return _table(rows)


def _actions(plugins: Plugins) -> list[str]:
    rows = [("PREFIX", "ACTION", "FILE")]
    rows += [(one.prefix, getattr(one.function, "__name__", "?"), one.where) for one in plugins.actions()]
    return _table(rows) if len(rows) > 1 else ["No actions: drop a Python file into the actions folder."]


def _table(rows: list[tuple[str, str, str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return [f"{first:<{widths[0]}}  {second:<{widths[1]}}  {third}" for first, second, third in rows]
