"""What several commands share: finding and loading the configuration, and saying what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from ioto_server.config import ConfigError, Loaded, find_config, load_config
from ioto_server.daemon.outcome import MISUSED, say

config_option = click.option(
    "--config",
    "-c",
    "config",
    type=click.Path(path_type=Path),
    help="Configuration file; else ./web.json5, ./etc/web.json5 or /etc/ioto-server/web.json5.",
)

control_option = click.option(
    "--control",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Control socket of the daemon, instead of the one that its configuration names.",
)


def _split(
    _ctx: click.Context, _parameter: click.Parameter, settings: tuple[str, ...]
) -> list[tuple[str, str]]:
    pairs = [setting.partition("=") for setting in settings]
    wrong = [path for path, equals, _ in pairs if not equals or not path]
    if wrong:
        raise click.BadParameter(f"write it as PATH=VALUE, such as limits.maxFrame=1MB, not {wrong[0]!r}")
    return [(path, value) for path, _, value in pairs]


set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="PATH=VALUE",
    callback=_split,
    help="Set a directive for this run, such as --set limits.maxFrame=1MB; may be repeated.",
)


def load(config: Path | None, overrides: Sequence[tuple[str, str]] = ()) -> Loaded:
    """Load the configuration; where it cannot be used, print every problem and exit with 2."""
    try:
        return load_config(find_config(config), overrides=overrides)
    except ConfigError as error:
        say(str(error))
        raise SystemExit(MISUSED) from None


def control_path(config: Path | None, control: Path | None) -> Path:
    """Where the daemon of this configuration answers.

    An operator must be able to stop a daemon whose configuration was broken after it had started: then the
    default place is used, and said. A name that was mistyped must not stop another daemon: exits with 2.
    """
    if control is not None:
        return control
    if config is not None and not os.path.lexists(config):
        say(f"{config}: there is no such file; --control PATH names the socket of a daemon without one")
        raise SystemExit(MISUSED)
    found: Path | None = None
    try:
        found = find_config(config)
        return load_config(found).config.control
    except ConfigError as error:
        default = default_control(found or config)
        # The daemon that is to reload it will say the same: its problems are told once.
        why = error if found is None else f"{found} has problems, which `ioto-server check` shows."
        say(f"{why}\nAsking at {default}, the default of `control`; --control PATH names another.")
        return default


def default_control(config: Path | None) -> Path:
    """The default of `control` for a configuration file, as SPEC 2 gives it."""
    runtime = os.environ.get("RUNTIME_DIRECTORY")
    folder = (
        Path(runtime.partition(":")[0])
        if runtime
        else (config or Path("web.json5")).absolute().parent / "run"
    )
    return folder / "control.sock"
