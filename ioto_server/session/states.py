"""Where a WebSocket stands and what leads on: the table that the code steps through (RFC 6455, 7.1).

Whether something still has a meaning is asked here and nowhere else: a step that has no place in the row of
the present phase is ignored. The table in ARCHITECTURE.md is printed from this one.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final

from .quick import QuickEnum


class Phase(IntEnum):
    """Where a connection stands between its handshake and the end of its TCP stream."""

    OPEN = 0
    CLOSING = 1
    LINGERING = 2
    FINISHING = 3
    ENDED = 4


class Step(Enum, metaclass=QuickEnum):
    """What leads from one phase to another; the value is the step in words."""

    # Each is itself alone; Enum's own hash is made of the name, each time.
    __hash__ = object.__hash__

    WE_CLOSE = "we close"
    PEER_CLOSES = "the peer closes"
    FAILURE = "failure"
    END_OF_STREAM = "end of the peer's stream"
    OVERDUE = "`timeouts.close`"
    DROPPED = "we drop it"
    LOST = "connection lost"


# Looked up once, for the places that every message passes.
OPEN: Final = Phase.OPEN
CLOSING: Final = Phase.CLOSING
LINGERING: Final = Phase.LINGERING
FINISHING: Final = Phase.FINISHING
ENDED: Final = Phase.ENDED

# What holds in a phase. From LINGERING on the outcome is known, and has been told.
MEANING: Final[dict[Phase, str]] = {
    Phase.OPEN: "both sides may send",
    Phase.CLOSING: "our Close is sent and the peer's awaited; its messages are discarded",
    Phase.LINGERING: "failed: our Close leaves, our side is shut, input is discarded",
    Phase.FINISHING: "nothing more will come: what is unsent leaves, then we close TCP",
    Phase.ENDED: "the stream is gone",
}

TABLE: Final[dict[Phase, dict[Step, Phase]]] = {
    Phase.OPEN: {
        Step.WE_CLOSE: Phase.CLOSING,
        Step.PEER_CLOSES: Phase.FINISHING,
        Step.FAILURE: Phase.LINGERING,
        Step.END_OF_STREAM: Phase.FINISHING,
        Step.DROPPED: Phase.ENDED,
        Step.LOST: Phase.ENDED,
    },
    Phase.CLOSING: {
        Step.PEER_CLOSES: Phase.FINISHING,
        Step.FAILURE: Phase.LINGERING,
        Step.END_OF_STREAM: Phase.FINISHING,
        Step.OVERDUE: Phase.ENDED,
        Step.DROPPED: Phase.ENDED,
        Step.LOST: Phase.ENDED,
    },
    Phase.LINGERING: {
        Step.END_OF_STREAM: Phase.FINISHING,
        Step.OVERDUE: Phase.ENDED,
        Step.DROPPED: Phase.ENDED,
        Step.LOST: Phase.ENDED,
    },
    Phase.FINISHING: {
        Step.OVERDUE: Phase.ENDED,
        Step.DROPPED: Phase.ENDED,
        Step.LOST: Phase.ENDED,
    },
    Phase.ENDED: {},
}


# By the number of the phase: where a step has no place, it no longer means anything.
ROWS: Final = tuple(TABLE[phase] for phase in Phase)
