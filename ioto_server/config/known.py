"""Which keys of a tree are directives: the others are taken out and named, with the name that was meant."""

from __future__ import annotations

from ioto_server.config import legacy
from ioto_server.config.directives import Directive, members, walk
from ioto_server.config.model import Config
from ioto_server.config.nearest import nearest
from ioto_server.config.problems import Problem
from ioto_server.config.scan import Node
from ioto_server.config.syntax import nested
from ioto_server.config.tree import skipped, spell

# Finding a near name takes a while, and after this many nobody looks for typing errors any more.
_MOST_GUESSES = 40
_LIST = "`ioto-server explain` lists the directives; a key that begins with _ is skipped in silence"

# What other servers call it: the names of ours, the full one last.
_NAMES_OF_OTHERS = {
    **dict.fromkeys(("address", "bind", "host", "port"), ("listen",)),
    **dict.fromkeys(("path", "location", "pattern", "prefix", "url", "uri"), ("match", "routes[].match")),
    **dict.fromkeys(("root", "static", "public", "www"), ("documents",)),
    **dict.fromkeys(("idle", "idletimeout", "keepalive"), ("inactivity", "timeouts.inactivity")),
    **dict.fromkeys(("maxpayload", "maxpayloadlength", "max_size"), ("maxMessage", "limits.maxMessage")),
    **dict.fromkeys(("maxconnections", "max_connections"), ("connections", "limits.connections")),
    **dict.fromkeys(("plugins", "handlers", "modules"), ("actions",)),
    **dict.fromkeys(("subprotocol", "subprotocols", "protocols"), ("protocol", "webSockets.protocol")),
    **dict.fromkeys(("alloworigin", "allowedorigins", "cors"), ("origins", "webSockets.origins")),
}


class Known:
    """One pass over the settled tree of one source, collecting problems on the way."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.legacy: list[tuple[str, str, Node]] = []
        self.unknown = 0

    def keep(self, root: Node) -> Node:
        """Return the tree with nothing but directives in it."""
        kept = self._object(root, members(Config), ())
        if self.legacy:
            self.problems.append(legacy.warning(self.legacy))
        return kept

    def _object(self, node: Node, directives: dict[str, Directive], path: tuple[str | int, ...]) -> Node:
        if not isinstance(node.value, dict):
            return node
        kept: dict[str, Node] = {}
        for key, value in node.value.items():
            if skipped(key):
                continue
            if key in directives:
                kept[key] = self._below(value, directives[key], (*path, key))
            else:
                self._unknown(value, directives, (*path, key))
        return Node(node.source, node.start, node.end, kept, node.key)

    def _below(self, node: Node, directive: Directive, path: tuple[str | int, ...]) -> Node:
        if directive.shape == "object":
            return self._object(node, directive.children, path)
        if directive.shape == "objects" and isinstance(node.value, list):
            items = [
                self._object(item, directive.children, (*path, index))
                for index, item in enumerate(node.value)
            ]
            return Node(node.source, node.start, node.end, items, node.key)
        if directive.shape == "table" and isinstance(node.value, dict):
            table = {key: value for key, value in node.value.items() if not skipped(key)}
            return Node(node.source, node.start, node.end, table, node.key)
        return node

    def _unknown(self, node: Node, directives: dict[str, Directive], path: tuple[str | int, ...]) -> None:
        pattern = spell(part for part in path if isinstance(part, str))
        pattern = pattern.replace("routes.", "routes[].", 1)
        if legacy.is_auth(pattern):
            self.problems.append(legacy.auth_problem(node, spell(path)))
        elif pattern in legacy.INSTEAD:
            self.legacy.append((spell(path), pattern, node))
        else:
            key = str(path[-1])
            self.unknown += 1
            self.problems.append(
                node.source.problem(
                    "is not known and has no effect",
                    meant(key, directives) if self.unknown <= _MOST_GUESSES else _LIST,
                    offset=node.key,
                    path=spell(path),
                    found=key,
                    severity="warning",
                )
            )


def meant(key: str, directives: dict[str, Directive]) -> str:
    """Say which directive an unknown key was most likely meant to be, of its object or anywhere."""
    if "." in key:
        return f"names with dots are written as objects inside each other: {nested(key)}"
    other = _NAMES_OF_OTHERS.get(key.lower())
    if other:
        inside = next((name for name in other if name in directives), None)
        return f"did you mean {inside}?" if inside else f"write {nested(other[-1])}"
    for directive in walk():
        # The same name at home in another object is a better guess than a similar one here.
        if directive.key.lower() == key.lower() and directive.key not in directives:
            return f"it belongs elsewhere: {nested(directive.path)}"
    guess = nearest(key, directives)
    if guess:
        return f"did you mean {guess}?"
    return _LIST
