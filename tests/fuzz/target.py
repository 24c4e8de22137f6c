"""The coverage-guided target: one input for the parser with deflate, or for the handshake, on both builds.

`check(data)` is the target; run as a program it gives it to atheris, with libFuzzer's arguments. It fails on
any exception but the codec's own, and on any difference between what runs, given the input whole and cut, and
its sources, given it in one of the two ways: the slow ones take part but once.

An input: one byte of options, one of limits and cuts, and the wire; or, where the options begin with the bit
HANDSHAKE, the headers of a request and of an answer, one a line.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any
from zlib import crc32

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.fuzz.conversation import Conversation, cut, play
from tests.parity.both import load_sources, reference, running

HANDSHAKE, CLIENT, DEFLATE, STREAM, TEXT_BYTES, NO_UTF, NO_TAKEOVER, CLOSING = (1 << bit for bit in range(8))
LIMITS = [(1 << 20, 1 << 17, 1000), (300, 200, 5), (20, 1 << 17, 3), (1 << 20, 16, 1000)]
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


class Headers:
    def __init__(self, lines: Sequence[str]) -> None:
        pairs = [line.partition(":") for line in lines]
        self._pairs = [(name.strip().lower(), value.strip(" \t")) for name, _, value in pairs]

    def get_all(self, name: str) -> list[str]:
        return [value for key, value in self._pairs if key == name]


def conversation_of(data: bytes) -> Conversation:
    options, limits = data[0], data[1]
    message, frame, fragments = LIMITS[limits & 3]
    takeover = not options & NO_TAKEOVER
    agreed = {"receive_takeover": takeover, "send_takeover": takeover, "threshold": 8}
    calls: list[tuple[Any, ...]] = [("send_message", 1, "héllo wörld"), ("send_ping", b"p")]
    if options & CLOSING:
        calls.append(("send_close", 1000, "bye"))
    return Conversation(
        data[2:],
        {
            "client": bool(options & CLIENT),
            "stream": bool(options & STREAM),
            "text_bytes": bool(options & TEXT_BYTES),
            "validate_utf": not options & NO_UTF,
            "max_message": message,
            "max_frame": frame,
            "max_fragments": fragments,
        },
        agreed if options & DEFLATE else None,
        {2: calls},
    )


def check(data: bytes, sources: ModuleType | None = None) -> None:
    """Check one input; `sources`: the codec from its sources, perhaps with instruments built in."""
    if len(data) < 2:
        return
    sources = sources or reference()
    if data[0] & HANDSHAKE:
        text = data[1:].decode("latin-1")
        assert shake(running(), text) == shake(sources, text)
        return
    conversation = conversation_of(data)
    # Pieces of one size, a byte or more, all within a short input; now and then the driver pauses.
    step = 1 + (data[1] >> 2) % 31
    places = list(range(step, len(conversation.wire), max(step, len(conversation.wire) // 8)))
    chunks = cut(conversation.wire, places)
    codec = running()
    whole = play(codec, conversation, [conversation.wire])
    assert play(codec, conversation, chunks, pause=data[1] >> 7) == whole
    # By a sum over the input, so that the same input always goes the same way.
    assert play(sources, conversation, chunks if crc32(data) & 1 else [conversation.wire]) == whole


def shake(codec: ModuleType, text: str) -> list[Any]:
    """Everything that the handshake's two sides make of these headers."""
    handshake, deflate = codec.handshake, codec.deflate
    headers = Headers(text.split("\n"))
    first = text.partition("\n")[0]
    settings = deflate.DeflateSettings()
    attempts = [
        lambda: handshake.check_request("GET", "1.1", headers, False),
        lambda: handshake.choose_protocol(handshake.offered_protocols(headers), ["chat", "b"]),
        lambda: repr(deflate.negotiate(headers, settings)),
        lambda: handshake.check_response(101, headers, KEY, ["chat"]),
        lambda: repr(deflate.accept(headers, settings)),
        lambda: handshake.check_origin(first, "example.com:81", "http", None),
        lambda: handshake.check_origin(first, "x", "https", ["*.example.com", "null", "http://a:*"]),
    ]
    seen: list[Any] = []
    for attempt in attempts:
        try:
            seen.append(attempt())
        except handshake.HandshakeError as error:
            seen.append((error.status, error.text, error.headers))
    refusals = [one for one in seen if isinstance(one, tuple)]
    assert all(status in (101, 400, 426) for status, _, _ in refusals)
    # The text goes into an answer: what the peer sent must not be able to begin a line there.
    assert not any("\r" in text or "\n" in text for _, text, _ in refusals)
    return seen


def main() -> None:
    import atheris
    from atheris.instrument_bytecode import patch_code

    instrumented = load_sources("ioto_fuzzed_websocket", lambda code: patch_code(code, True))
    atheris.Setup(sys.argv, lambda data: check(data, instrumented))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
