"""`ioto-server`: one file a command, imported only when it is called."""

from __future__ import annotations

from importlib import import_module

import click

_COMMANDS = (
    "start",
    "check",
    "explain",
    "routes",
    "init",
    "connect",
    "status",
    "connections",
    "close",
    "log",
    "reload",
    "upgrade",
    "stop",
)


class _Commands(click.Group):
    """Commands that are imported when they are used: `--version` need not wait for the server's imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"ioto_server.cli.{cmd_name}").command
        return command


def _show_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    import platform
    from importlib.metadata import version

    from ioto_server.websocket import BUILD

    python = f"{platform.python_implementation()} {platform.python_version()}"
    click.echo(f"ioto-server {version('ioto-server')} ({BUILD} codec, {python}, uvloop {version('uvloop')})")
    ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and the build.",
)
def main() -> None:
    """A strict, fast WebSocket daemon: one web.json5, one Python file per action."""
