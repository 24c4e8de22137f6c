"""`ioto-server check`: whether a configuration can be used, as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ioto_server.config.load import Loaded, find_config, load_config
from ioto_server.config.problems import ConfigError, Problem, in_order, report


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome. `loaded` is None when there are errors; with `strict` a warning counts as one."""

    file: str
    loaded: Loaded | None
    problems: tuple[Problem, ...]
    strict: bool = False

    @property
    def ok(self) -> bool:
        """Whether the configuration may be used."""
        return self.loaded is not None and not (self.strict and self.problems)

    @property
    def text(self) -> str:
        """What a terminal shows."""
        if self.problems:
            strict = " (--strict: warnings count as errors)" if self.strict and self.loaded else ""
            return report(self.problems) + strict
        files = ", ".join(map(str, self.loaded.files)) if self.loaded else self.file
        return f"{files}: no problems"

    @property
    def json(self) -> dict[str, Any]:
        """The same for a program."""
        return {
            "file": self.file,
            "ok": self.ok,
            "problems": [problem.as_dict() for problem in self.problems],
        }


def check(
    file: Path | None = None,
    *,
    strict: bool = False,
    overrides: Sequence[tuple[str, str]] = (),
    environ: Mapping[str, str] | None = None,
) -> Checked:
    """Find and load a configuration; raises nothing. The arguments are those of `load_config`."""
    name = "" if file is None else str(file)
    try:
        path = find_config(file)
        name = str(path)
        loaded = load_config(path, overrides=overrides, environ=environ)
    except ConfigError as error:
        return Checked(name, None, tuple(in_order([*error.problems, *error.warnings])), strict)
    return Checked(name, loaded, tuple(in_order(loaded.warnings)), strict)
