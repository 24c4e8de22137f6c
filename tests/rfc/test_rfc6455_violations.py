"""RFC 6455 and 7692: what a peer must not do, with close code and reason word for word, on both builds."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.fuzz.conversation import bytewise, cut, play
from tests.parity.both import reference, running

from .violations import VIOLATIONS, Violation


@pytest.fixture(params=[running, reference], ids=["running", "sources"])
def codec(request: pytest.FixtureRequest) -> ModuleType:
    return request.param()


@pytest.mark.parametrize("violation", VIOLATIONS, ids=lambda one: one.name)
def test_code_and_reason(codec: ModuleType, violation: Violation) -> None:
    transcript = play(codec, violation.conversation, [violation.wire])
    assert tuple(event[0] for event in transcript) == (*violation.before, "FAILED")
    assert transcript[-1][1:4] == ("ProtocolError", violation.code, violation.reason)
    assert transcript[-1][4] == f"{violation.reason} (close code {violation.code})"


@pytest.mark.parametrize("violation", VIOLATIONS, ids=lambda one: one.name)
def test_verdict_comes_at_the_byte_that_decides(codec: ModuleType, violation: Violation) -> None:
    """7.1.7 fails a connection for what was received: earlier nothing is known, later is too late."""
    early = play(codec, violation.conversation, bytewise(violation.wire[: violation.known - 1]))
    assert [event[0] for event in early] == list(violation.before)
    whole = play(codec, violation.conversation, [violation.wire])
    assert play(codec, violation.conversation, bytewise(violation.wire[: violation.known])) == whole


@pytest.mark.parametrize("violation", VIOLATIONS, ids=lambda one: one.name)
def test_every_cut_gives_the_same(codec: ModuleType, violation: Violation) -> None:
    whole = play(codec, violation.conversation, [violation.wire])
    assert play(codec, violation.conversation, bytewise(violation.wire)) == whole
    for place in range(1, len(violation.wire)):
        assert play(codec, violation.conversation, cut(violation.wire, [place])) == whole
        assert play(codec, violation.conversation, cut(violation.wire, [place]), pause=1) == whole


def test_names_are_unlike() -> None:
    assert len({one.name for one in VIOLATIONS}) == len(VIOLATIONS)
