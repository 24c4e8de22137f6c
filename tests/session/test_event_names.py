"""Event is an enum like any other, however its members are looked up."""

from __future__ import annotations

import copy

import pytest

from ioto_server import Event

NAMES = ["OPEN", "MESSAGE", "PARTIAL_MESSAGE", "ERROR", "CLOSE"]


def test_each_member_is_found_in_every_way_and_is_one() -> None:
    assert [event.name for event in Event] == NAMES
    for number, name in enumerate(NAMES):
        member = getattr(Event, name)
        assert member is Event[name] is Event(number) is copy.copy(member)
        assert member == number


def test_what_is_no_member_is_an_attribute_error_or_what_a_class_has() -> None:
    with pytest.raises(AttributeError, match="OPENED"):
        getattr(Event, "OPENED")  # noqa: B009  # mypy knows that there is none
    assert Event.__members__["OPEN"] is Event.OPEN
    assert Event.__doc__
    with pytest.raises(AttributeError):
        Event.OPEN = 7  # type: ignore[misc,assignment]
