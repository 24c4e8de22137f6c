"""Find web.json5, read it, and turn it into a `Config`, or say everything that is wrong with it at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import json5
from pydantic import BaseModel, ValidationError

from ioto_server.config.grammar import NotAllowed, Place
from ioto_server.config.model import Config
from ioto_server.config.nearest import nearest
from ioto_server.config.problems import ConfigError, Problem

PLACES = ("web.json5", "etc/web.json5", "/etc/ioto-server/web.json5")
# The json5 package reads about 40 KB a second and recurses (SPEC 2).
LARGEST = 128 * 1024
DEEPEST = 32
_BRACKETS = re.compile(
    r"//[^\r\n\u2028\u2029]*|/\*.*?(?:\*/|\Z)|'(?:\\.|[^'\\])*'?|\"(?:\\.|[^\"\\])*\"?|[\[\]{}]", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used, and what is doubtful about it."""

    config: Config
    path: Path
    warnings: list[Problem] = field(default_factory=list)


def find_config(explicit: Path | None) -> Path:
    """Return the file to load: the one named, or the first that exists of the usual places. Raises `ConfigError`."""
    if explicit is not None:
        return explicit
    for place in PLACES:
        if os.path.exists(place):
            return Path(place)
    looked = ", ".join(place if place.startswith("/") else f"./{place}" for place in PLACES)
    raise ConfigError(
        [
            Problem(
                f"no configuration found; looked for {looked}",
                "`ioto-server init DIR` writes a small working project, `--config FILE` names a file elsewhere",
            )
        ]
    )


def load_config(
    path: Path, *, overrides: Sequence[tuple[str, str]] = (), environ: Mapping[str, str] | None = None
) -> Loaded:
    """Load and check a configuration.

    `overrides` are (directive path, value text) of `--set`. Raises `ConfigError` with every problem found.
    """
    name = str(path)
    tree = _root(_parse(_read(path), name), name)
    warnings: list[Problem] = []
    for directive, text in overrides:
        _set(tree, directive, text)
    tree = _known(tree, Config, "", name, warnings)
    place = Place(Path(os.path.realpath(path.parent)), os.environ if environ is None else environ)
    try:
        config = Config.model_validate(tree, context=place)
    except ValidationError as error:
        problems = [_problem(details, name) for details in error.errors(include_url=False)]
        raise ConfigError(problems, warnings) from None
    return Loaded(config, path, warnings)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError([Problem(f"cannot be read: {reason}", file=str(path))]) from None
    if len(data) > LARGEST:
        raise ConfigError([Problem("is larger than 128 KB", "move parts into web.d/*.json5", file=str(path))])
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ConfigError([Problem("is not UTF-8", file=str(path))]) from None


def _parse(text: str, name: str) -> object:
    depth = 0
    for match in _BRACKETS.finditer(text):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(match[0], 0)
        if depth > DEEPEST:
            raise ConfigError([Problem(f"is nested deeper than {DEEPEST} levels", file=name)])
    try:
        return json5.loads(text)
    except ValueError as error:
        raise ConfigError([Problem(f"syntax error: {error}", file=name)]) from None


def _root(tree: object, name: str) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise ConfigError([Problem("is not an object", "write the directives inside { }", file=name)])
    tree = {key: value for key, value in tree.items() if not key.startswith("_") and key != "$schema"}
    if "web" not in tree:
        return tree
    web = tree.pop("web")
    both = [key for key in tree if key not in ("log", "tls")]
    if both or not isinstance(web, dict):
        raise ConfigError(
            [Problem("has settings at the root and under web", f"move {both} into web", file=name)]
        )
    return {**web, **tree}


def _set(tree: dict[str, Any], directive: str, text: str) -> None:
    *parents, last = directive.split(".")
    for key in parents:
        tree = tree.setdefault(key, {})
    try:
        tree[last] = json5.loads(text)
    except ValueError:
        tree[last] = text


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    for name, info in model.model_fields.items():
        yield info.alias or name, info


def _known(
    tree: dict[str, Any], model: type[BaseModel], path: str, name: str, warnings: list[Problem]
) -> dict[str, Any]:
    known = {alias: info for alias, info in _fields(model)}
    kept: dict[str, Any] = {}
    for key, value in tree.items():
        if key.startswith("_"):
            continue
        if key not in known:
            guess = nearest(key, known)
            hint = f"did you mean '{guess}'?" if guess else ""
            warnings.append(
                Problem(
                    "is not known and has no effect", hint, file=name, path=path + key, severity="warning"
                )
            )
            continue
        inner = known[key].annotation
        if isinstance(value, dict) and isinstance(inner, type) and issubclass(inner, BaseModel):
            value = _known(value, inner, f"{path}{key}.", name, warnings)
        kept[key] = value
    return kept


def _problem(details: Any, name: str) -> Problem:
    path = ".".join(str(part) for part in details["loc"])
    found = repr(details["input"])
    error = details.get("ctx", {}).get("error")
    if isinstance(error, NotAllowed):
        return Problem(
            f"{found} {error.why}", error.hint or f"write {error.allowed}", name, path=path, found=found
        )
    return Problem(f"{found}: {details['msg']}", "", name, path=path, found=found)
