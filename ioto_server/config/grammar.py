"""How one kind of value is read, printed and described.

A `Grammar` is put into the annotation of a field (`Size = Annotated[int, Grammar(...)]`). From this one
object come the reader of the value, the sentence of allowed values in every message, the text `explain`
prints and the JSON Schema: they cannot disagree.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ioto_server.config.values import WrongValue


@dataclass(frozen=True, slots=True)
class Place:
    """Where a configuration is read: where relative paths start, and where variables are looked up."""

    base: Path = field(default_factory=Path.cwd)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def absolute(self, text: str) -> Path:
        """Make a path absolute without following links below `base`: a certificate that is a link stays one.

        Leading '..' are taken off here, so that messages show '/srv/actions' and not '/srv/etc/../actions';
        `base` holds no links, therefore that is the same folder.
        """
        base = self.base
        while text == ".." or text.startswith("../"):
            base, text = base.parent, text[3:]
        return Path(base, text)


class NotAllowed(WrongValue):
    """A `WrongValue` with the sentence of what its directive allows."""

    def __init__(self, error: WrongValue, allowed: str) -> None:
        super().__init__(error.why, error.hint)
        self.allowed = allowed


class Grammar(NamedTuple):
    """One kind of value.

    `parse` turns a JSON5 value into the model's value or raises `WrongValue`; it takes the model's value too,
    and returns it unchanged. `show` is its inverse. `allowed` completes "write ...". `schema` is the JSON
    Schema.
    """

    allowed: str
    parse: Callable[[Any, Place], Any]
    schema: Mapping[str, Any]
    show: Callable[[Any], Any] = str

    def read(self, value: object, place: Place) -> Any:
        """Parse, and say in the error what is allowed."""
        try:
            return self.parse(value, place)
        except WrongValue as error:
            raise NotAllowed(error, self.allowed) from None


class Many(NamedTuple):
    """A list, for which one item may stand alone.

    A list of `objects` takes its brackets always: a single object would read like a table. `null` is allowed
    where it has a meaning of its own. `empty` is the hint where an empty list is refused.
    """

    null: bool = False
    objects: bool = False
    empty: str = ""

    def expand(self, value: object) -> object:
        """Return a tuple, or None."""
        if value is None and self.null:
            return None
        if isinstance(value, list | tuple):
            if not value and self.empty:
                raise WrongValue("is an empty list", self.empty)
            return tuple(value)
        if self.objects:
            hint = "write it in brackets: [{ ... }]" if isinstance(value, dict) else "write [{ ... }]"
            raise WrongValue("is not a list of objects", hint)
        if isinstance(value, dict):
            raise WrongValue("is an object")
        return (value,)


class Words:
    """Values that may stand for an object: `false` for none, `true` for the object with its defaults."""

    def __init__(self, *meanings: tuple[bool | None, dict[str, Any] | None]) -> None:
        self.meanings = meanings

    @property
    def names(self) -> list[str]:
        """The words as JSON5."""
        return [{True: "true", False: "false", None: "null"}[word] for word, _ in self.meanings]

    def expand(self, value: object) -> object:
        """Return what the value stands for, or the value itself."""
        for word, meaning in self.meanings:
            if value is word:
                return meaning
        return value
