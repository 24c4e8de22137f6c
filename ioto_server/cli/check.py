"""`ioto-server check`: whether the configuration and the plugins can be used."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ioto_server.config.check import check
from ioto_server.daemon.outcome import MISUSED, say
from ioto_server.daemon.preflight import plugin_problems, taken
from ioto_server.daemon.visible import visible

from .options import config_option, set_option


@click.command("check")
@config_option
@set_option
@click.option("--strict", is_flag=True, help="Take warnings, such as unknown names, for errors.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
def command(config: Path | None, overrides: list[tuple[str, str]], strict: bool, as_json: bool) -> None:
    """Load the configuration and import the plugins, as a start would; nothing is served.

    Every problem is shown with its file and line. What could not be listened at now is named too, unless the
    server of this file runs. Exit codes: 0 all is well, 2 a start would be refused for what the files say.
    """
    checked = check(config, strict=strict, overrides=overrides)
    plugins = plugin_problems(checked.loaded.config) if checked.loaded else []
    # True of this moment and this machine, not of the file: no reason to fail.
    in_the_way = list(taken(checked.loaded.config, checked.loaded.path)) if checked.loaded else []
    broken = not checked.ok or any(problem.fatal or strict for problem in plugins)
    if as_json:
        report = checked.json
        report["ok"] = not broken
        report["plugins"] = [problem.text for problem in plugins]
        report["taken"] = in_the_way
        click.echo(json.dumps(report))
    else:
        click.echo(visible(checked.text), err=bool(checked.problems))
        for problem in plugins:
            say(problem.text)
        for text in in_the_way:
            say(f"At this moment: {text}")
    if broken:
        raise SystemExit(MISUSED)
