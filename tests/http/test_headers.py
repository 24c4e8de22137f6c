"""Headers: the multi-map of RFC 9110 5, and what may be written into a response."""

from __future__ import annotations

import pytest

from ioto_server.http import Headers
from ioto_server.http.headers import members


def test_names_are_case_insensitive_and_lines_keep_their_order() -> None:
    """RFC 9110 5.1, 5.3."""
    headers = Headers([("Accept", "a"), ("X-Mine", "1"), ("ACCEPT", "b")])
    assert headers.get_all("accept") == ["a", "b"]
    assert headers.get("aCCept") == "a, b"
    assert "x-mine" in headers
    assert "X-Other" not in headers
    assert list(headers.items()) == [("Accept", "a"), ("Accept", "b"), ("X-Mine", "1")]
    assert len(headers) == 3


def test_get_without_a_field_gives_the_default() -> None:
    headers = Headers()
    assert headers.get("X") is None
    assert headers.get("X", "y") == "y"
    assert headers.get_all("X") == []


def test_cookie_lines_are_joined_as_cookies() -> None:
    """RFC 6265 5.4: one Cookie field; split ones (HTTP/2 gateways do it) join by a semicolon."""
    assert Headers([("Cookie", "a=1"), ("Cookie", "b=2")]).get("cookie") == "a=1; b=2"


def test_usual_spelling() -> None:
    headers = Headers([("etag", "1"), ("sec-websocket-key", "2"), ("x-my-own", "3")])
    assert [name for name, _ in headers.items()] == ["ETag", "Sec-WebSocket-Key", "X-My-Own"]


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\0b", "a\x1bb", "a\x7fb", "€"])
def test_a_value_that_would_end_a_line_is_refused(value: str) -> None:
    """RFC 9110 5.5: response splitting is not possible through any value."""
    with pytest.raises(ValueError, match="X-Mine"):
        Headers([("X-Mine", value)])


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "é", "(a)"])
def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    """RFC 9110 5.1."""
    with pytest.raises(ValueError, match="token"):
        Headers([(name, "x")])


def test_tabs_and_latin_1_are_values() -> None:
    assert Headers([("X", "a\tb é")]).get("X") == "a\tb é"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["keep-alive, Upgrade"], ["keep-alive", "upgrade"]),
        (["a", "B"], ["a", "b"]),
        ([" ,\ta ,,b,"], ["a", "b"]),
        ([""], []),
        ([], []),
    ],
)
def test_members_of_a_list(values: list[str], expected: list[str]) -> None:
    """RFC 9110 5.6.1.2: empty members are dropped."""
    assert members(values) == expected
