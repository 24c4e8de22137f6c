"""The frame of RFC 6455, section 5: opcodes, close codes, headers, and the rules a header must keep."""

from __future__ import annotations

from enum import IntEnum
from struct import Struct

from .errors import ProtocolError
from .utf8 import decoded

__all__ = [
    "CLOSE_CODES",
    "MAX_CONTROL_PAYLOAD",
    "VERDICTS",
    "CloseCode",
    "Opcode",
    "close_payload",
    "close_text",
    "first_byte_error",
    "frame",
    "header",
    "may_be_sent",
    "parse_close",
]


class Opcode(IntEnum):
    """The interpretation of a frame's payload (RFC 6455, 5.2). The ones not named are reserved."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


class CloseCode(IntEnum):
    """Close codes of RFC 6455, 7.4.1, and of the IANA registry "WebSocket Close Code Number"."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS = 1005
    ABNORMAL = 1006
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    TLS_HANDSHAKE = 1015


#: Payload bytes that a control frame may carry (RFC 6455, 5.5).
MAX_CONTROL_PAYLOAD = 125

#: Codes below 3000 that may stand in a Close frame. 1005, 1006 and 1015 are for reports only (RFC 6455,
#: 7.4.1).
CLOSE_CODES = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})

_CLOSE_TEXTS = {
    1000: "normal closure",
    1001: "going away",
    1002: "protocol error",
    1003: "unsupported data",
    1005: "no status received",
    1006: "abnormal closure",
    1007: "invalid frame payload data",
    1008: "policy violation",
    1009: "message too big",
    1010: "mandatory extension",
    1011: "internal error",
    1012: "service restart",
    1013: "try again later",
    1014: "bad gateway",
    1015: "TLS handshake",
    3000: "unauthorized",
    3003: "forbidden",
    3008: "timeout",
}
_KNOWN_CLOSES = {code: f"{code} {text}" for code, text in _CLOSE_TEXTS.items()}


def may_be_sent(code: int) -> bool:
    """Tell whether a close code is allowed on the wire (RFC 6455, 7.4; IANA registry)."""
    return code in CLOSE_CODES or 3000 <= code <= 4999


def close_text(code: int) -> str:
    """Return a close code in words for people and logs: ``'1001 going away'``."""
    known = _KNOWN_CLOSES.get(code)
    if known is not None:
        return known
    if 3000 <= code <= 3999:
        return f"{code} registered by a library or application"
    return f"{code} private use" if 4000 <= code <= 4999 else f"{code} unknown"


def first_byte_error(first: int, inside_message: bool, compressible: bool) -> str:
    """Return which rule the first byte of a frame breaks, as the reason for a Close 1002, or ``''`` if none.

    ``inside_message``: a fragmented message is unfinished. ``compressible``: permessage-deflate was
    negotiated.
    """
    opcode = first & 0x0F
    if first & 0x30:
        # "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values" (5.2)
        return "Reserved bit RSV2 or RSV3 is set (RFC 6455 5.2)"
    if first & 0x40 and not compressible:
        return "Reserved bit RSV1 is set but no extension was negotiated (RFC 6455 5.2)"
    if 3 <= opcode <= 7 or opcode >= 11:
        return f"Opcode {opcode} is reserved (RFC 6455 5.2)"
    if opcode >= 8:
        if not first & 0x80:
            # "All control frames [...] MUST NOT be fragmented." (5.5)
            return "Control frame is fragmented (RFC 6455 5.5)"
        if first & 0x40:
            # "An endpoint MUST NOT set the "Per-Message Compressed" bit of control frames" (RFC 7692, 6)
            return "Control frame has the compressed bit RSV1 set (RFC 7692 6)"
        return ""
    if opcode == 0:
        if not inside_message:
            return "Continuation frame without a message to continue (RFC 6455 5.4)"
        if first & 0x40:
            # "[...] and non-first fragments of a data message." (RFC 7692, 6)
            return "Continuation frame has the compressed bit RSV1 set (RFC 7692 6)"
        return ""
    if inside_message:
        # "The fragments of one message MUST NOT be interleaved between the fragments of another message"
        # (5.4)
        return "New message begins before the fragmented one ended (RFC 6455 5.4)"
    return ""


