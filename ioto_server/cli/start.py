"""`ioto-server start`: serve in the foreground."""

from __future__ import annotations

import gc
from functools import partial
from pathlib import Path

import click

from ioto_server.config import load_config
from ioto_server.daemon.outcome import OK, say
from ioto_server.daemon.signals import Interrupted, Signals

from .options import config_option, load, set_option


@click.command("start")
@config_option
@set_option
@click.option(
    "--watch", is_flag=True, help="Reload whenever the configuration or a plugin is saved: for developing."
)
def command(config: Path | None, overrides: list[tuple[str, str]], watch: bool) -> None:
    """Serve until told to stop.

    SIGTERM or Ctrl-C tells every client and ends within timeouts.drain; a second one ends at once. SIGHUP
    reloads, SIGUSR1 opens the log file anew (after it was renamed), SIGUSR2 upgrades.

    With `workers`, this process supervises as many that serve: what is asked of it concerns all of them.

    Exit codes: 0 stopped, 1 failed (an endpoint is taken), 2 wrong use, configuration or plugin.
    """
    # First of all: a SIGHUP that comes while the server is imported must not end it.
    signals = Signals()
    try:
        with signals.break_off():
            loaded = load(config, overrides)
    except Interrupted as by:
        say(f"ioto-server: stopped by {by} before its configuration was read")
        raise SystemExit(OK) from None
    gc.disable()
    try:
        # Most of a start, and without garbage.
        from ioto_server.daemon.run import run
    finally:
        gc.enable()
    raise SystemExit(run(loaded, partial(load_config, loaded.path, overrides=overrides), signals, watch))
