"""A strict, fast WebSocket daemon: one web.json5, one Python file per action.

These are the names that a plugin needs; `docs` and the README show them at work.
"""

from typing import TYPE_CHECKING

from . import build as build  # first: it chooses which build the others come from

if TYPE_CHECKING:
    from .plugins import action
    from .session import Closed, Event, Host, Web, WebSocket
    from .websocket import Opcode
else:

    def __getattr__(name: str) -> object:
        """Import what is asked for (PEP 562): `ioto-server --help` need not wait for all of the server."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from . import plugins, session, websocket

        room = next(room for room in (plugins, session, websocket) if name in room.__all__)
        globals()[name] = value = getattr(room, name)
        return value


__all__ = ["Closed", "Event", "Host", "Opcode", "Web", "WebSocket", "action"]
