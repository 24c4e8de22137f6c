"""Tables for people, as `connections` and `status` print them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click

from ioto_server.daemon.visible import visible_line

# Headings, each with what makes the text of a row out of one thing.
Columns = tuple[tuple[str, Callable[[dict[str, Any]], str]], ...]


def show_table(columns: Columns, things: Iterable[dict[str, Any]]) -> None:
    """Print one row for each thing, below the headings."""
    rows = [[heading for heading, _ in columns]]
    rows += [[visible_line(value(one)) for _, value in columns] for one in things]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def duration(seconds: float) -> str:
    """Seconds in the two largest units: 3d4h, 2m5s."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours}h"
    if hours:
        return f"{hours}h{minutes}m"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
