"""A client and a server that talk to each other, in every way that hypothesis can think of, and are attacked.

The machine remembers what each side sent. What arrives must be just that, in order and once, whatever else
happens; a peer that breaks a rule is told its close code and reason; and at the end the bytes that each side
received are played to a fresh codec in other pieces, which must see the same.
"""

from __future__ import annotations

from collections import deque
from types import ModuleType
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.parity.both import reference, running
from tests.rfc.violations import VIOLATIONS
from tests.websocket.wire import masked, plain

from .conversation import CONTROL, HEADER

MAX_MESSAGE = 3000
MAX_FRAME = 700
LIMITS = {"max_message": MAX_MESSAGE, "max_frame": MAX_FRAME, "max_fragments": 40}

#: Attacks that are the same whatever was agreed, and that stand between two messages.
ATTACKS = [one for one in VIOLATIONS if not (one.settings or one.agreed or one.before)]

texts = st.one_of(st.text(max_size=30), st.sampled_from(["é" * 600, "a" * MAX_MESSAGE, "😀" * 50]))
binaries = st.one_of(st.binary(max_size=30), st.sampled_from([bytes(126), bytes(range(256)) * 10]))


class Side:
    """One endpoint: its codec, the bytes on the way to it, what the other has sent, what is still to come."""

    def __init__(self, codec: ModuleType, client: bool, stream: bool, agreed: dict[str, Any] | None) -> None:
        self.codec = codec
        self.client = client
        self.stream = stream
        self.agreed = agreed
        self.protocol = self.make()
        self.wire = bytearray()
        self.read = bytearray()
        self.expected: deque[tuple[Any, ...]] = deque()
        self.pieces: list[Any] = []
        self.events: list[tuple[Any, ...]] = []
        self.held = False
        self.attacked = False
        self.closed_after: int | None = None
        self.begun = 0
        self.blocks: list[Any] = []

    def make(self) -> Any:
        deflate = None if self.agreed is None else self.codec.Deflate(**self.agreed)
        return self.codec.Protocol(self.client, **LIMITS, stream=self.stream, deflate=deflate)

    @property
    def may_send(self) -> bool:
        return not self.protocol.close_sent

    def deaf(self) -> bool:
        protocol = self.protocol
        return protocol.close_received or protocol.error is not None

    def pull(self) -> bool:
        while (kind := self.protocol.next_event()) == self.codec.Received.INFLATING:
            pass
        if kind == self.codec.Received.NEED_DATA:
            return False
        self.see(note(self.protocol, kind.name))
        return True

    def see(self, event: tuple[Any, ...]) -> None:
        self.events.append(event)
        if event[0] == "PIECE":
            assert self.stream
            self.pieces.append(event[2])
            return
        if event[0] == "MESSAGE" and self.pieces:
            whole = event[2][:0].join([*self.pieces, event[2]])
            self.pieces.clear()
            event = (*event[:2], whole)
        if self.protocol.close_sent:
            # Messages that were on their way are not told any more.
            while self.expected and self.expected[0][0] not in ("CLOSE", "FAILED"):
                self.expected.popleft()
        assert event == self.expected.popleft()


def note(protocol: Any, kind: str) -> tuple[Any, ...]:
    if kind in ("MESSAGE", "PIECE"):
        return kind, protocol.opcode.name, protocol.data
    if kind in ("PING", "PONG"):
        return kind, protocol.data
    if kind == "CLOSE":
        return kind, protocol.close_code, protocol.close_reason
    return kind, protocol.error.code, protocol.error.reason


