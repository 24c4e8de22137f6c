"""Where an HTTP connection stands and what leads on, until a WebSocket takes it over (RFC 9112, 9).

The same kind of table as `session.states`, and used in the same way. Each phase has its own deadline.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from ioto_server.session.quick import QuickEnum


class Phase(Enum, metaclass=QuickEnum):
    """Where a connection that speaks HTTP stands."""

    # Each is itself alone; Enum's own hash is made of the name, each time.
    __hash__ = object.__hash__

    FRESH = "fresh"
    HEADER = "header"
    REQUEST = "request"
    IDLE = "idle"
    SHUT = "shut"
    UPGRADED = "upgraded"
    GONE = "gone"


class Step(Enum, metaclass=QuickEnum):
    """What leads from one phase to another; the value is the step in words."""

    __hash__ = object.__hash__

    BYTES = "first byte of a request"
    HEADER_READ = "request header complete"
    ANSWERED = "answered, kept alive"
    LAST_ANSWERED = "answered, not kept alive"
    REFUSED = "refused"
    ACCEPTED = "WebSocket accepted"
    END_OF_STREAM = "end of the client's stream"
    OVERDUE = "deadline"
    LOST = "connection lost or dropped"


# What holds in a phase, and its deadline.
MEANING: Final[dict[Phase, tuple[str, str]]] = {
    Phase.FRESH: ("connected, nothing has arrived", "`timeouts.parse`: closed in silence"),
    Phase.HEADER: ("part of a request header has arrived", "`timeouts.parse`: 408"),
    Phase.REQUEST: (
        "a request is being read or answered",
        "`timeouts.request`; `timeouts.inactivity` while the client is waited for: 408, 503 or dropped",
    ),
    Phase.IDLE: ("answered; another request may come", "`timeouts.inactivity`: closed in silence"),
    Phase.SHUT: ("what is unsent leaves, input is discarded", "`timeouts.close`: dropped"),
    Phase.UPGRADED: ("a WebSocket from here on", "see there"),
    Phase.GONE: ("the stream is gone", ""),
}

TABLE: Final[dict[Phase, dict[Step, Phase]]] = {
    Phase.FRESH: {
        Step.BYTES: Phase.HEADER,
        Step.HEADER_READ: Phase.REQUEST,
        Step.REFUSED: Phase.SHUT,
        Step.END_OF_STREAM: Phase.SHUT,
        Step.OVERDUE: Phase.SHUT,
        Step.LOST: Phase.GONE,
    },
    Phase.HEADER: {
        Step.HEADER_READ: Phase.REQUEST,
        Step.REFUSED: Phase.SHUT,
        Step.END_OF_STREAM: Phase.SHUT,
        Step.LOST: Phase.GONE,
    },
    Phase.REQUEST: {
        Step.ANSWERED: Phase.IDLE,
        Step.LAST_ANSWERED: Phase.SHUT,
        Step.ACCEPTED: Phase.UPGRADED,
        Step.REFUSED: Phase.SHUT,
        Step.END_OF_STREAM: Phase.SHUT,
        Step.LOST: Phase.GONE,
    },
    Phase.IDLE: {
        Step.BYTES: Phase.HEADER,
        Step.HEADER_READ: Phase.REQUEST,
        Step.REFUSED: Phase.SHUT,
        Step.END_OF_STREAM: Phase.SHUT,
        Step.OVERDUE: Phase.SHUT,
        Step.LOST: Phase.GONE,
    },
    Phase.SHUT: {
        Step.LOST: Phase.GONE,
    },
    Phase.UPGRADED: {},
    Phase.GONE: {},
}
