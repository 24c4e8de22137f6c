"""What `ioto-server explain` prints: one directive, all of them, or the values in force and their origin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ioto_server.config.directives import Directive, find, show, walk
from ioto_server.config.json5text import write, write_line
from ioto_server.config.load import Loaded
from ioto_server.config.nearest import nearest
from ioto_server.config.problems import ConfigError, Problem
from ioto_server.config.scan import Node
from ioto_server.config.tree import locate
from ioto_server.config.view import parts


def explain(path: str | None = None) -> str:
    """Return the help of a directive, or the list of all of them.

    Raises `ConfigError` for an unknown name.
    """
    if path is None:
        return "\n".join(_summary(directive, 0) for directive in walk())
    directive = find(path)
    if directive is None:
        guess = _meant(path)
        hint = f"did you mean {guess}?" if guess else "`ioto-server explain` lists the directives"
        raise ConfigError([Problem("there is no such directive", hint, path=path)])
    lines = [directive.path, *(f"    {line}" for line in directive.help.splitlines()), ""]
    lines += [f"    {name:9}{text}" for name, text in facts(directive)]
    if directive.children:
        lines += ["", *(_summary(child, 4) for child in directive.children.values())]
    return "\n".join(lines)


def _meant(path: str) -> str | None:
    """Return the directive that has the same name elsewhere, or the nearest one."""
    last = path.rpartition(".")[2]
    paths = {other.key: other.path for other in reversed(list(walk()))}
    same = next((paths[key] for key in paths if key.lower() == last.lower()), None)
    key = nearest(last, paths)
    return same or nearest(path, paths.values()) or (paths[key] if key else None)


def facts(directive: Directive, code: str = "") -> Iterator[tuple[str, str]]:
    """Give what there is to know about a directive besides its help: (name, text) each.

    `code` stands around what is JSON5.
    """
    if directive.required:
        yield "default", "none: it must be written"
        yield "example", f"{code}{directive.key}: {write(directive.example)}{code}"
    elif directive.shape != "object" or directive.words or directive.default is None:
        yield "default", "not set" if directive.default is None else f"{code}{write(directive.default)}{code}"
    yield "allowed", directive.allowed
    yield "since", directive.since
    if directive.shape != "object" or not directive.live:
        yield "changes", "applied by reload" if directive.live else "take a restart"


def _summary(directive: Directive, indent: int) -> str:
    first = directive.help.splitlines()[0]
    return f"{' ' * indent}{directive.path:36} {first}"


@dataclass(frozen=True, slots=True)
class Value:
    """A value in force: the directive, the value as JSON5, and where it comes from."""

    path: str
    text: str
    origin: str


def values(loaded: Loaded) -> list[Value]:
    """Return every value in force with its origin: a place in a file, an override, or 'default'."""
    return list(_values(loaded, show(loaded.config, brief=True), ""))


def _values(loaded: Loaded, shown: dict[str, object], prefix: str) -> Iterator[Value]:
    for key, value in shown.items():
        path = prefix + key
        directive = find(path)
        if directive and directive.shape == "object" and isinstance(value, dict):
            yield from _values(loaded, value, f"{path}.")
        elif directive and directive.shape == "objects" and isinstance(value, list) and value:
            for index, item in enumerate(value):
                yield Value(f"{path}[{index}]", write_line(item), _origin(loaded, f"{path}[{index}]"))
        else:
            yield Value(path, write_line(value), _origin(loaded, path))


def _origin(loaded: Loaded, path: str) -> str:
    wanted = parts(path)
    node, depth = locate(loaded.root, wanted)
    return _place(node) if depth == len(wanted) else "default"


def _place(node: Node) -> str:
    line, _ = node.source.place(node.start)
    return f"{node.source.name}:{line}" if line else node.source.name


def explain_values(loaded: Loaded) -> str:
    """Return the values in force as text, one a line, with where each comes from."""
    rows = values(loaded)
    wide = max(len(row.path) for row in rows)
    return "\n".join(f"{row.path:{wide}}  {row.text}  ({row.origin})" for row in rows)
