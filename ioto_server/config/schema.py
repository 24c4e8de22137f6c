"""The JSON Schema of web.json5, for editors that check and complete while typing (JSON Schema 2020-12)."""

from __future__ import annotations

from typing import Any

from ioto_server.config.directives import Directive, members
from ioto_server.config.model import Config
from ioto_server.config.tree import BESIDE


def schema() -> dict[str, Any]:
    """Return the schema: the directives at the root, or under `web` with `log` and `tls` beside it."""
    flat = _properties(members(Config))
    under = {key: value for key, value in flat.items() if key not in BESIDE}
    web = {
        "description": "All directives but log and tls may stand here instead of at the root.",
        **_object(under),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "web.json5 of ioto-server",
        **_object({"$schema": {"type": "string"}, "web": web, **flat}),
        "dependentSchemas": {"web": {"properties": dict.fromkeys(under, False)}},
    }


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        # Blocks that are commented out (SPEC 2).
        "patternProperties": {"^_": True},
        "additionalProperties": False,
    }
    return {**shape, "required": required} if required else shape


def _properties(directives: dict[str, Directive]) -> dict[str, Any]:
    return {key: _property(directive) for key, directive in directives.items()}


def _property(directive: Directive) -> dict[str, Any]:
    described: dict[str, Any] = {"description": directive.help.replace("\n", " ")}
    if not directive.required and directive.default is not None and directive.shape != "object":
        described["default"] = (
            list(directive.default) if isinstance(directive.default, tuple) else directive.default
        )
    return {**described, **_shape(directive)}


def _shape(directive: Directive) -> dict[str, Any]:
    if directive.shape in ("object", "objects"):
        children = directive.children
        required = [key for key, child in children.items() if child.required]
        inside = _object(_properties(children), required)
        if directive.shape == "objects":
            return _or_null({"type": "array", "items": inside}, directive)
        if directive.words:
            words = [word for word, _ in directive.words.meanings]
            return {"anyOf": [{"enum": words}, inside]}
        return inside if not directive.optional else {"anyOf": [inside, {"type": "null"}]}
    item = dict(directive.grammar.schema) if directive.grammar else {}
    if directive.shape == "table":
        return {"type": "object", "additionalProperties": item}
    if directive.shape == "list":
        least = {"minItems": 1} if directive.many and directive.many.empty else {}
        return _or_null({"anyOf": [item, {"type": "array", "items": item, **least}]}, directive)
    return item


def _or_null(shape: dict[str, Any], directive: Directive) -> dict[str, Any]:
    return {"anyOf": [shape, {"type": "null"}]} if directive.many and directive.many.null else shape
