"""`ioto-server`: one file a command, imported only when it is called."""

from __future__ import annotations

import gc
from importlib import import_module

import click

# What each does, in the words of `--help`.
_COMMANDS = {
    "start": "Serve in the foreground until told to stop.",
    "check": "Say what is wrong with the configuration and plugins.",
    "explain": "Tell what a directive means, and which values are in force.",
    "routes": "Show the routes, and the action behind every prefix.",
    "init": "Write a small working project into a folder.",
    "connect": "Talk to a WebSocket server, by hand or from a script.",
    "status": "Show how a running daemon is.",
    "connections": "List the open WebSockets of a running daemon.",
    "close": "Close one of them.",
    "log": "Log more, or less, from now on.",
    "reload": "Take up changed files, configuration and plugins.",
    "upgrade": "Let the version that is installed now take over.",
    "stop": "Stop a running daemon in order.",
}


class _Commands(click.Group):
    """Commands that are imported when they are used: `--help` need not wait for the server's imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        # What is imported stays: to look for garbage in it meanwhile takes a tenth of a start, for nothing.
        gc.disable()
        try:
            command: click.Command = import_module(f"ioto_server.cli.{cmd_name}").command
        finally:
            gc.enable()
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them, as click would."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


def _show_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    import platform
    from importlib.metadata import version

    from ioto_server.server.secure import BY_LOOP
    from ioto_server.websocket import BUILD

    python = f"{platform.python_implementation()} {platform.python_version()}"
    tls = "TLS by OpenSSL directly" if BY_LOOP is None else f"TLS by the event loop: {BY_LOOP}"
    click.echo(
        f"ioto-server {version('ioto-server')} ({BUILD} codec, {tls}, {python}, uvloop {version('uvloop')})"
    )
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
