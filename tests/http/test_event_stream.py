"""Server-sent events (WHATWG HTML 9.2.5, 9.2.6)."""

from __future__ import annotations

from typing import Any

import pytest

from ioto_server.http import encode_comment, encode_event


@pytest.mark.parametrize(
    ("data", "options", "expected"),
    [
        ("x", {}, "data: x\n\n"),
        ("", {}, "data: \n\n"),
        ("a\nb\r\nc\rd", {}, "data: a\ndata: b\ndata: c\ndata: d\n\n"),
        ("a\n", {}, "data: a\ndata: \n\n"),
        (" two", {}, "data:  two\n\n"),
        ("é\u2028\x0b\x85", {}, "data: é\u2028\x0b\x85\n\n"),
        (
            "x",
            {"event": "tick", "event_id": "7", "retry": 1.5},
            "event: tick\nid: 7\nretry: 1500\ndata: x\n\n",
        ),
        ("x", {"event_id": "", "retry": 0}, "id: \nretry: 0\ndata: x\n\n"),
    ],
)
def test_events(data: str, options: dict[str, Any], expected: str) -> None:
    assert encode_event(data, **options) == expected.encode()


@pytest.mark.parametrize(
    "options",
    [
        {"event": "a\nb"},
        {"event_id": "a\rb"},
        {"event_id": "a\0b"},
        {"retry": -1},
        {"retry": float("nan")},
        {"retry": float("inf")},
    ],
)
def test_what_would_be_read_as_something_else_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"event|retry"):
        encode_event("x", **options)


def test_comments() -> None:
    assert encode_comment() == b": \n\n"
    assert encode_comment("alive") == b": alive\n\n"
    with pytest.raises(ValueError, match="comment"):
        encode_comment("a\ndata: b")
