"""How one kind of value is read, printed and described: what stands between the model and pydantic.

A `Grammar` is put into the annotation of a field (`Size = Annotated[int, Grammar(...)]`). From this one object come the
validator that pydantic runs, the sentence of allowed values in every message, the text `explain` prints and the JSON
Schema: they cannot disagree.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from ioto_server.config.values import WrongValue


@dataclass(frozen=True, slots=True)
class Place:
    """Where a configuration is read: relative paths start at `base`, `$RUNTIME_DIRECTORY` is looked up in `environ`."""

    base: Path = field(default_factory=Path.cwd)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def absolute(self, text: str) -> Path:
        """Make a path absolute without following links below `base`: a certificate that is a link stays one.

        Leading '..' are taken off here, so that messages show '/srv/actions' and not '/srv/etc/../actions'; `base`
        holds no links, therefore that is the same folder.
        """
        base = self.base
        while text == ".." or text.startswith("../"):
            base, text = base.parent, text[3:]
        return Path(base, text)


class NotAllowed(WrongValue):
    """A `WrongValue` together with the sentence of what its directive allows: this is what pydantic collects."""

    def __init__(self, error: WrongValue, allowed: str) -> None:
        super().__init__(error.why, error.hint)
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class Grammar:
    """One kind of value.

    `parse` turns a JSON5 value into the model's value or raises `WrongValue`; it takes the model's value too, and
    returns it unchanged. `show` is its inverse. `allowed` completes "write ...". `schema` is the JSON Schema.
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

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        def validate(value: object, info: core_schema.ValidationInfo) -> Any:
            return self.read(value, info.context or Place())

        return core_schema.with_info_plain_validator_function(validate)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return dict(self.schema)
