"""`ioto-server` itself: its list of commands, and that nothing is imported for it that it does not use."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import click
import pytest

import ioto_server
from ioto_server.cli import main


def commands() -> list[str]:
    return main.list_commands(click.Context(main))


def test_every_command_is_listed_with_what_it_does() -> None:
    listed = click.Context(main).command.get_help(click.Context(main)).partition("Commands:\n")[2]
    rows = dict(line.strip().split("  ", 1) for line in listed.splitlines())
    assert list(rows) == commands()
    # A sentence that fits into its line.
    assert all(text.strip().endswith(".") for text in rows.values())


@pytest.mark.parametrize("name", commands())
def test_every_command_has_its_module(name: str) -> None:
    command = import_module(f"ioto_server.cli.{name}").command
    assert command.name == name
    assert command.help
    assert main.get_command(click.Context(main), name) is command


def test_an_unknown_command_is_wrong_use() -> None:
    run = subprocess.run(
        [sys.executable, "-c", "from ioto_server.cli import main; main()", "begin"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert "No such command 'begin'" in run.stderr


def test_help_does_not_wait_for_the_server() -> None:
    program = (
        "import sys\nfrom ioto_server.cli import main\nmain(['--help'], standalone_mode=False)\n"
        "heavy = {'asyncio', 'structlog', 'uvloop'} & set(sys.modules)\nassert not heavy, heavy"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "reload" in run.stdout


def test_the_public_names_are_there_when_they_are_asked_for() -> None:
    program = (
        "import ioto_server, sys\nassert 'ioto_server.session' not in sys.modules\n"
        "from ioto_server import *\nprint(action.__module__, Web.__name__, Event.MESSAGE.name)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "ioto_server.plugins.decorator Web MESSAGE\n"), run.stderr
    for name in ioto_server.__all__:
        assert getattr(ioto_server, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'Websocket'"):
        ioto_server.Websocket  # noqa: B018
