"""What an action holds: the request, the WebSocket, the host."""

from .action import Action, ActionFunction
from .carrier import Carrier
from .clock import Clock
from .core import Core
from .ending import By, Cause, Ending
from .errors import Closed
from .events import Event
from .exchange import Exchange
from .faults import log_fault
from .file_body import send_parts
from .host import Host
from .link import Link
from .memory import Memory
from .off_the_loop import off_the_loop
from .outbox import NEXT_TURN, SENT
from .run import run_action
from .terms import Upgrade
from .topics import Topics
from .web import Web
from .websocket import WebSocket

__all__ = [
    "NEXT_TURN",
    "SENT",
    "Action",
    "ActionFunction",
    "By",
    "Carrier",
    "Cause",
    "Clock",
    "Closed",
    "Core",
    "Ending",
    "Event",
    "Exchange",
    "Host",
    "Link",
    "Memory",
    "Topics",
    "Upgrade",
    "Web",
    "WebSocket",
    "log_fault",
    "off_the_loop",
    "run_action",
    "send_parts",
]