def _verdicts(inside_message: bool, compressible: bool) -> bytes:
    return bytes(bool(first_byte_error(first, inside_message, compressible)) for first in range(256))


#: :func:`first_byte_error` as tables, for the receiver's inner loop:
#: ``VERDICTS[2 * compressible + inside_message][first]`` is 1 where the byte breaks a rule.
VERDICTS = (
    _verdicts(False, False),
    _verdicts(True, False),
    _verdicts(False, True),
    _verdicts(True, True),
)

_MEDIUM = Struct("!BBH").pack
_LONG = Struct("!BBQ").pack


def header(first: int, size: int, masked: bool = False) -> bytes:
    """Return the header of a frame, without the masking key.

    ``first`` is the whole first byte (FIN, RSV, opcode), ``size`` the payload's length, which "MUST" be
    written in the shortest form (RFC 6455, 5.2).
    """
    mask_bit = 0x80 if masked else 0
    if size < 126:
        return bytes((first, mask_bit | size))
    if size < 65536:
        return _MEDIUM(first, mask_bit | 126, size)
    return _LONG(first, mask_bit | 127, size)


def frame(opcode: int, payload: bytes, *, fin: bool = True, compressed: bool = False) -> bytes:
    """Return one unmasked (server's) frame in one piece. Encode once, send to many.

    ``compressed`` sets RSV1: the payload is the output of permessage-deflate (RFC 7692, 7.2.1).
    """
    return header(opcode | (0x80 if fin else 0) | (0x40 if compressed else 0), len(payload)) + payload


# Most Closes: a registered code without a reason.
_ALONE = {code: code.to_bytes(2, "big") for code in CLOSE_CODES}
_CODES_ALONE = {payload: code for code, payload in _ALONE.items()}


def close_payload(code: int | None, reason: str = "") -> bytes:
    """Return the payload of a Close frame (RFC 6455, 5.5.1); ``None`` for one without a code.

    Raises ValueError for a code that must not be sent, for a reason without a code, and for one over 123
    bytes.
    """
    if code is None:
        if reason:
            raise ValueError("Close has a reason but no code: give a code such as 1000 (RFC 6455 5.5.1)")
        return b""
    if not reason and code in _ALONE:
        return _ALONE[code]
    if not may_be_sent(code):
        raise ValueError(
            f"Close code {code} may not be sent: use 1000-1003, 1007-1014 or 3000-4999 (RFC 6455 7.4)"
        )
    encoded = reason.encode()
    if len(encoded) > MAX_CONTROL_PAYLOAD - 2:
        raise ValueError(f"Close reason is {len(encoded)} bytes long: shorten it to 123 (RFC 6455 5.5)")
    return code.to_bytes(2, "big") + encoded


def parse_close(payload: bytes, complete: bool = True) -> tuple[int, str]:
    """Return code and reason of a received Close frame, 1005 and '' for an empty one (RFC 6455, 7.1.5-6).

    With ``complete`` false the payload is what has arrived of it: it is checked as far as it goes. Raises
    :class:`ProtocolError`.
    """
    if complete and payload in _CODES_ALONE:
        return _CODES_ALONE[payload], ""
    if len(payload) < 2:
        if complete and payload:
            # "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer" (5.5.1)
            raise ProtocolError(1002, "Close frame has half a close code (RFC 6455 5.5.1)")
        return int(CloseCode.NO_STATUS), ""
    code = int.from_bytes(payload[:2], "big")
    if not may_be_sent(code):
        raise ProtocolError(1002, f"Close code {code} may not be sent (RFC 6455 7.4)")
    try:
        return code, decoded(payload[2:], complete)[0]
    except UnicodeDecodeError:
        raise ProtocolError(1007, "Close reason is not valid UTF-8 (RFC 6455 5.5.1)") from None
