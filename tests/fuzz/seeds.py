"""What fuzzing begins with: every violation, good conversations, headers, and what earlier runs found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.rfc.violations import VIOLATIONS
from tests.websocket.wire import masked, plain

from .strategies import compressed
from .target import CLIENT, CLOSING, DEFLATE, HANDSHAKE, KEY, NO_TAKEOVER, NO_UTF, STREAM, TEXT_BYTES

#: Inputs that reached something new, one a line in hexadecimal: `python tests/fuzz/run.py --keep` adds to it.
FOUND = Path(__file__).with_name("corpus.txt")

REQUEST = (
    "Host: a",
    "Upgrade: websocket",
    "Connection: keep-alive, Upgrade",
    "Sec-WebSocket-Version: 13",
    f"Sec-WebSocket-Key: {KEY}",
    "Sec-WebSocket-Protocol: chat, b",
    'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits; server_max_window_bits="10", x',
)
ANSWER = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    "Sec-WebSocket-Protocol: chat",
    "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=12; client_no_context_takeover",
)


def seeds() -> Iterator[bytes]:
    for one in VIOLATIONS:
        options = (CLIENT if one.settings.get("client") else 0) | (DEFLATE if one.agreed else 0)
        yield bytes([options, 0]) + one.wire
    parts = [(0x01, "hé".encode()), (0x89, b"p"), (0x80, "l€lo".encode()), (0x82, bytes(130)), (0x8A, b"")]
    packed = [
        (0x41, compressed("héllo".encode(), 6, False)),
        (0x80, b""),
        (0xC2, compressed(bytes(99), 9, True)),
    ]
    for frames, extra in ((parts, 0), (packed, DEFLATE)):
        to_server = b"".join(masked(*frame) for frame in frames) + masked(0x88, b"\x03\xe8bye")
        to_client = b"".join(plain(*frame) for frame in frames) + plain(0x88, b"\x03\xe8bye")
        for options in (0, STREAM, TEXT_BYTES, NO_UTF, NO_TAKEOVER, CLOSING, STREAM | TEXT_BYTES):
            for limits in range(4):
                yield bytes([options | extra, limits | 0x94]) + to_server
            yield bytes([options | extra | CLIENT, 0x94]) + to_client
    for lines in (REQUEST, ANSWER):
        yield bytes([HANDSHAKE]) + "\n".join(lines).encode()
    for origin in ("http://example.com:81", "https://a.example.com", "null", "http://[::1]:80"):
        yield bytes([HANDSHAKE]) + origin.encode()
    yield from map(bytes.fromhex, FOUND.read_text().split())
