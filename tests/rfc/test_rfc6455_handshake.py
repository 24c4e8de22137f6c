"""RFC 6455, 4: borders of the handshake that mutants of it slipped through."""

from __future__ import annotations

import pytest

from ioto_server.websocket.handshake import (
    HandshakeError,
    accept_key,
    check_origin,
    check_request,
    elements,
    request_headers,
)
from tests.websocket.wire import Headers

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
REQUEST = (
    ("Host", "example.com"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", KEY),
)


def test_request_of_a_browser_has_one_origin() -> None:
    """4.1: "The request MUST include a header field with the name |Origin|" from a browser."""
    assert check_request("GET", "1.1", Headers(*REQUEST, ("Origin", "http://example.com")), False) == KEY


@pytest.mark.parametrize("blank", ["\x0b", "\x0c", "\x85", "\xa0", "X"])
def test_only_space_and_tab_stand_around_elements(blank: str) -> None:
    """RFC 9110, 5.6.3: OWS is SP and HTAB, whatever Python calls a blank."""
    assert elements([f"{blank}a{blank}"]) == [f"{blank}a{blank}"]
    assert elements([" \ta\t "]) == ["a"]


def test_method_is_cut_after_20_characters() -> None:
    with pytest.raises(HandshakeError) as caught:
        check_request("A" * 21, "1.1", Headers(*REQUEST), False)
    assert caught.value.text == f"WebSocket needs GET, not {'A' * 20} (RFC 6455 4.1)"


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [("app://page", True), ("page", True), ("app://page:1", False), ("http://page", False)],
)
def test_origin_of_a_scheme_without_a_default_port(allowed: str, expected: bool) -> None:
    assert check_origin("app://page", "example.com", "http", [allowed]) is expected
    assert check_origin("app://page", "page", "http", None) is False


def test_request_is_that_of_the_rfc_in_its_order() -> None:
    """1.3 writes it so; 4.1: the values are compared without case, but servers exist that do not."""
    assert request_headers("example.com", KEY) == [
        ("Host", "example.com"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Version", "13"),
    ]


def test_key_that_is_no_ascii_is_our_own_mistake() -> None:
    with pytest.raises(UnicodeEncodeError):
        accept_key("é")
