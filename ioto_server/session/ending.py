"""Why a WebSocket ended: one closed set, from which every other account of the end is made.

The close line of the log, `Web.wait()`'s value and the ERROR and CLOSE events all read the same `Ending`, so
they cannot tell different stories about one connection.
"""

from dataclasses import dataclass
from enum import Enum

from ioto_server.websocket import CloseCode


class By(Enum):
    """Who ended the connection."""

    PEER = "peer"
    ACTION = "action"
    SERVER = "server"
    NETWORK = "network"


class Cause(Enum):
    """What ended the connection: words for the log, who did it, and whether it counts as an error."""

    PEER_CLOSED = ("peer closed", By.PEER, False)
    ACTION_CLOSED = ("action closed", By.ACTION, False)
    ACTION_RETURNED = ("action returned", By.ACTION, False)
    ACTION_FAILED = ("action raised an exception", By.ACTION, True)
    SERVER_STOPPING = ("server stopping", By.SERVER, False)
    PROTOCOL_VIOLATION = ("peer broke the protocol", By.SERVER, True)
    INVALID_DATA = ("peer sent invalid data", By.SERVER, True)
    TOO_BIG = ("peer went over a limit", By.SERVER, True)
    SLOW_CONSUMER = ("peer reads too slowly", By.SERVER, True)
    OUT_OF_MEMORY = ("over limits.memory", By.SERVER, True)
    INACTIVITY = ("inactivity timeout", By.SERVER, True)
    REQUEST_TIMEOUT = ("request timeout", By.SERVER, True)
    PONG_TIMEOUT = ("keep-alive timeout", By.SERVER, True)
    CLOSE_TIMEOUT = ("peer did not answer our Close", By.SERVER, True)
    PEER_VANISHED = ("peer left without a Close", By.NETWORK, True)
    CONNECTION_LOST = ("connection lost", By.NETWORK, True)

    def __init__(self, words: str, by: By, error: bool) -> None:
        self.words = words
        self.by = by
        self.error = error


@dataclass(frozen=True, slots=True)
class Ending:
    """How one WebSocket ended.

    `code` and `reason` are those of the Close frame that decided it, the peer's or ours; 1005 stands for a
    Close without a code, 1006 for no Close at all (RFC 6455, 7.1.5). `clean` means that both Close frames
    were exchanged (7.1.4).
    """

    cause: Cause
    code: int
    reason: str
    clean: bool

    @property
    def orderly(self) -> bool:
        """Whether `Web.wait()` gives 0: both Closes exchanged and no error or timeout of ours came first."""
        return self.clean and not self.cause.error

    @property
    def error_message(self) -> str:
        """One line for the ERROR event and `WebSocket.error_message`; empty after an orderly end."""
        if self.orderly:
            return ""
        words = self.cause.words
        if self.cause.error or self.clean:
            return f"{words}: {self.reason}" if self.reason else words
        return f"{words}; the closing handshake was not completed"


# What the codec found wrong, by the code it asks for (RFC 6455, 7.4.1).
VIOLATIONS: dict[int, Cause] = {
    CloseCode.PROTOCOL_ERROR: Cause.PROTOCOL_VIOLATION,
    CloseCode.INVALID_DATA: Cause.INVALID_DATA,
    CloseCode.MESSAGE_TOO_BIG: Cause.TOO_BIG,
}

NO_CLOSE = CloseCode.ABNORMAL
NO_CODE = CloseCode.NO_STATUS
