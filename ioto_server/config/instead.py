"""What to write instead, where somebody wrote one value and an object is expected."""

from __future__ import annotations

from ioto_server.config.directives import Directive
from ioto_server.config.grammar import Place
from ioto_server.config.json5text import write_line
from ioto_server.config.values import WrongValue


def object_for(directive: Directive, value: object, *, item: bool = False) -> str:
    """Return the object to write for a wrong `value`: 'log: { level: 'debug' }' for 'debug'.

    The value goes to the member that takes it, those that take but a few words first; where none does, the
    first member is shown with its default. `item`: the value stands in a list of such objects.
    """
    name = "" if item else f"{directive.key}: "
    if directive.words and isinstance(value, str) and value.strip().lower() in directive.words.names:
        return f"{name}{value.strip().lower()}, without quotes"
    if value is None and not any(one.required for one in directive.children.values()):
        return f"{name}{{}}, or take it out for the defaults"
    members = list(directive.children.values())
    taking = next((one for one in sorted(members, key=_freedom) if _takes(one, value)), None)
    if taking is None:
        first = members[0]
        taking, value = first, first.example if first.required else first.default
    inside = f"{{ {taking.key}: {write_line(value)} }}"
    return f"{name}{inside}" if item or directive.shape == "object" else f"{name}[{inside}]"


def _freedom(directive: Directive) -> bool:
    """Whether any text will do, not just some words."""
    return directive.grammar is None or "enum" not in directive.grammar.schema


def _takes(directive: Directive, value: object) -> bool:
    if value is None or directive.grammar is None or directive.shape not in ("value", "list"):
        return False
    try:
        directive.grammar.read(value, Place())
    except WrongValue:
        return False
    return True
