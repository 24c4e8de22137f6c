"""How a directive is declared: what every object of the model, and every field of it, has."""

from __future__ import annotations

import os
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

_PLUGINS = "PYDANTIC_DISABLE_PLUGINS"


class Section(BaseModel):
    """What all objects of the file have in common."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        validate_default=True,
        defer_build=True,
    )


def directive(
    default: Any,
    help_: str,
    *,
    alias: str | None = None,
    since: str = "0.1.0",
    live: bool = True,
    example: str | None = None,
) -> Any:
    """Declare a directive.

    `default` is written as in a file (`...` = required, and then `example` is one). `help_` is two lines.
    `live` says whether a reload applies a change to the running server; otherwise it takes a restart.
    """
    return Field(
        default,
        alias=alias,
        description=help_,
        json_schema_extra={"since": since, "live": live, "example": example},
    )


def section(help_: str, *, since: str = "0.1.0") -> Any:
    """Declare an object of directives that is there even when the file does not mention it."""
    return Field({}, description=help_, json_schema_extra={"since": since, "live": True, "example": None})


def complete(model: type[Section]) -> None:
    """Build what validates a model, if that was not done yet, without pydantic's plugins.

    Looking for them reads the metadata of every package that is installed, which takes as long as the rest of
    the building; and what happens to be installed has no business with a configuration. The variable is
    pydantic's only switch, and is not left to the plugins of ours, who may use pydantic as they like.
    """
    if model.__pydantic_complete__:
        return
    before = os.environ.get(_PLUGINS)
    os.environ[_PLUGINS] = "__all__"
    try:
        model.model_rebuild()
    finally:
        del os.environ[_PLUGINS]
        if before is not None:
            os.environ[_PLUGINS] = before
