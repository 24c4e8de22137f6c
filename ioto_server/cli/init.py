"""`ioto-server init`: a small project that works."""

from __future__ import annotations

import shlex
from importlib.resources import files
from pathlib import Path
from typing import Final

import click

from ioto_server.daemon.outcome import FAILED, MISUSED

# What is written where. Python files have a second suffix here: they are no modules of this package.
_FILES: Final = {
    "web.json5": "web.json5",
    "actions/hello.py": "hello.py.txt",
    "tests/test_hello.py": "test_hello.py.txt",
    ".gitignore": "gitignore.txt",
}


@click.command("init")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
def command(folder: Path) -> None:
    """Write a small working project into DIR: a configuration, one action, and its test.

    Nothing that exists is overwritten. Exit codes: 0 written, 1 a file could not be written, 2 one of them is
    there already.
    """
    there = [name for name in _FILES if (folder / name).exists() or (folder / name).is_symlink()]
    if there:
        click.echo(
            f"ioto-server: {folder} has {', '.join(there)} already, and nothing is overwritten: "
            "name another folder, or move them away",
            err=True,
        )
        raise SystemExit(MISUSED)
    try:
        for name, template in _FILES.items():
            _write(folder / name, template)
    except OSError as error:
        click.echo(
            f"ioto-server: cannot write {error.filename}: {error.strerror}; choose a folder that you may "
            "write to",
            err=True,
        )
        raise SystemExit(FAILED) from None
    click.echo(_next_steps(folder))


def _write(file: Path, template: str) -> None:
    text = files(__package__).joinpath("project", template).read_text(encoding="utf-8")
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("x", encoding="utf-8") as stream:
        stream.write(text)


def _next_steps(folder: Path) -> str:
    lines = [f"Written into {folder}: {', '.join(_FILES)}", ""]
    if folder.resolve() == Path.cwd():
        lines += ["Next:"]
    else:
        lines += [f"Next, after `cd {shlex.quote(str(folder))}`:"]
    lines += [
        "  pytest                                             test the action",
        "  ioto-server start --watch                          serve it; what you save is live at once",
        "  ioto-server connect ws://localhost:4100/ws/hello   talk to it, from another terminal",
    ]
    return "\n".join(lines)