class Conversation(RuleBasedStateMachine):
    client_codec = staticmethod(reference)
    server_codec = staticmethod(running)

    @initialize(
        streams=st.tuples(st.booleans(), st.booleans()),
        deflate=st.one_of(
            st.none(), st.tuples(st.integers(9, 15), st.integers(9, 15), st.booleans(), st.booleans())
        ),
        threshold=st.sampled_from([0, 20]),
    )
    def begin(self, streams: tuple[bool, bool], deflate: Any, threshold: int) -> None:
        there = back = None
        if deflate is not None:
            there, back = (
                {
                    "send_window_bits": deflate[i],
                    "receive_window_bits": deflate[1 - i],
                    "send_takeover": deflate[2 + i],
                    "receive_takeover": deflate[3 - i],
                    "threshold": threshold,
                }
                for i in (0, 1)
            )
        self.sides = (
            Side(self.client_codec(), True, streams[0], there),
            Side(self.server_codec(), False, streams[1], back),
        )

    def send(self, who: int, name: str, *arguments: Any) -> bool:
        """Make a call, put its bytes on the way; false if the codec refused it."""
        side = self.sides[who]
        out: list[bytes] = []
        try:
            size = getattr(side.protocol, name)(*arguments, out)
        except (ValueError, side.codec.StateError):
            assert not out
            return False
        assert size == sum(map(len, out))
        other = self.sides[1 - who]
        if not other.attacked:
            other.wire += b"".join(out)
        return True

    def expect(self, who: int, *event: Any) -> None:
        other = self.sides[1 - who]
        if not other.attacked:
            other.expected.append(event)

    @rule(who=st.integers(0, 1), text=texts)
    def send_text(self, who: int, text: str) -> None:
        side = self.sides[who]
        allowed = side.may_send and not side.begun and len(text.encode()) <= MAX_MESSAGE
        assert self.send(who, "send_message", 1, text) == allowed
        if allowed:
            self.expect(who, "MESSAGE", "TEXT", text)

    @rule(who=st.integers(0, 1), data=binaries)
    def send_binary(self, who: int, data: bytes) -> None:
        side = self.sides[who]
        allowed = side.may_send and not side.begun
        assert self.send(who, "send_message", 2, data) == allowed
        if allowed:
            self.expect(who, "MESSAGE", "BINARY", data)

    @rule(who=st.integers(0, 1), opcode=st.integers(1, 2), text=st.text(max_size=200), fin=st.booleans())
    def send_block(self, who: int, opcode: int, text: str, fin: bool) -> None:
        side = self.sides[who]
        block = text if opcode == 1 else text.encode()
        size = sum(len(one.encode() if isinstance(one, str) else one) for one in [*side.blocks, block])
        # Each block is a frame or two, and the receiver counts them.
        allowed = side.may_send and side.begun in (0, opcode) and size <= MAX_MESSAGE
        if allowed and len(side.blocks) > 15:
            fin = True
        assert self.send(who, "send_block", opcode, block, fin) == allowed
        if allowed:
            side.blocks.append(block)
            side.begun = 0 if fin else opcode
            if fin:
                whole = side.blocks[0][:0].join(side.blocks)
                side.blocks.clear()
                self.expect(who, "MESSAGE", "TEXT" if opcode == 1 else "BINARY", whole)

    @rule(who=st.integers(0, 1), ping=st.booleans(), data=st.binary(max_size=130))
    def send_control(self, who: int, ping: bool, data: bytes) -> None:
        allowed = self.sides[who].may_send and len(data) <= 125
        assert self.send(who, "send_ping" if ping else "send_pong", data) == allowed
        if allowed:
            self.expect(who, "PING" if ping else "PONG", data)

    @rule(
        who=st.integers(0, 1),
        code=st.sampled_from([None, 1000, 1001, 1011, 3000, 4999, 1005, 999]),
        reason=st.sampled_from(["", "why", "é" * 61, "é" * 62]),
    )
    @precondition(lambda self: len(self.sides[0].events) + len(self.sides[1].events) > 3)
    def send_close(self, who: int, code: int | None, reason: str) -> None:
        side = self.sides[who]
        good = len(reason.encode()) <= 123 if code is not None and code not in (1005, 999) else False
        allowed = side.may_send and (good or (code is None and not reason))
        assert self.send(who, "send_close", code, reason) == allowed
        if allowed:
            side.closed_after = len(side.events)
            self.expect(who, "CLOSE", 1005 if code is None else code, reason)

    @rule(who=st.integers(0, 1), attack=st.sampled_from(ATTACKS))
    @precondition(lambda self: len(self.sides[0].events) + len(self.sides[1].events) > 3)
    def attack(self, who: int, attack: Any) -> None:
        """The peer of this side is replaced by one that breaks a rule."""
        victim, other = self.sides[who], self.sides[1 - who]
        if victim.attacked or other.begun or other.protocol.close_sent or victim.protocol.close_sent:
            return
        wire = attack.wire
        if "to-client" in attack.name:
            return
        if victim.client:
            wire = masked(0x82, b"ab")
            expected = (1002, "Frame from the server is masked (RFC 6455 5.1)")
        elif victim.agreed is not None and attack.wire[0] & 0x70 == 0x40:
            wire = plain(0x82, b"ab")
            expected = (1002, "Frame from the client is not masked (RFC 6455 5.1)")
        else:
            expected = attack.code, attack.reason
        victim.wire += wire
        victim.expected.append(("FAILED", *expected))
        victim.attacked = True

    @rule(who=st.integers(0, 1), size=st.integers(1, 4000), pause=st.integers(0, 3))
    def deliver(self, who: int, size: int, pause: int) -> None:
        """Some of what is on the way arrives; the driver pulls all of it, or pauses after some events."""
        side = self.sides[who]
        chunk = bytes(side.wire[:size])
        del side.wire[:size]
        side.read += chunk
        lent = bytearray(chunk)
        side.protocol.receive(lent)
        count = 0
        side.held = False
        while side.pull():
            count += 1
            if count == pause:
                side.protocol.hold()
                side.held = True
                break
        lent[:] = b"\xdd" * len(lent)

    @rule(who=st.integers(0, 1))
    def go_on(self, who: int) -> None:
        """The driver goes on after a pause."""
        while self.sides[who].pull():
            pass
        self.sides[who].held = False

    @invariant()
    def memory_is_bounded(self) -> None:
        for side in getattr(self, "sides", ()):
            if not side.held:
                assert side.protocol.buffered <= MAX_MESSAGE + HEADER + CONTROL
            else:
                assert side.protocol.buffered <= MAX_MESSAGE + HEADER + CONTROL + 4000 * 50

    @invariant()
    def state_is_what_was_seen(self) -> None:
        for side in getattr(self, "sides", ()):
            protocol = side.protocol
            over = protocol.close_received or protocol.error is not None
            assert protocol.close_sent == (side.closed_after is not None)
            expected = ("OPEN", "CLOSING", "CLOSED")[protocol.close_sent + over]
            assert protocol.state.name == expected

    def teardown(self) -> None:
        for who, side in enumerate(getattr(self, "sides", ())):
            self.deliver(who, len(side.wire) + 1, 0)
            if not side.deaf() and not side.protocol.close_sent:
                assert not side.expected
            if side.closed_after is None:
                # Deaf or not: all that was read, again, in one piece and byte by byte.
                for size in (len(side.read) + 1, 1, 7):
                    assert replay(side, size) == side.events


def replay(side: Side, size: int) -> list[tuple[Any, ...]]:
    protocol = side.make()
    found = []
    for at in range(0, len(side.read), size):
        protocol.receive(bytearray(side.read[at : at + size]))
        while kind := protocol.next_event():
            if kind.name != "INFLATING":
                found.append(note(protocol, kind.name))
    return found


class OtherBuilds(Conversation):
    client_codec = staticmethod(running)
    server_codec = staticmethod(reference)


Conversation.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
OtherBuilds.TestCase.settings = Conversation.TestCase.settings
TestClientOfSources = Conversation.TestCase
TestServerOfSources = OtherBuilds.TestCase
