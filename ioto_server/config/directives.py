"""The model taken apart into directives: what `explain`, the reference, the schema and the messages go by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ioto_server.config.fields import Section
from ioto_server.config.grammar import Grammar, Many, Words
from ioto_server.config.model import Config

Shape = Literal["value", "list", "table", "object", "objects"]


@dataclass(frozen=True, slots=True)
class Directive:
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


@cache
def members(model: type[Section], prefix: str = "") -> dict[str, Directive]:
    """Return the directives of an object of the file, by key, in the order of the model."""
    return {
        key: _directive(prefix + key, attribute, info)
        for attribute, info in model.model_fields.items()
        for key in (info.alias or attribute,)
    }


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


def _directive(path: str, attribute: str, info: FieldInfo) -> Directive:
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    many = next((item for item in info.metadata if isinstance(item, Many)), None)
    words = next((item for item in info.metadata if isinstance(item, Words)), None)
    grammar = next((item for item in info.metadata if isinstance(item, Grammar)), None)
    names: Grammar | None = None
    model: type[Section] | None = None
    shape: Shape = "value"
    if grammar is None:
        shape, grammar, names, model = _inside(info.annotation)
    required = info.default is PydanticUndefined
    return Directive(
        path=path,
        attribute=attribute,
        help=info.description or "",
        since=str(extra["since"]),
        live=bool(extra["live"]),
        required=required,
        default=None if required else info.default,
        shape=shape,
        grammar=grammar,
        names=names,
        many=many,
        words=words,
        model=model,
        optional=shape in ("object", "objects") and not required and info.default is None,
        example=extra["example"],
    )


def _inside(annotation: Any) -> tuple[Shape, Grammar | None, Grammar | None, type[Section] | None]:
    """Look into a type without a grammar of its own: shape, grammar, grammar of the names, model."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return "object", None, None, annotation
    arguments = get_args(annotation)
    if get_origin(annotation) is tuple:
        shape, grammar, _, model = _inside(arguments[0])
        return ("objects", None, None, model) if shape == "object" else ("list", grammar, None, None)
    if get_origin(annotation) is dict:
        return "table", _inside(arguments[1])[1], _inside(arguments[0])[1], None
    if get_origin(annotation) is Annotated:
        return "value", next(item for item in arguments if isinstance(item, Grammar)), None, None
    # What is left is "X | None".
    return _inside(next(argument for argument in arguments if argument is not type(None)))


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
    plain, fields = show(item), type(item).model_fields.values()
    defaults = {} if any(field.is_required() for field in fields) else show(type(item)())
    return {key: value for key, value in plain.items() if key not in defaults or value != defaults[key]}
