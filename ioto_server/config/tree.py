"""Trees of scanned values: the form of the root, one tree laid over another, the place of a directive."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ioto_server.config.directives import members
from ioto_server.config.model import Config
from ioto_server.config.problems import Problem
from ioto_server.config.scan import Document, Node
from ioto_server.config.syntax import quoted, short

# What stands beside `web` where the directives stand under it (SPEC 2).
BESIDE = ("log", "tls")
_NAME = re.compile(r"[\w$]+")


def spell(path: Iterable[str | int]) -> str:
    """Write a path of keys and list indexes the way messages do: routes[0].match."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _NAME.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{quoted(part)}]"
    return text


def skipped(key: str) -> bool:
    """Whether a key is a block that is commented out."""
    return key.startswith("_")


def settle(document: Document, problems: list[Problem]) -> Node:
    """Return the root in its flat form, with what is wrong about the form added to `problems`."""
    root = document.root
    if not isinstance(root.value, dict):
        what = "a list" if isinstance(root.value, list) else "a single value"
        message = f"the configuration is {what}, not an object"
        problems.append(root.source.problem(message, "write { } around the directives", offset=root.start))
        return Node(root.source, root.start, root.end, {}, root.key)
    flat = {key: node for key, node in root.value.items() if not skipped(key) and key != "$schema"}
    web = flat.pop("web", None)
    if web is not None:
        problems += _form(web, flat)
        flat = {**(web.value if isinstance(web.value, dict) else {}), **flat}
    return Node(root.source, root.start, root.end, flat, root.key)


def _form(web: Node, beside: dict[str, Node]) -> list[Problem]:
    """Check a root that has `web`."""
    if not isinstance(web.value, dict):
        message = f"{short(web.text)} is not an object"
        return [web.source.problem(message, "write web: { ... }", offset=web.start, path="web")]
    problems = []
    both = [key for key in beside if key in members(Config) and key not in BESIDE]
    if both:
        names = ", ".join(both)
        message = f"(line {web.source.place(web.key)[0]}) holds the settings, and beside it stand {names}"
        hint = f"move {names} into web: {{ ... }}, or all that is in web out of it"
        problems.append(web.source.problem(message, hint, offset=beside[both[0]].key, path="web"))
    for key in BESIDE:
        if key in web.value:
            node = web.value[key]
            message, hint = "stands inside web", f"move it out: {{ web: {{ ... }}, {key}: {{ ... }} }}"
            problems.append(node.source.problem(message, hint, offset=node.key, path=key))
    return problems


def merge(under: Node, over: Node) -> Node:
    """Lay one tree over another: objects are merged, anything else is replaced."""
    if not isinstance(under.value, dict) or not isinstance(over.value, dict):
        return over
    merged = dict(under.value)
    for key, node in over.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return Node(over.source, over.start, over.end, merged, over.key)


def locate(root: Node, path: Sequence[str | int]) -> tuple[Node, int]:
    """Return the node at a path, or the deepest one on the way, and how many parts of the path it covers."""
    node = root
    for depth, part in enumerate(path):
        inside = node.value
        if isinstance(inside, dict) and part in inside:
            node = inside[str(part)]
        elif isinstance(inside, list) and isinstance(part, int) and part < len(inside):
            node = inside[part]
        else:
            return node, depth
    return node, len(path)
