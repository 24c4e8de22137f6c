"""`@action`: how an author says which URLs a function serves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from ioto_server.session import ActionFunction

Decorated = TypeVar("Decorated", bound=ActionFunction)

ATTRIBUTE: Final = "__ioto_actions__"


@dataclass(frozen=True, slots=True)
class Binding:
    """What one `@action` line asked for."""

    prefix: str
    protocols: tuple[str, ...] | None
    stream: bool
    text: type[str] | type[bytes]


def check_prefix(prefix: str) -> str:
    """Return `prefix` if URLs can begin with it; raises ValueError otherwise."""
    if not prefix.startswith("/") or "//" in prefix or "?" in prefix or "#" in prefix:
        raise ValueError(f"The prefix {prefix!r} is not a URL path: write it as '/ws/name'")
    return prefix


def action(
    prefix: str,
    *,
    protocols: Sequence[str] | None = None,
    stream: bool = False,
    text: type[str] | type[bytes] = str,
) -> Callable[[Decorated], Decorated]:
    """Bind an action to the URLs whose path begins with the segments of `prefix` (webAddAction).

    `protocols` are the sub-protocols this action speaks, in order of preference, instead of
    `webSockets.protocol`. `stream=True` delivers messages piece by piece, as they arrive. `text=bytes`
    delivers text as validated UTF-8 bytes, which saves decoding it. A function may carry several of these
    decorators. Raises ValueError for a prefix that is no path and TypeError for a wrong argument.
    """
    check_prefix(prefix)
    if isinstance(protocols, str):
        raise TypeError(
            f"@action({prefix!r}, protocols={protocols!r}): give a list of names, such as [{protocols!r}]"
        )
    if text not in (str, bytes):
        raise TypeError(f"@action({prefix!r}, text={text!r}): text is delivered as str or as bytes")
    binding = Binding(prefix, tuple(protocols) if protocols is not None else None, stream, text)

    def bind(function: Decorated) -> Decorated:
        bindings: list[Binding] = list(getattr(function, ATTRIBUTE, ()))
        setattr(function, ATTRIBUTE, [binding, *bindings])
        return function

    return bind
