"""RFC 6455 and RFC 7692, sans-I/O: a codec that knows no socket, clock, event loop or room above it."""

from __future__ import annotations

from . import receiver
from .deflate import Deflate, DeflateSettings
from .errors import MessageTooBig, ProtocolError, StateError
from .frames import CloseCode, Opcode, close_text, frame
from .protocol import Protocol, State
from .receiver import Received

#: Which build of the codec is running: ``'compiled'`` or ``'pure'``.
BUILD = "pure" if receiver.__file__.endswith(".py") else "compiled"

__all__ = [
    "BUILD",
    "CloseCode",
    "Deflate",
    "DeflateSettings",
    "MessageTooBig",
    "Opcode",
    "Protocol",
    "ProtocolError",
    "Received",
    "State",
    "StateError",
    "close_text",
    "frame",
]
