"""What changed from one configuration to the next, and what of it a running server can take up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ioto_server.config.directives import Directive, members, show
from ioto_server.config.json5text import write_line
from ioto_server.config.model import Config


class Change(NamedTuple):
    """A directive with another value; `before` and `after` are JSON5. `live`: a reload applies it."""

    path: str
    before: str
    after: str
    live: bool

    def __str__(self) -> str:
        return f"{self.path}: {self.before} -> {self.after}"


class Changes(NamedTuple):
    """All changes, those that a reload applies and those that take a restart."""

    live: tuple[Change, ...]
    restart: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.live or self.restart)

    def __str__(self) -> str:
        lines = [str(change) for change in self.live]
        lines += [f"{change} (takes a restart)" for change in self.restart]
        return "\n".join(lines) or "nothing changed"

    def has(self, path: str) -> bool:
        """Whether a directive changed, or one inside it."""
        changed = [change.path for change in (*self.live, *self.restart)]
        return any(one == path or one.startswith(f"{path}.") for one in changed)


def diff(old: Config, new: Config) -> Changes:
    """Compare two configurations."""
    changes = list(_compare(members(Config), show(old, brief=True), show(new, brief=True)))
    live = tuple(change for change in changes if change.live)
    return Changes(live, tuple(change for change in changes if not change.live))


def _compare(directives: dict[str, Directive], old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    for key, directive in directives.items():
        before, after = old[key], new[key]
        if directive.shape == "object" and isinstance(before, dict) and isinstance(after, dict):
            yield from _compare(directive.children, before, after)
        elif before != after:
            yield Change(directive.path, write_line(before), write_line(after), directive.live)
