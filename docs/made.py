"""Pages that are made from the program: the configuration's reference, and the commands' help."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

import ioto_server
from ioto_server.cli import main
from ioto_server.config.reference import reference

#: Where in a page the made part goes.
HERE = "<!-- made -->"


def configuration_page(source: str) -> str:
    """The page with every directive, from the model."""
    body = reference().partition("\n")[2]
    # The reference has an anchor in each heading, for plain Markdown; here the anchor is a target of its own.
    body = re.sub(r'^(#+) <a id="([^"]+)"></a>(.*)$', r"(\2)=\n\1 \3", body, flags=re.MULTILINE)
    return source.replace(HERE, body)


def commands_page(source: str) -> str:
    """The page with every command's help, from the command line itself."""
    return source.replace(HERE, "\n".join(_commands()))


def api_page(source: str) -> str:
    """The reference, with all of a class on one screen before its details."""
    return re.sub(r"<!-- in short: (\w+) -->", lambda found: "\n".join(_in_short(source, found[1])), source)


def _in_short(source: str, name: str) -> Iterator[str]:
    members = re.search(rf"autoclass:: ioto_server\.{name}\(\)\n +:members: ([\w,\s]+)\n", source)
    assert members is not None, name
    yield from ("| in short | |", "|---|---|")
    for member in re.split(r",\s*", members[1].strip()):
        found = inspect.getattr_static(getattr(ioto_server, name), member)
        text = (inspect.getdoc(found) or "").replace("\n", " ")
        sentence = re.split(r"(?<=[.;:]) ", text, maxsplit=1)[0].rstrip(".;:")
        arguments = "()" if callable(found) else ""
        yield f"| `{member}{arguments}` | {sentence} |"


def _commands() -> Iterator[str]:
    with click.Context(main, info_name="ioto-server") as context:
        for name in main.list_commands(context):
            command = main.get_command(context, name)
            assert command is not None
            with click.Context(command, parent=context, info_name=name) as inner:
                yield from (f"## {name}", "", "```text", command.get_help(inner), "```", "")
