"""The text of etc/web.json5: every directive with its help, commented out at its default.

The settings that are in force in the shipped file are here; everything else comes from the model. A test
compares the committed file with this text.
"""

from __future__ import annotations

from collections.abc import Iterator

from ioto_server.config.directives import Directive, members
from ioto_server.config.json5text import write
from ioto_server.config.model import Config

_HEAD = """\
// The configuration of ioto-server, and its manual: every directive, its help and its default.
//
// Take the // away in front of a directive to set it. `ioto-server check` says whether the file is right,
// `ioto-server explain DIRECTIVE` tells more, `ioto-server reload` puts changes in force.
"""
_INDENT = "    "

# What the shipped file sets, by directive.
ACTIVE = {
    "actions": "actions: '../actions',",
    "routes": """\
routes: [
    // Files that clients send have a folder of their own, apart from the site.
    { match: '/upload/', methods: ['DELETE', 'GET', 'PUT'], trim: '/upload', documents: 'run/upload' },
    { match: '/ws/', methods: ['GET'], handler: 'action' },
    { match: '/test/', handler: 'action' },
    { /* Catch all: the site. */ },
],""",
}


def shipped() -> str:
    """Return the whole file."""
    body = "\n\n".join("\n".join(_lines(directive)) for directive in members(Config).values())
    return f"{_HEAD}{{\n{_indented(body)}\n}}\n"


def _indented(text: str) -> str:
    return "\n".join(_INDENT + line if line else "" for line in text.split("\n"))


def _lines(directive: Directive, *, active: bool = False) -> Iterator[str]:
    """Give the lines of one directive, without indentation.

    `active`: inside an object that is commented out as a whole the directives in it are not once more.
    """
    yield from (f"// {line}" for line in directive.help.splitlines())
    block = directive.shape in ("object", "objects")
    if block and not directive.words and not directive.optional and directive.shape == "object":
        yield from _block(directive, active=active)
        return
    if directive.required:
        yield f"{directive.key}: {write(directive.example)},"
        return
    if directive.path not in ACTIVE and not (block and directive.optional):
        yield f"{'' if active else '// '}{directive.key}: {write(directive.default)},"
    if block:
        yield from (f"// {line}".rstrip() for line in _block(directive, active=True))
    if directive.path in ACTIVE:
        yield from ACTIVE[directive.path].split("\n")


def _block(directive: Directive, *, active: bool) -> Iterator[str]:
    """Give an object with all its directives, or a list with one such object."""
    opening, closing = ("[{", "}],") if directive.shape == "objects" else ("{", "},")
    yield f"{directive.key}: {opening}"
    for number, child in enumerate(directive.children.values()):
        if number:
            yield ""
        for line in _lines(child, active=active):
            yield _INDENT + line if line else ""
    yield closing
