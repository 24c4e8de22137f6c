"""A conversation written down, and all that can be seen of a codec that takes part in it.

What the program sends is tied to the events, not to places in the input: "after the third event, this". So
the whole transcript must be the same however the input is cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import ModuleType
from typing import Any

#: A method of Protocol and its arguments but the last, `out`.
Call = tuple[Any, ...]
Transcript = list[tuple[Any, ...]]

LIMITS = {"max_message": 1 << 20, "max_frame": 1 << 17, "max_fragments": 1000}

#: What may be held besides a message: a header but its last byte, and a control frame's payload.
HEADER = 13
CONTROL = 125


@dataclass(frozen=True)
class Conversation:
    """`wire`: what arrives. `settings`: of Protocol. `agreed`: the fields of Deflate, or None.

    `calls`: what is sent right after the event of that number; after number 0: before anything arrives.
    """

    wire: bytes
    settings: Mapping[str, Any] = field(default_factory=dict)
    agreed: Mapping[str, Any] | None = None
    calls: Mapping[int, Sequence[Call]] = field(default_factory=dict)


class Player:
    """One side of a conversation, driven step by step; notes everything in `transcript`."""

    def __init__(self, codec: ModuleType, conversation: Conversation) -> None:
        self._codec = codec
        self._conversation = conversation
        self._settings = {**LIMITS, **conversation.settings}
        agreed = conversation.agreed
        self.protocol = codec.Protocol(
            **self._settings, deflate=None if agreed is None else codec.Deflate(**agreed)
        )
        self._events = 0
        self.transcript: Transcript = []
        self._call()

    def receive(self, lent: bytes | bytearray, start: int = 0, end: int | None = None) -> None:
        self.protocol.receive(lent, start, end)

    def pull(self) -> bool:
        """Pull one event, but for INFLATING, which depends on the cuts; false when there is none."""
        protocol = self.protocol
        while (kind := protocol.next_event()) == self._codec.Received.INFLATING:
            pass
        assert type(kind) is self._codec.Received
        if kind == self._codec.Received.NEED_DATA:
            assert protocol.buffered <= self._settings["max_message"] + HEADER + CONTROL
            return False
        self.transcript.append(self._seen(kind.name))
        self._events += 1
        self._call()
        return True

    def _seen(self, kind: str) -> tuple[Any, ...]:
        protocol = self.protocol
        state = protocol.state.name, protocol.close_sent, protocol.close_received
        if kind in ("MESSAGE", "PIECE"):
            data = protocol.data
            return kind, protocol.opcode.name, type(data).__name__, data, protocol.data_length, state
        if kind in ("PING", "PONG"):
            return kind, type(protocol.data).__name__, protocol.data, state
        if kind == "CLOSE":
            return kind, protocol.close_code, protocol.close_reason, state
        error = protocol.error
        assert error.code in (1002, 1007, 1009)
        assert 0 < len(error.reason.encode("ascii")) <= 123
        return kind, type(error).__name__, error.code, error.reason, str(error), state

    def _call(self) -> None:
        """Make the calls that are due; only the codec's own errors may come of them."""
        for name, *arguments in self._conversation.calls.get(self._events, ()):
            out: list[bytes] = []
            result: Any
            try:
                result = getattr(self.protocol, name)(*arguments, out)
            except (ValueError, self._codec.StateError) as error:
                assert not out, "something was written before it was refused"
                result = type(error).__name__, str(error)
            else:
                assert result == sum(map(len, out))
                assert all(type(item) is bytes for item in out)
            client = self._settings.get("client", False)
            wire: Any = list(parsed(b"".join(out))) if client else tuple(out)
            self.transcript.append((name, result, wire, [len(item) for item in out]))


def play(
    codec: ModuleType, conversation: Conversation, chunks: Iterable[bytes], *, pause: int = 0
) -> Transcript:
    """Take part in a conversation whose input comes in these chunks; returns all that can be seen.

    The chunks are lent in one buffer that is overwritten each time, as a server's is. `pause`: after each so
    many events of a chunk the driver holds, and goes on with the next chunk behind what is left.
    """
    player = Player(codec, conversation)
    for chunk in chunks:
        shared = bytearray(b"\xee" * 3 + chunk + b"\xee" * 5)
        player.receive(shared, 3, 3 + len(chunk))
        count = 0
        while player.pull():
            count += 1
            if count == pause:
                player.protocol.hold()
                break
        shared[:] = b"\xdd" * len(shared)
    while player.pull():
        pass
    return player.transcript


def cut(wire: bytes, places: Iterable[int]) -> list[bytes]:
    """Cut a wire at these places, each taken modulo its length."""
    borders = [0, *sorted(place % (len(wire) + 1) for place in places), len(wire)]
    return [wire[start:end] for start, end in pairwise(borders)]


def bytewise(wire: bytes) -> list[bytes]:
    return [wire[i : i + 1] for i in range(len(wire))]


def parsed(wire: bytes) -> Iterator[tuple[int, bool, bytes]]:
    """Take frames apart: first byte, masked or not, payload without mask. Written from RFC 6455, 5.2."""
    at = 0
    while at < len(wire):
        first, second = wire[at], wire[at + 1]
        size = second & 0x7F
        at += 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size = int.from_bytes(wire[at : at + width], "big")
            at += width
        key = b""
        if second & 0x80:
            key = wire[at : at + 4]
            at += 4
        payload = wire[at : at + size]
        at += size
        assert len(payload) == size, "the last frame is cut off"
        yield first, bool(key), bytes(b ^ key[i % 4] for i, b in enumerate(payload)) if key else payload
