"""What a peer must not do: each wire with the close code and the words it is answered with, and how soon.

One catalogue for the tests of the RFCs, of parity and of the oracles.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.fuzz.conversation import Conversation
from tests.fuzz.strategies import compressed
from tests.websocket.wire import KEY, masked, plain

AGREED = {"send_window_bits": 15, "receive_window_bits": 15, "threshold": 0}

RSV1 = "Reserved bit RSV1 is set but no extension was negotiated (RFC 6455 5.2)"
RSV23 = "Reserved bit RSV2 or RSV3 is set (RFC 6455 5.2)"
RSV1_CONTROL = "Control frame has the compressed bit RSV1 set (RFC 7692 6)"
RSV1_CONTINUATION = "Continuation frame has the compressed bit RSV1 set (RFC 7692 6)"
NOT_MASKED = "Frame from the client is not masked (RFC 6455 5.1)"
MASKED = "Frame from the server is masked (RFC 6455 5.1)"
TOP_BIT = "Frame length has its most significant bit set (RFC 6455 5.2)"
NOT_SHORTEST = "Frame length is not in its shortest form (RFC 6455 5.2)"
HALF_CODE = "Close frame has half a close code (RFC 6455 5.5.1)"
BAD_REASON = "Close reason is not valid UTF-8 (RFC 6455 5.5.1)"
BAD_TEXT = "Text message is not valid UTF-8 (RFC 6455 8.1)"
NO_START = "Continuation frame without a message to continue (RFC 6455 5.4)"
TWO_STARTS = "New message begins before the fragmented one ended (RFC 6455 5.4)"
LONG_CONTROL = "Control frame is longer than 125 bytes (RFC 6455 5.5)"
FRAGMENTED_CONTROL = "Control frame is fragmented (RFC 6455 5.5)"
NOT_INFLATABLE = "Compressed message cannot be inflated (RFC 7692 7.2.2)"
NOT_INFLATABLE_TEXT = "Compressed text does not inflate to valid UTF-8 (RFC 7692 7.2.2)"

NOT_UTF8 = (
    '6455 8.1: "the byte stream is not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the '
    'WebSocket Connection_"'
)


@dataclass(frozen=True)
class Violation:
    """`sentence`: of the RFC, that decides. `known`: after how many bytes of the wire the verdict is due."""

    name: str
    sentence: str
    wire: bytes
    code: int
    reason: str
    known: int
    settings: dict[str, Any] = field(default_factory=dict)
    agreed: dict[str, Any] | None = None
    #: Names of the events before the failure.
    before: tuple[str, ...] = ()

    @property
    def conversation(self) -> Conversation:
        return Conversation(self.wire, self.settings, self.agreed)


def _close(code: int, reason: bytes = b"") -> bytes:
    return masked(0x88, code.to_bytes(2, "big") + reason)


def _reserved_bits() -> list[Violation]:
    sentence = (
        '6455 5.2: "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values."'
    )
    return [
        Violation(
            f"rsv-{bits:02x}-opcode-{opcode}", sentence, masked(0x80 | bits | opcode, b"x"), 1002, reason, 1
        )
        for bits, reason in ((0x40, RSV1), (0x20, RSV23), (0x10, RSV23), (0x70, RSV23))
        for opcode in (1, 2, 8, 9, 10)
    ]


def _compressed_bit() -> list[Violation]:
    sentence = (
        '7692 6: "An endpoint MUST NOT set the "Per-Message Compressed" bit of control frames and non-first '
        'fragments of a data message. [...] MUST fail"'
    )
    begun = masked(0x01, b"a")
    return [
        *(
            Violation(f"rsv1-control-{op}", sentence, masked(0xC0 | op), 1002, RSV1_CONTROL, 1, agreed=AGREED)
            for op in (8, 9, 10)
        ),
        Violation(
            "rsv1-continuation",
            sentence,
            begun + masked(0xC0),
            1002,
            RSV1_CONTINUATION,
            len(begun) + 1,
            agreed=AGREED,
        ),
    ]


def _reserved_opcodes() -> list[Violation]:
    sentence = '6455 5.2: "If an unknown opcode is received, the receiving endpoint MUST _Fail [...]_."'
    return [
        Violation(
            f"opcode-{op}-fin-{fin >> 7}",
            sentence,
            masked(fin | op),
            1002,
            f"Opcode {op} is reserved (RFC 6455 5.2)",
            1,
        )
        for op in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
        for fin in (0, 0x80)
    ]


def _masks() -> list[Violation]:
    unmasked = '6455 5.1: "The server MUST close the connection upon receiving a frame that is not masked."'
    mask = '6455 5.1: "A client MUST close a connection if it detects a masked frame."'
    found = []
    for first in (0x81, 0x82, 0x88, 0x89, 0x8A):
        found.append(Violation(f"unmasked-{first:02x}", unmasked, plain(first, b"ab"), 1002, NOT_MASKED, 2))
        wire = masked(first, b"ab")
        found.append(Violation(f"masked-{first:02x}", mask, wire, 1002, MASKED, 2, {"client": True}))
    return found


def _lengths() -> list[Violation]:
    top = '6455 5.2: "the most significant bit MUST be 0"'
    shortest = '6455 5.2: "in all cases, the minimal number of bytes MUST be used to encode the length"'
    found = []
    for name, size in (("2-to-63", 1 << 63), ("2-to-64-less-1", (1 << 64) - 1)):
        wire = b"\x82\xff" + size.to_bytes(8, "big") + KEY
        found.append(Violation(f"length-{name}", top, wire, 1002, TOP_BIT, 3))
        wire = b"\x82\x7f" + size.to_bytes(8, "big")
        found.append(Violation(f"length-{name}-to-client", top, wire, 1002, TOP_BIT, 3, {"client": True}))
    for size in (0, 1, 125):
        wire = b"\x82\xfe" + size.to_bytes(2, "big") + KEY
        found.append(Violation(f"length-{size}-in-16-bits", shortest, wire, 1002, NOT_SHORTEST, 4))
    for size in (0, 125, 126, 65535):
        wire = b"\x82\xff" + size.to_bytes(8, "big") + KEY
        found.append(Violation(f"length-{size}-in-64-bits", shortest, wire, 1002, NOT_SHORTEST, 8))
    return found


def _closes() -> list[Violation]:
    codes = '6455 7.4.1: "MUST NOT be set as a status code in a Close control frame"; ranges: 7.4.2'
    half = '6455 5.5.1: "the first two bytes of the body MUST be a 2-byte unsigned integer"'
    text = NOT_UTF8
    found = [
        Violation(
            f"close-{code}",
            codes,
            _close(code, b"why"),
            1002,
            f"Close code {code} may not be sent (RFC 6455 7.4)",
            8,
        )
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    ]
    found.append(Violation("close-half-a-code", half, masked(0x88, b"\x03"), 1002, HALF_CODE, 2))
    for name, reason, bad in (
        ("ff", b"ab\xffcd", 3),
        ("overlong", b"\xc0\xaf", 1),
        ("surrogate", b"a\xed\xa0\x80", 3),
        ("cut-off", b"ab\xe2\x82", 4),
    ):
        found.append(Violation(f"close-reason-{name}", text, _close(1000, reason), 1007, BAD_REASON, 8 + bad))
    return found


def _messages() -> list[Violation]:
    start = (
        '6455 5.4: a message begins with "a single frame with the FIN bit clear and an opcode other than 0"'
    )
    one = '6455 5.4: "The fragments of one message MUST NOT be interleaved between the fragments of another"'
    text = NOT_UTF8
    begun = masked(0x01, b"one")
    found = [
        Violation("continuation-without-start", start, masked(0x80, b"x"), 1002, NO_START, 1),
        Violation("continuation-without-start-or-end", start, masked(0x00, b"x"), 1002, NO_START, 1),
        Violation(
            "continuation-after-the-end",
            start,
            begun + masked(0x80, b"two") + masked(0x80),
            1002,
            NO_START,
            len(begun) * 2 + 1,
            before=("MESSAGE",),
        ),
    ]
    for first in (0x81, 0x01, 0x82, 0x02):
        wire = begun + masked(first, b"two")
        found.append(Violation(f"start-{first:02x}-inside-text", one, wire, 1002, TWO_STARTS, len(begun) + 1))
    for name, octets, bad in (
        ("ff", "61ff62", 2),
        ("overlong-2", "c080", 1),
        ("overlong-3", "e08080", 2),
        ("overlong-4", "f0808080", 2),
        ("surrogate", "eda080", 2),
        ("above-10ffff", "f4908080", 2),
        ("lone-continuation", "80", 1),
        ("f5", "f5", 1),
    ):
        payload = bytes.fromhex(octets)
        rest = b"." * 10
        found.append(Violation(f"text-{name}", text, masked(0x81, payload + rest), 1007, BAD_TEXT, 6 + bad))
        wire = masked(0x01, payload[:1]) + masked(0x80, payload[1:] + rest)
        known = 6 + 1 if bad == 1 else 7 + 6 + bad - 1
        found.append(Violation(f"text-{name}-in-fragments", text, wire, 1007, BAD_TEXT, known))
    wire = masked(0x81, b"ab\xe2\x82")
    found.append(Violation("text-cut-off", text, wire, 1007, BAD_TEXT, len(wire)))
    return found


def _controls() -> list[Violation]:
    long = '6455 5.5: "All control frames MUST have a payload length of 125 bytes or less"'
    fragmented = '6455 5.5: "and MUST NOT be fragmented."'
    found = []
    for opcode in (8, 9, 10):
        wire = masked(0x80 | opcode, bytes(126))
        found.append(Violation(f"control-{opcode}-of-126", long, wire, 1002, LONG_CONTROL, 2))
        wire = masked(opcode, b"ab")
        found.append(Violation(f"control-{opcode}-fragmented", fragmented, wire, 1002, FRAGMENTED_CONTROL, 1))
    begun = masked(0x01, b"one") + masked(0x89, b"p")
    wire = begun + masked(0x09, b"q")
    found.append(
        Violation(
            "ping-fragmented-inside-fragments",
            fragmented,
            wire,
            1002,
            FRAGMENTED_CONTROL,
            len(begun) + 1,
            before=("PING",),
        )
    )
    return found


def _limits() -> list[Violation]:
    sentence = '6455 7.4.1: 1009, "it has received a message that is too big for it to process"'
    three = masked(0x02, b"a") + masked(0x00, b"b") + masked(0x00, b"c")
    return [
        Violation(
            "frame-over-the-limit",
            sentence,
            masked(0x82, bytes(21)),
            1009,
            "Frame over limits.maxFrame (20)",
            2,
            {"max_frame": 20},
        ),
        Violation(
            "message-over-the-limit",
            sentence,
            masked(0x02, bytes(20)) + masked(0x80, bytes(6)),
            1009,
            "Message over limits.maxMessage (25)",
            26 + 2,
            {"max_message": 25},
        ),
        Violation(
            "fragments-over-the-limit",
            sentence,
            three + masked(0x80),
            1009,
            "Message over limits.maxFragments (3)",
            len(three) + 1,
            {"max_fragments": 3},
        ),
    ]


def _deflated() -> list[Violation]:
    sentence = (
        '6455 7.4.1: 1007, "it has received data within a message that was not consistent with the type of '
        'the message"; 7692 7.2.2'
    )
    whole = compressed(b"hello hello hello hello", 9, False)
    stored = b"\x00\x05\x00\xfa\xffhello"
    cut_off = masked(0xC2, whole[:-3])
    cut_off_stored = masked(0xC2, stored[:-2])
    bad = compressed("é".encode()[:1] + b"x", 0, False)
    return [
        Violation("deflate-cut-off", sentence, cut_off, 1007, NOT_INFLATABLE, len(cut_off), agreed=AGREED),
        Violation(
            "deflate-stored-block-cut-off",
            sentence,
            cut_off_stored,
            1007,
            NOT_INFLATABLE,
            len(cut_off_stored),
            agreed=AGREED,
        ),
        Violation(
            "deflate-reserved-block-type",
            sentence,
            masked(0xC2, b"\x07ab"),
            1007,
            NOT_INFLATABLE,
            7,
            agreed=AGREED,
        ),
        Violation(
            "deflate-bad-length-check",
            sentence,
            masked(0xC2, b"\x00\x05\x00\x00\x00hello"),
            1007,
            NOT_INFLATABLE,
            11,
            agreed=AGREED,
        ),
        Violation(
            "deflate-empty-payload", sentence, masked(0xC2, b""), 1007, NOT_INFLATABLE, 6, agreed=AGREED
        ),
        Violation(
            "inflated-text-is-bad",
            sentence,
            masked(0xC1, bad),
            1007,
            NOT_INFLATABLE_TEXT,
            6 + 7,
            agreed=AGREED,
        ),
    ]


VIOLATIONS = [
    *_reserved_bits(),
    *_compressed_bit(),
    *_reserved_opcodes(),
    *_masks(),
    *_lengths(),
    *_closes(),
    *_messages(),
    *_controls(),
    *_limits(),
    *_deflated(),
]
