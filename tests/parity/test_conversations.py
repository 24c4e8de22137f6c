"""What runs against its sources: equal events, bytes and words for each conversation, however it is cut."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.conversation import Conversation, bytewise, cut, play
from tests.fuzz.strategies import conversations, places
from tests.rfc.violations import VIOLATIONS, Violation

from .both import EXPECT_COMPILED, reference, running


def test_expected_build_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is to show parity with the compiled build says so, and must not pass without it."""
    codec = running()
    monkeypatch.setenv(EXPECT_COMPILED, "1")
    if codec.BUILD == "compiled":
        assert running() is codec
    else:
        with pytest.raises(AssertionError, match="the pure build runs"):
            running()


def test_reference_is_the_sources() -> None:
    pure = reference()
    assert pure.BUILD == "pure"
    for name in ("protocol", "receiver", "reader", "compression", "frames", "utf8", "handshake", "deflate"):
        module = getattr(pure, name)
        assert module.__name__ == f"{pure.__name__}.{name}"
        assert module.__file__.endswith(f"{name}.py")
    assert pure.Protocol is not running().Protocol


@pytest.mark.parametrize("violation", VIOLATIONS, ids=lambda one: one.name)
def test_violations_at_every_cut(violation: Violation) -> None:
    wire = violation.wire
    expected = play(reference(), violation.conversation, [wire])
    assert play(running(), violation.conversation, [wire]) == expected
    assert play(running(), violation.conversation, bytewise(wire)) == expected
    for place in range(1, len(wire)):
        assert play(running(), violation.conversation, cut(wire, [place])) == expected


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(conversations, places, st.integers(0, 3))
def test_conversations(conversation: Conversation, one: list[int], pause: int) -> None:
    wire = conversation.wire
    expected = play(reference(), conversation, [wire])
    assert play(running(), conversation, [wire]) == expected
    assert play(running(), conversation, cut(wire, one), pause=pause) == expected
    if len(wire) < 3000:
        assert play(running(), conversation, bytewise(wire)) == expected
