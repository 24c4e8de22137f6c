"""Any conversation, any cut, any pause: the same events, the same answers, the codec's own errors alone."""

from __future__ import annotations

from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.parity.both import reference, running

from .conversation import Conversation, bytewise, cut, play
from .strategies import conversations, places


@pytest.fixture(params=[running, reference], ids=["running", "sources"], scope="session")
def codec(request: pytest.FixtureRequest) -> ModuleType:
    return request.param()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(conversations, places, places, st.integers(0, 3))
def test_events_do_not_depend_on_cuts(
    codec: ModuleType, conversation: Conversation, one: list[int], other: list[int], pause: int
) -> None:
    wire = conversation.wire
    whole = play(codec, conversation, [wire])
    assert play(codec, conversation, cut(wire, one)) == whole
    assert play(codec, conversation, cut(wire, other), pause=pause) == whole
    if len(wire) < 3000:
        assert play(codec, conversation, bytewise(wire)) == whole
