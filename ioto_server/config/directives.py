"""The model taken apart into directives: what `explain`, the reference, the schema and the messages go by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from ioto_server.config.fields import Field, Section, Shape
from ioto_server.config.grammar import Grammar, Many, Words
from ioto_server.config.model import Config


class Directive(NamedTuple):
    """One directive.

    `path` is its full name: 'limits.maxFrame', 'routes[].match'. `shape`: a value, a list of values, a table
    (names and values of the user's own), an object of directives, or a list of such objects; `optional` = it
    may be absent. `grammar` reads the value, the items or the table's values, `names` the table's names.
    `default` is written as in a file.
    """

    path: str
    attribute: str
    help: str
    since: str
    live: bool
    required: bool
    default: Any
    shape: Shape
    grammar: Grammar | None = None
    names: Grammar | None = None
    many: Many | None = None
    words: Words | None = None
    model: type[Section] | None = None
    optional: bool = False
    example: Any = None

    @property
    def key(self) -> str:
        """The name in its object."""
        return self.path.rpartition(".")[2]

    @property
    def children(self) -> dict[str, Directive]:
        """The directives of an object, or of each object of a list, by key."""
        if self.model is None:
            return {}
        return members(self.model, f"{self.path}[]." if self.shape == "objects" else f"{self.path}.")

    @property
    def allowed(self) -> str:
        """What may be written, to complete "write ..."."""
        if self.model:
            inside = f"{{ {next(iter(self.children))}: ... }}"
            words = [f"{self.key}: {word} or " for word in self.words.names] if self.words else []
            return f"{''.join(words)}{self.key}: {inside if self.shape == 'object' else f'[{inside}]'}"
        text = self.grammar.allowed if self.grammar else ""
        if self.shape == "table":
            return f"an object of names and values, each {text}"
        if self.shape == "list":
            return f"{text}; or a list of them" + ("; or null" if self.many and self.many.null else "")
        return text


def members(model: type[Section], prefix: str = "") -> dict[str, Directive]:
    """Return the directives of an object of the file, by key, in the order of the model."""
    return _members(model.fields, prefix)


@cache
def _members(fields: tuple[Field, ...], prefix: str) -> dict[str, Directive]:
    return {field.key: _directive(prefix + field.key, field) for field in fields}


def walk(model: type[Section] = Config, prefix: str = "") -> Iterator[Directive]:
    """Give every directive, each object before its members."""
    for directive in members(model, prefix).values():
        yield directive
        yield from _below(directive)


def _below(directive: Directive) -> Iterator[Directive]:
    for child in directive.children.values():
        yield child
        yield from _below(child)


def find(path: str) -> Directive | None:
    """Return the directive of a name in any case; list indexes and a leading `web.` do not matter."""
    return _by_name().get(re.sub(r"\[[^\]]*\]", "", path.lower()).removeprefix("web."))


@cache
def _by_name() -> dict[str, Directive]:
    return {directive.path.lower().replace("[]", ""): directive for directive in walk()}


def _directive(path: str, field: Field) -> Directive:
    return Directive(
        path=path,
        attribute=field.attribute,
        help=field.help,
        since=field.since,
        live=field.live,
        required=field.required,
        default=field.default,
        shape=field.shape,
        grammar=field.grammar,
        names=field.names,
        many=field.many,
        words=field.words,
        model=field.model,
        optional=field.model is not None and not field.required and field.default is None,
        example=field.example,
    )


def show(config: Section, *, brief: bool = False) -> dict[str, Any]:
    """Return an object of the model as the plain JSON5 value that loads as the same object.

    `brief`: the objects of lists (routes) without the directives that have their default.
    """
    return {
        key: _shown(directive, getattr(config, directive.attribute), brief)
        for key, directive in members(type(config)).items()
    }


def _shown(directive: Directive, value: Any, brief: bool) -> Any:
    if directive.shape == "object":
        return (False if directive.words else None) if value is None else show(value, brief=brief)
    if value is None:
        return None
    if directive.shape == "objects":
        return [_without_defaults(item) if brief else show(item) for item in value]
    grammar = directive.grammar
    if grammar is None:
        raise TypeError(f"{directive.path} has no grammar")
    if directive.shape == "list":
        return [grammar.show(item) for item in value]
    if directive.shape == "table":
        return {name: grammar.show(item) for name, item in value.items()}
    return grammar.show(value)


def _without_defaults(item: Section) -> dict[str, Any]:
    plain = show(item)
    defaults = {} if any(field.required for field in item.fields) else show(type(item)())
    return {key: value for key, value in plain.items() if key not in defaults or value != defaults[key]}
