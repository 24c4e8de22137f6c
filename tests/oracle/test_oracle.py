"""The same conversations in our codec, `websockets`' and `wsproto`'s: who differs from us, and who is right.

Where another differs, the sentence of the RFC that decides stands here; a difference that is not listed
fails, and so does one that is listed and has gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.conversation import Conversation, parsed
from tests.fuzz.strategies import compressed, controls, fragmented, framed, texts
from tests.rfc.violations import AGREED, VIOLATIONS, Violation
from tests.websocket.wire import masked

from .others import Event, ours, websockets, wsproto_

OTHERS: dict[str, Callable[[Conversation], list[Event]]] = {"websockets": websockets, "wsproto": wsproto_}

#: Violation's name, up to a `*`: what the other makes of it, and the sentence that decides.
DIFFERENCES: dict[str, list[tuple[str, list[Event], str]]] = {
    "websockets": [
        (
            "length-2-to-6*",
            [("FAILED", 1009)],
            '6455 5.2: "the most significant bit MUST be 0". A length that cannot be is a broken '
            "frame, 1002, and not a long one.",
        ),
        (
            "length-0-in-*",
            [("MESSAGE", "BINARY", b"")],
            '6455 5.2: "in all cases, the minimal number of bytes MUST be used to encode the length"',
        ),
        (
            "length-*",
            [],
            "6455 5.2, as above: \"for example, the length of a 124-byte-long string can't be encoded as the "
            'sequence 126, 0, 124."',
        ),
        (
            "deflate-empty-payload",
            [("MESSAGE", "BINARY", b"")],
            '7692 7.2.2: "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of the '
            'message." Alone they are the beginning of a stored block and no whole block; an empty message '
            "is 0x00 (7.2.3.6).",
        ),
        (
            "deflate-*",
            [("FAILED", 1002)],
            '6455 7.4.1: 1007 is for "data within a message that was not consistent with the type of the '
            'message"; the frames that carried it broke no rule of the protocol, which 1002 would say.',
        ),
    ],
    "wsproto": [
        (
            "deflate-empty-payload",
            [("MESSAGE", "BINARY", b"")],
            "7692 7.2.2, as above.",
        ),
    ],
}


def difference(other: str, name: str) -> tuple[str, list[Event], str] | None:
    for entry in DIFFERENCES[other]:
        beginning, star, _ = entry[0].partition("*")
        if name == beginning or (star and name.startswith(beginning)):
            return entry
    return None


COMPARABLE = [
    one for one in VIOLATIONS if not set(one.settings) & {"max_message", "max_frame", "max_fragments"}
]


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("violation", COMPARABLE, ids=lambda one: one.name)
def test_violations(violation: Violation, other: str) -> None:
    seen = [event[:2] if event[0] == "FAILED" else event for event in ours(violation.conversation)]
    theirs = OTHERS[other](violation.conversation)
    entry = difference(other, violation.name)
    if entry is None:
        assert theirs == seen
    else:
        assert theirs != seen, "no difference any more: strike the entry out"
        assert theirs == entry[1]


good_controls = controls.filter(lambda one: one[0] != 0x88)
closes = st.one_of(
    st.just(b""),
    st.builds(
        lambda code, reason: code.to_bytes(2, "big") + reason.encode(),
        st.sampled_from([1000, 1001, 1011, 3000, 4999]),
        st.text(max_size=30),
    ),
)


def message(opcode: int, payload: bytes, packed: bool, places: list[int], between: Any) -> list[Any]:
    if packed:
        payload = compressed(payload, 6, False)
    first = opcode | (0x40 if packed else 0)
    return fragmented(first, payload, places, between)


def messages(packed: st.SearchStrategy[bool]) -> st.SearchStrategy[list[Any]]:
    """Good messages, whole or in fragments, with a control frame between those now and then."""
    return st.builds(
        message,
        st.just(2) | st.just(1),
        texts,
        packed,
        st.lists(st.integers(0, 100), max_size=3),
        st.none() | good_controls,
    )


def whole(client: bool, agreed: bool, units: list[list[Any]], close: bytes | None) -> Conversation:
    frames = [frame for unit in units for frame in unit]
    if close is not None:
        frames.append((0x88, close))
    wire = b"".join(framed(client, frame, b"\x01\x82\x43\xc4") for frame in frames)
    return Conversation(wire, {"client": client}, AGREED if agreed else None)


units = {
    agreed: st.lists(
        messages(st.booleans() if agreed else st.just(False)) | good_controls.map(lambda one: [one]),
        max_size=6,
    )
    for agreed in (False, True)
}
good = st.booleans().flatmap(
    lambda agreed: st.builds(whole, st.booleans(), st.just(agreed), units[agreed], st.none() | closes)
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(good)
def test_good_conversations(conversation: Conversation) -> None:
    """Every one of the three sees the same messages, pings and closes, but for what the next test shows."""
    seen = ours(conversation)
    assert all(event[0] != "FAILED" for event in seen)
    assert websockets(conversation) == seen
    if not interrupted(conversation):
        assert wsproto_(conversation) == seen


def interrupted(conversation: Conversation) -> bool:
    """Whether a control frame stands between the fragments of a compressed message."""
    inside = False
    for first, _, _ in parsed(conversation.wire):
        if first & 0x08:
            if inside:
                return True
        else:
            inside = not first & 0x80 and (inside or bool(first & 0x40))
    return False


def test_control_frame_inside_a_compressed_message() -> None:
    """6455 5.4: "Control frames MAY be injected in the middle of a fragmented message."

    What follows goes on with the message, compressed as it began: "non-first fragments" have no bit of their
    own (7692 6). wsproto forgets at the control frame that the message is compressed.
    """
    frames = fragmented(0x42, compressed(b"hello", 6, False), [3], (0x89, b""))
    conversation = Conversation(b"".join(masked(*frame) for frame in frames), {}, AGREED)
    seen = ours(conversation)
    assert seen == [("PING", b""), ("MESSAGE", "BINARY", b"hello")]
    assert websockets(conversation) == seen
    assert wsproto_(conversation) != seen, "no difference any more: strike interrupted() out"


def test_several_verdicts_in_one_wire() -> None:
    """7.1.7: what was complete before the fault is told, and nothing behind it."""
    wire = masked(0x81, b"one") + masked(0x89, b"p") + masked(0x83) + masked(0x81, b"two")
    conversation = Conversation(wire)
    expected: list[Event] = [("MESSAGE", "TEXT", "one"), ("PING", b"p"), ("FAILED", 1002)]
    assert [event[:2] if event[0] == "FAILED" else event for event in ours(conversation)] == expected
    assert websockets(conversation) == expected
    assert wsproto_(conversation) == expected
