"""One-off changes from outside the files (SPEC 2): `--set path=value`, and `IOTO_SET_<PATH>` variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ioto_server.config.directives import Directive, members
from ioto_server.config.known import meant
from ioto_server.config.model import Config
from ioto_server.config.problems import ConfigError, Problem
from ioto_server.config.scan import Node, scan
from ioto_server.config.source import Source

PREFIX = "IOTO_SET_"


def from_environment(environ: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return (name for messages, directive path, value text) of each variable, sorted by name."""
    return [
        (f"environment {name}", name[len(PREFIX) :].replace("__", "."), environ[name])
        for name in sorted(environ)
        if name[: len(PREFIX)].upper() == PREFIX
    ]


def from_arguments(overrides: Iterable[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Return (name for messages, directive path, value text) of each `--set`."""
    return [(f"--set {path}", path, text) for path, text in overrides]


def override(name: str, path: str, text: str, problems: list[Problem]) -> Node | None:
    """Return a tree that holds the one value, None when something is wrong with it.

    The value is JSON5 where it parses as such, and otherwise a text: `5 mins` needs no quotes on a command
    line.
    """
    source = Source(_printable(name), text, is_file=False)
    if _printable(path + text) != path + text:
        problems.append(source.problem("is not UTF-8", "write it in UTF-8", path=_printable(path)))
        return None
    try:
        keys = _keys(source, path)
        node = _value(source)
    except ConfigError as error:
        problems += error.problems
        return None
    for key in reversed(keys):
        node = Node(source, 0, len(text), {key: node}, 0)
    return node


def _printable(text: str) -> str:
    """Put a mark in place of bytes that are no text: arguments and variables may hold any (PEP 383)."""
    return text.encode("utf-8", "replace").decode()


def _value(source: Source) -> Node:
    try:
        return scan(source).root
    except ConfigError:
        # Somebody who opens a bracket or a quote means JSON5, and wants to know what is wrong with it.
        if source.text.lstrip()[:1] in ("{", "[", "'", '"') and source.text.strip():
            raise
        return Node(source, 0, len(source.text), source.text, 0)


def _keys(source: Source, path: str) -> list[str]:
    """Find the directive in any case; return the keys that lead to it."""
    parts = path.split(".")
    if parts[0].lower() == "web" and len(parts) > 1:
        parts = parts[1:]
    directives = members(Config)
    keys: list[str] = []
    found: Directive | None = None
    for index, part in enumerate(parts):
        if found and found.shape == "table":
            return [*keys, ".".join(parts[index:])]
        if found and found.shape != "object":
            what = "a list" if found.shape in ("list", "objects") else "a single value"
            hint = f"set the whole of {found.path}"
            raise ConfigError([source.problem(f"{found.path} is {what}", hint, path=path)])
        found = next((child for key, child in directives.items() if key.lower() == part.lower()), None)
        if found is None:
            raise ConfigError(
                [source.problem("there is no such directive", meant(part, directives), path=path)]
            )
        keys.append(found.key)
        directives = found.children
    return keys
