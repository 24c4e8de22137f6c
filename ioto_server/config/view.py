"""What the checks across directives look at: the model, and where each value of it was written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from ioto_server.config.model import Config, Route
from ioto_server.config.problems import Problem
from ioto_server.config.scan import Node
from ioto_server.config.syntax import short
from ioto_server.config.tree import locate

_PART = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


def parts(path: str) -> tuple[str | int, ...]:
    """Take a path as messages spell it apart: 'routes[0].match'."""
    return tuple(int(match[1]) if match[1] else match[2] for match in _PART.finditer(path))


class View(NamedTuple):
    """A model with the tree it was made from. `faulty` are the paths whose values were wrong and left out."""

    config: Config
    root: Node
    file: str
    faulty: frozenset[str] = frozenset()

    def sound(self, *paths: str) -> bool:
        """Whether these directives, and all inside them, are what the file says."""
        return not any(
            wrong == path or wrong.startswith((f"{path}.", f"{path}[")) or path.startswith(f"{wrong}.")
            for wrong in self.faulty
            for path in paths
        )

    def node(self, path: str) -> Node | None:
        """Return where a directive is set, None when it has its default."""
        wanted = parts(path)
        node, depth = locate(self.root, wanted)
        return node if depth == len(wanted) else None

    def written(self, path: str, shown: object, beside: str) -> str:
        """Say what a directive is and where that is written: "limits.memory ('1MB' in line 3)".

        The file is named where it is not that of the directive `beside`.
        """
        node = self.node(path)
        if node is None:
            return f"{path} ({shown} by default)"
        line, _ = node.source.place(node.start)
        where = f"in line {line}" if line else f"by {node.source.name}"
        near = self.node(beside)
        if line and node.source.name != (near.source.name if near else self.file):
            where += f" of {node.source.name}"
        return f"{path} ({short(node.text)} {where})"

    def problem(
        self, path: str, message: str, hint: str, severity: Literal["error", "warning"] = "error"
    ) -> Problem:
        """Say what is wrong with a directive, at the place of its value."""
        wanted = parts(path)
        node, depth = locate(self.root, wanted)
        if depth == 0:
            return Problem(message, hint, self.file, path=path, severity=severity)
        found = short(node.text) if depth == len(wanted) and not isinstance(node.value, dict | list) else ""
        if found:
            message = f"{found} {message}"
        return node.source.problem(
            message, hint, offset=node.start, path=path, found=found, severity=severity
        )

    def warn(self, path: str, message: str, hint: str) -> Problem:
        """The same, where the server can run all the same."""
        return self.problem(path, message, hint, "warning")

    def routes(self) -> Iterator[tuple[str, Route]]:
        """Give each route with its path."""
        for index, route in enumerate(self.config.routes or ()):
            yield f"routes[{index}]", route
