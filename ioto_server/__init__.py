"""A strict, fast WebSocket daemon: one web.json5, one Python file per action.

These are the names that a plugin needs; `docs` and the README show them at work.
"""

from . import build as build  # first: it chooses which build the others come from
from .plugins import action
from .session import Closed, Event, Host, Web, WebSocket
from .websocket import Opcode

__all__ = ["Closed", "Event", "Host", "Opcode", "Web", "WebSocket", "action"]
