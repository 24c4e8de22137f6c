"""What an action's callback is told about its WebSocket."""

from enum import IntEnum

from .quick import QuickEnum


class Event(IntEnum, metaclass=QuickEnum):
    """The five events of the page: `WS_EVENT_OPEN` and its siblings, in the order a connection meets them.

    OPEN comes once, first. MESSAGE carries a whole message, or the last piece of one that is streamed;
    PARTIAL_MESSAGE the pieces before it. ERROR says that the connection failed and why. CLOSE comes exactly
    once, last, whatever happened.
    """

    OPEN = 0
    MESSAGE = 1
    PARTIAL_MESSAGE = 2
    ERROR = 3
    CLOSE = 4
