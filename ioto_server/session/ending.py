"""Why a WebSocket ended: one closed set, from which every other account of the end is made.

The close line of the log, `Web.wait()`'s value, the ERROR and CLOSE events and the metrics all read the same
`Ending`, so they cannot tell different stories about one connection.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from ioto_server.websocket import CloseCode

from .quick import QuickEnum

NO_CLOSE: Final = CloseCode.ABNORMAL
NO_CODE: Final = CloseCode.NO_STATUS


class By(Enum, metaclass=QuickEnum):
    """Who ended the connection."""

    PEER = "peer"
    ACTION = "action"
    OPERATOR = "operator"
    SERVER = "server"
    NETWORK = "network"


class Cause(Enum, metaclass=QuickEnum):
    """What ended the connection: words for the log, who did it, and whether it counts as an error."""

    PEER_CLOSED = ("peer closed", By.PEER, False)
    ACTION_CLOSED = ("action closed", By.ACTION, False)
    ACTION_RETURNED = ("action returned", By.ACTION, False)
    ACTION_FAILED = ("action raised an exception", By.ACTION, True)
    OPERATOR_CLOSED = ("operator closed", By.OPERATOR, False)
    SERVER_STOPPING = ("server stopping", By.SERVER, False)
    PROTOCOL_VIOLATION = ("peer broke the protocol", By.SERVER, True)
    INVALID_DATA = ("peer sent invalid data", By.SERVER, True)
    TOO_BIG = ("peer went over a limit", By.SERVER, True)
    SLOW_CONSUMER = ("peer reads too slowly", By.SERVER, True)
    OUT_OF_MEMORY = ("over limits.memory", By.SERVER, True)
    INACTIVITY = ("inactivity timeout", By.SERVER, True)
    REQUEST_TIMEOUT = ("request timeout", By.SERVER, True)
    PONG_TIMEOUT = ("keep-alive timeout", By.SERVER, True)
    PEER_VANISHED = ("peer left without a Close", By.NETWORK, True)
    CONNECTION_LOST = ("connection lost", By.NETWORK, True)

    def __init__(self, words: str, by: By, error: bool) -> None:
        self.words = words
        self.by = by
        self.who = by.value
        self.error = error


class Handshake(Enum, metaclass=QuickEnum):
    """How far the closing handshake went (RFC 6455, 7.1.2)."""

    COMPLETE = "complete"
    UNANSWERED = "not answered within timeouts.close"
    CUT_OFF = "cut off by the end of the connection"
    FORGONE = "not waited for after the failure"
    NONE = "no Close at all"

    def __init__(self, words: str) -> None:
        self.words = words


_COMPLETE: Final = Handshake.COMPLETE


class Ending:
    """How one WebSocket ended.

    `code` and `reason` are those of the Close frame that decided it, the peer's or ours; 1005 stands for a
    Close without a code, 1006 for no Close at all (RFC 6455, 7.1.5).
    """

    __slots__ = ("cause", "clean", "code", "handshake", "orderly", "reason")

    def __init__(self, cause: Cause, code: int, reason: str, handshake: Handshake) -> None:
        """Made once for each WebSocket, at its end."""
        self.cause = cause
        self.code = code
        self.reason = reason
        self.handshake = handshake
        # Whether both Close frames were exchanged (RFC 6455, 7.1.4).
        self.clean = handshake is _COMPLETE
        # And no error or timeout of ours came first.
        self.orderly = self.clean and not cause.error

    @property
    def value(self) -> int:
        """What `Web.wait()` gives: 0 after an orderly end, else -1."""
        return 0 if self.orderly else -1

    @property
    def error_message(self) -> str:
        """One line for the ERROR event and `WebSocket.error_message`; empty after an orderly end."""
        if self.orderly:
            return ""
        words = self.cause.words
        if self.cause.error:
            return f"{words}: {self.reason}" if self.reason else words
        return f"{words}; closing handshake {self.handshake.words}"


# What the codec found wrong, by the code it asks for (RFC 6455, 7.4.1).
VIOLATIONS: Final[dict[int, Cause]] = {
    CloseCode.PROTOCOL_ERROR: Cause.PROTOCOL_VIOLATION,
    CloseCode.INVALID_DATA: Cause.INVALID_DATA,
    CloseCode.MESSAGE_TOO_BIG: Cause.TOO_BIG,
}
