"""What goes wrong in a WebSocket conversation: either the peer broke a rule, or our own caller did.

The two are kept apart on purpose. A :class:`ProtocolError` is the peer's: it is never raised to the caller of
the codec but handed out by ``next_event()`` as ``Received.FAILED``, with the close code and the reason that
the peer is to be told. The others are raised at the call that was wrong, before a byte of it is written.
"""

from __future__ import annotations


class ProtocolError(Exception):
    """The peer broke a rule of RFC 6455 or RFC 7692, or went over a limit.

    ``code`` is the close code to send (1002, 1007 or 1009), ``reason`` the text for the Close frame: ASCII,
    at most 123 bytes, so that it always fits (RFC 6455, 5.5).
    """

    __slots__ = ("code", "reason")

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.reason} (close code {self.code})"


class StateError(Exception):
    """A frame was to be sent that the state forbids: after our Close, or inside another message."""


class MessageTooBig(ValueError):
    """A message to be sent is longer than ``limits.maxMessage``. Nothing of it has been written."""
