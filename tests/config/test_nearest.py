"""The name that was meant."""

from __future__ import annotations

import pytest

from ioto_server.config.nearest import nearest

NAMES = ["maxMessage", "maxFrame", "memory", "header", "body", "match"]


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("maxFrme", "maxFrame"),
        ("maxframe", "maxFrame"),
        ("maxFrames", "maxFrame"),
        ("mexFrane", "maxFrame"),
        ("bdy", "body"),
        ("bdoy", "body"),
        ("amtch", "match"),
        ("head", "header"),
        ("mem", "memory"),
        ("max", None),
        ("ma", None),
        ("hdr", None),
        ("xyzzy", None),
        ("", None),
        ("m" * 1000, None),
    ],
)
def test_the_nearest_name(word: str, name: str | None) -> None:
    assert nearest(word, NAMES) == name


def test_of_two_equally_near_the_first() -> None:
    assert nearest("bodi", ["body", "bode"]) == "body"
    assert nearest("bodi", ["bode", "body"]) == "bode"


def test_one_letter_is_near_to_no_other() -> None:
    assert nearest("x", ["g", "m", "kb"]) is None
