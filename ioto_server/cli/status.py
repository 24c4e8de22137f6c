"""`ioto-server status`: ask a running daemon how it is."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from ioto_server.daemon.ask import AskError, ask
from ioto_server.daemon.visible import visible_line

from .failure import Failed
from .options import config_option, control_option, control_path
from .tables import Columns, duration, show_table

# Heading, and the value of one worker under it; one that is down has no values.
_COLUMNS: Columns = (
    ("WORKER", lambda one: str(one["worker"])),
    ("PID", lambda one: str(one.get("pid", ""))),
    ("STATE", lambda one: _state(one)),
    ("UPTIME", lambda one: duration(one["uptime_seconds"]) if "uptime_seconds" in one else ""),
    ("RESTARTS", lambda one: str(one["restarts"])),
    ("CONNECTIONS", lambda one: str(one.get("connections", ""))),
    ("WEBSOCKETS", lambda one: str(one.get("websockets", ""))),
    ("HELD BYTES", lambda one: str(one.get("held_bytes", ""))),
)


@click.command("status")
@config_option
@control_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@click.option(
    "--watch",
    type=click.FloatRange(min=0.1),
    is_flag=False,
    flag_value=1.0,
    metavar="[SECONDS]",
    help="Show it again and again, every second unless told otherwise, until Ctrl-C.",
)
def command(config: Path | None, control: Path | None, as_json: bool, watch: float | None) -> None:
    """Show where a running daemon listens, and how much is going on.

    With `workers` over 1 the numbers are sums, and a table shows each worker. Exit code 1 where none answers.
    """
    path = control_path(config, control)
    try:
        while True:
            answer = ask(path, "status")
            if watch is not None and not as_json:
                # Empties a terminal; what is no terminal gets one table after the other.
                click.clear()
            _show(answer, as_json)
            if watch is None:
                return
            time.sleep(watch)
    except AskError as error:
        raise Failed(str(error)) from None
    except KeyboardInterrupt:
        return


def _state(one: dict[str, Any]) -> str:
    """What a worker does, and for how long it has been stuck."""
    if "silent_since" in one:
        return f"{one['state']} for {duration(one['figures_age_seconds'])}"
    return str(one["state"])


def _show(answer: dict[str, Any], as_json: bool) -> None:
    del answer["ok"]
    if as_json:
        click.echo(json.dumps(answer))
        return
    workers = answer.pop("workers", [])
    answer["last_reload"] = answer["last_reload"] or "never"
    width = max(map(len, answer))
    for name, value in answer.items():
        if isinstance(value, dict):
            shown = ", ".join(f"{part.replace('_', ' ')} {told}" for part, told in value.items())
        else:
            shown = " ".join(map(str, value)) if isinstance(value, list) else value
        click.echo(visible_line(f"{name.replace('_', ' '):<{width}}  {shown}"))
    if workers:
        click.echo()
        show_table(_COLUMNS, workers)
