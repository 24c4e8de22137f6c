"""Which texts are URLs of WebSockets, and what a request to them says."""

from __future__ import annotations

import pytest

from ioto_server.client import Address, AddressError, parse_address


@pytest.mark.parametrize(
    ("text", "secure", "host", "port", "target", "authority"),
    [
        ("ws://example.com/ws/chat?room=a", False, "example.com", 80, "/ws/chat?room=a", "example.com"),
        ("wss://example.com", True, "example.com", 443, "/", "example.com"),
        ("ws://localhost:4100/ws/echo", False, "localhost", 4100, "/ws/echo", "localhost:4100"),
        ("http://localhost:4100", False, "localhost", 4100, "/", "localhost:4100"),
        ("https://example.com:8443/x", True, "example.com", 8443, "/x", "example.com:8443"),
        ("localhost:4100/ws/echo", False, "localhost", 4100, "/ws/echo", "localhost:4100"),
        ("WSS://Example.com/", True, "Example.com", 443, "/", "Example.com"),
        ("ws://[::1]:4100/ws", False, "::1", 4100, "/ws", "[::1]:4100"),
        ("ws://[fe80::1%25eth0]/", False, "fe80::1%eth0", 80, "/", "[fe80::1]"),
        ("ws://example.com?x=1", False, "example.com", 80, "/?x=1", "example.com"),
        ("ws://bü.example/ä%20b", False, "xn--b-eha.example", 80, "/%C3%A4%20b", "xn--b-eha.example"),
        ("wss://example.com:80/", True, "example.com", 80, "/", "example.com:80"),
    ],
)  # fmt: skip
def test_urls(text: str, secure: bool, host: str, port: int, target: str, authority: str) -> None:
    address = parse_address(text)
    assert address == Address(secure, host, port, target)
    assert address.authority == authority


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ftp://example.com/", "write ws:// or wss://"),
        ("ws://", "names no host"),
        ("ws:///path", "names no host"),
        ("ws://example.com/#part", "RFC 6455 3"),
        ("ws://ada:secret@example.com/", "Authorization"),
        ("ws://example.com:0/", "1 to 65535"),
        ("ws://example.com:65536/", "1 to 65535"),
        ("ws://example.com:abc/", "names no host"),
        ("ws://[::1/", "names no host"),
        ("ws://exa mple.com/", "blank"),
        ("ws://example.com/\r\nX: y", "control character"),
        ("ws://" + "ä" * 70 + ".example/", "DNS"),
    ],
)
def test_what_is_none(text: str, words: str) -> None:
    with pytest.raises(AddressError, match=words) as caught:
        parse_address(text)
    assert "secret" not in str(caught.value)


def test_an_address_is_shown_as_it_is_typed() -> None:
    assert str(parse_address("localhost:4100/ws/echo?x=1")) == "ws://localhost:4100/ws/echo?x=1"
