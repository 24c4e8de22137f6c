"""`@action`: how an author says which URLs a function serves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

from ioto_server.session import ActionFunction
from ioto_server.session.own import Duration, Own, Size

Decorated = TypeVar("Decorated", bound=ActionFunction)

ATTRIBUTE: Final = "__ioto_actions__"


class Binding(NamedTuple):
    """What one `@action` line asked for."""

    prefix: str
    protocols: tuple[str, ...] | None = None
    stream: bool = False
    text: type[str] | type[bytes] = str
    drop_when_slow: bool = False
    own: Own | None = None


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
    max_message: Size | None = None,
    max_backlog: Size | None = None,
    max_body: Size | None = None,
    inactivity: Duration | None = None,
    request: Duration | None = None,
    ping: Duration | None = None,
    drop_when_slow: bool = False,
) -> Callable[[Decorated], Decorated]:
    """Bind an action to the URLs whose path begins with the segments of `prefix` (webAddAction).

    `protocols` are the sub-protocols this action speaks, in order of preference, instead of
    `webSockets.protocol`. `stream=True` delivers messages piece by piece, as they arrive. `text=bytes`
    delivers text as validated UTF-8 bytes, which saves decoding it. `drop_when_slow=True` drops messages to
    a peer that reads too slowly, and not the peer.

    The others stand in place of the configuration's for this action's connections: `max_message`
    (`limits.maxMessage`), `max_backlog` and `max_body` (`limits.body`) are bytes or a text as in web.json5,
    such as '1MB'; `inactivity`, `request` (both of `timeouts`) and `ping` (`webSockets.ping`) are seconds or
    a text, such as '5 mins' or 'never'.

    A function may carry several of these decorators. Raises ValueError for a prefix that is no path or a
    value that is none, and TypeError for a wrong argument.
    """
    check_prefix(prefix)
    if isinstance(protocols, str):
        raise TypeError(
            f"@action({prefix!r}, protocols={protocols!r}): give a list of names, such as [{protocols!r}]"
        )
    if text not in (str, bytes):
        raise TypeError(f"@action({prefix!r}, text={text!r}): text is delivered as str or as bytes")
    try:
        own = Own.read(
            max_message=max_message,
            max_backlog=max_backlog,
            max_body=max_body,
            inactivity=inactivity,
            request=request,
            ping=ping,
        )
    except ValueError as error:
        raise ValueError(f"@action({prefix!r}, {error})") from None
    binding = Binding(
        prefix,
        tuple(protocols) if protocols is not None else None,
        stream,
        text,
        drop_when_slow,
        None if own == Own() else own,
    )

    def bind(function: Decorated) -> Decorated:
        bindings: list[Binding] = list(getattr(function, ATTRIBUTE, ()))
        setattr(function, ATTRIBUTE, [binding, *bindings])
        return function

    return bind
