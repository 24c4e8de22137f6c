"""What is wrong with a configuration, said so that a newcomer knows what to type instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple


class Problem(NamedTuple):
    """One thing that is wrong: what was found, where, and what to change.

    `file` is the file as the user named it, or the name of an override ('--set limits.maxFrame'). `line` and
    `column` count from 1 and are 0 where there is no place to point at. `path` is the directive
    ('limits.maxFrame', '' for the file as a whole), `found` the value as it was written, `hint` the change to
    make.
    """

    message: str
    hint: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    path: str = ""
    found: str = ""
    severity: Literal["error", "warning"] = "error"
    excerpt: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        head = ": ".join(part for part in (place, self.severity, self.path, self.message) if part)
        lines = [head]
        if self.excerpt:
            lines += [f"    {line}" for line in self.excerpt.splitlines()]
        if self.hint:
            lines.append(f"  -> {self.hint}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, object]:
        """Return the fields for a program to read (`check --json`)."""
        return self._asdict()


class ConfigError(Exception):
    """A configuration that cannot be used.

    `str()` is the whole report, errors and warnings in the order of the file.
    """

    def __init__(self, problems: Sequence[Problem], warnings: Sequence[Problem] = ()) -> None:
        self.problems = list(problems)
        self.warnings = list(warnings)
        super().__init__(report([*self.problems, *self.warnings]))


def in_order(problems: Sequence[Problem]) -> list[Problem]:
    """Sort by file, in the order the files came, and by place in it."""
    files = {file: number for number, file in enumerate(dict.fromkeys(problem.file for problem in problems))}
    return sorted(problems, key=lambda problem: (files[problem.file], problem.line, problem.column))


def report(problems: Sequence[Problem]) -> str:
    """Return the text that a terminal shows: every problem, then how many there are."""
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    counts = [
        f"{count} {word}{'s' if count > 1 else ''}"
        for count, word in ((errors, "error"), (warnings, "warning"))
        if count
    ]
    return "\n".join([*(str(problem) for problem in in_order(problems)), ", ".join(counts)]).strip()
