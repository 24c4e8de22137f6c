"""The opening handshake, both sides (RFC 6455, 4; RFC 6454)."""

from __future__ import annotations

import base64

import pytest

from ioto_server.websocket.handshake import (
    HandshakeError,
    accept_key,
    check_origin,
    check_request,
    check_response,
    choose_protocol,
    new_key,
    offered_protocols,
    request_headers,
)

from .wire import Headers

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


GOOD = (
    ("Host", "server.example.com"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", KEY),
    ("Sec-WebSocket-Version", "13"),
)


def changed(name: str, *values: str) -> Headers:
    """The good request with other values of one header."""
    return Headers(*((k, v) for k, v in GOOD if k != name), *((name, value) for value in values))


def refused(
    source: Headers, method: str = "GET", version: str = "1.1", has_body: bool = False
) -> HandshakeError:
    with pytest.raises(HandshakeError) as caught:
        check_request(method, version, source, has_body)
    error = caught.value
    assert "\n" not in error.text
    assert str(error) == error.text
    return error


def test_accept_key_of_rfc_example() -> None:
    """1.3: the example's key is answered with "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="."""
    assert accept_key(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_good_request() -> None:
    assert check_request("GET", "1.1", Headers(*GOOD), False) == KEY


@pytest.mark.parametrize("value", ["websocket", "WebSocket", "h2c, websocket", " , WEBSOCKET ,"])
def test_upgrade_is_a_list_in_any_case(value: str) -> None:
    """4.2.1, 3: "the value "websocket", treated as an ASCII case-insensitive value"."""
    assert check_request("GET", "1.1", changed("Upgrade", value), False) == KEY


@pytest.mark.parametrize("values", [("Upgrade",), ("keep-alive, upgrade",), ("keep-alive", "UPGRADE")])
def test_connection_is_a_list_in_any_case(values: tuple[str, ...]) -> None:
    assert check_request("GET", "1.1", changed("Connection", *values), False) == KEY


def test_repeated_upgrade_headers() -> None:
    assert check_request("GET", "1.1", changed("Upgrade", "h2c", "websocket"), False) == KEY


@pytest.mark.parametrize("method", ["POST", "HEAD", "CONNECT", "get"])
def test_method_must_be_get(method: str) -> None:
    """4.1, 2: "The method of the request MUST be GET"."""
    error = refused(Headers(*GOOD), method=method)
    assert (error.status, error.headers) == (405, [("Allow", "GET")])
    assert error.text == f"WebSocket needs GET, not {method} (RFC 6455 4.1)"


def test_long_method_is_cut() -> None:
    assert len(refused(Headers(*GOOD), method="X" * 10000).text) < 100


def test_http_1_0() -> None:
    error = refused(Headers(*GOOD), version="1.0")
    assert (error.status, error.text) == (400, "WebSocket needs HTTP/1.1, not HTTP/1.0 (RFC 6455 4.1)")


UPGRADE = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")]


@pytest.mark.parametrize("values", [(), ("",), ("h2c",), ("websocket2",), ("web socket",), ("websocket/13",)])
def test_plain_get_is_told_to_upgrade(values: tuple[str, ...]) -> None:
    error = refused(changed("Upgrade", *values))
    assert (error.status, error.headers) == (426, UPGRADE)
    assert error.text == "This address speaks WebSocket only (RFC 6455)"


@pytest.mark.parametrize("values", [(), ("keep-alive",), ("upgraded",)])
def test_connection_without_upgrade(values: tuple[str, ...]) -> None:
    error = refused(changed("Connection", *values))
    assert (error.status, error.text) == (400, "Header Connection lacks the token upgrade (RFC 6455 4.2.1)")


@pytest.mark.parametrize("name", ["Host", "Sec-WebSocket-Key", "Sec-WebSocket-Version"])
def test_single_headers(name: str) -> None:
    """4.1 and 11.3: each of them is there, and only once."""
    error = refused(changed(name))
    assert (error.status, error.text) == (400, f"Header {name} is missing (RFC 6455 4.2.1)")
    value = dict(GOOD)[name]
    error = refused(changed(name, value, value))
    assert (error.status, error.text) == (400, f"Header {name} is there more than once (RFC 6455 4.2.1)")


@pytest.mark.parametrize("version", ["", "0", "8", "12", "14", "013", "13.0", "13, 8", "x"])
def test_other_versions(version: str) -> None:
    """4.4: "the server MUST respond with one or more |Sec-WebSocket-Version| header fields [...]"."""
    error = refused(changed("Sec-WebSocket-Version", version))
    assert (error.status, error.headers) == (426, UPGRADE)
    assert error.text == "Sec-WebSocket-Version must be 13 (RFC 6455 4.4)"


@pytest.mark.parametrize(
    "key",
    [
        "",
        "x",
        KEY[:-1],
        KEY + "=",
        KEY + "\n",
        "dGhlIHNhbXBsZSBub25jZQ",
        base64.b64encode(bytes(15)).decode(),
        base64.b64encode(bytes(17)).decode(),
        "dGhlIHNhbXBsZSBub25j Q==",
        "dGhlIHNhbXBsZSBub25j-_==",
        "dGhlIHNhbXBsZSBub25jéé==",
    ],
)
def test_key_must_be_16_bytes(key: str) -> None:
    """4.2.1, 5: "a base64-encoded [...] value that, when decoded, is 16 bytes in length"."""
    error = refused(changed("Sec-WebSocket-Key", key))
    assert (error.status, error.text) == (
        400,
        "Sec-WebSocket-Key must be 16 bytes in base64 (RFC 6455 4.2.1)",
    )


def test_request_must_not_have_a_body() -> None:
    error = refused(Headers(*GOOD), has_body=True)
    assert (error.status, error.text) == (400, "WebSocket request must not have a body (RFC 6455 4.1)")


def test_origin_only_once() -> None:
    error = refused(Headers(*GOOD, ("Origin", "http://a"), ("Origin", "http://b")))
    assert (error.status, error.text) == (400, "Header Origin is there more than once (RFC 6454 7.3)")


# Sub-protocols


def offer(*values: str) -> Headers:
    return Headers(*(("Sec-WebSocket-Protocol", value) for value in values))


def test_offered_protocols() -> None:
    assert offered_protocols(offer()) == []
    assert offered_protocols(offer("chat")) == ["chat"]
    assert offered_protocols(offer("chat, superchat", "v1.json\t,!#$%&'*+-.^_`|~")) == [
        "chat",
        "superchat",
        "v1.json",
        "!#$%&'*+-.^_`|~",
    ]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (("",), "Sec-WebSocket-Protocol is empty (RFC 6455 4.1)"),
        ((" , ",), "Sec-WebSocket-Protocol is empty (RFC 6455 4.1)"),
        (("a b",), "Sec-WebSocket-Protocol must be a list of tokens (RFC 6455 4.1)"),
        (("chat;x",), "Sec-WebSocket-Protocol must be a list of tokens (RFC 6455 4.1)"),
        (("é",), "Sec-WebSocket-Protocol must be a list of tokens (RFC 6455 4.1)"),
        (("a, b, a",), "Sec-WebSocket-Protocol names one protocol twice (RFC 6455 4.1)"),
        (("a", "a"), "Sec-WebSocket-Protocol names one protocol twice (RFC 6455 4.1)"),
    ],
)
def test_broken_offers(values: tuple[str, ...], text: str) -> None:
    """4.1, 10: the elements "MUST be non-empty strings [...] and MUST all be unique strings"."""
    with pytest.raises(HandshakeError) as caught:
        offered_protocols(offer(*values))
    assert (caught.value.status, caught.value.text) == (400, text)


def test_first_of_ours_is_chosen() -> None:
    assert choose_protocol(["a", "b", "c"], ["x", "c", "b"]) == "c"


def test_clients_first_is_chosen_where_we_take_any() -> None:
    assert choose_protocol(["a", "b"], None) == "a"


@pytest.mark.parametrize("ours", [None, [], ["chat"]])
def test_no_offer_no_choice(ours: list[str] | None) -> None:
    assert choose_protocol([], ours) is None


@pytest.mark.parametrize("ours", [[], ["chat"], ["A"]])
def test_no_match_is_refused(ours: list[str]) -> None:
    with pytest.raises(HandshakeError) as caught:
        choose_protocol(["a", "b"], ours)
    assert (caught.value.status, caught.value.text) == (400, "Unsupported Sec-WebSocket-Protocol")


# Origins


@pytest.mark.parametrize(
    ("origin", "host", "scheme", "allowed"),
    [
        (None, "a.example", "http", True),
        ("http://a.example", "a.example", "http", True),
        ("http://A.Example:80", "a.example", "http", True),
        ("http://a.example", "A.EXAMPLE:80", "http", True),
        ("https://a.example", "a.example", "https", True),
        ("https://a.example:443", "a.example", "https", True),
        ("http://a.example:8080", "a.example:8080", "http", True),
        ("http://[::1]:4100", "[::1]:4100", "http", True),
        ("http://[::1]", "[::1]", "http", True),
        ("http://a.example", "a.example:8080", "http", False),
        ("http://a.example:8080", "a.example", "http", False),
        ("http://a.example", "a.example", "https", False),
        ("http://b.example", "a.example", "http", False),
        ("http://a.example.evil.example", "a.example", "http", False),
        ("null", "null", "http", False),
        ("null", "a.example", "http", False),
        ("", "", "http", False),
        ("file://", "", "http", False),
        ("a.example", "a.example", "http", False),
        ("http://a.example/", "a.example", "http", False),
        ("http://user@a.example", "a.example", "http", False),
        ("http://a.example http://b.example", "a.example", "http", False),
        ("http://a.example:", "a.example", "http", False),
        ("http://a.example:x", "a.example", "http", False),
    ],
)
def test_same_host(origin: str | None, host: str, scheme: str, allowed: bool) -> None:
    """SPEC 2: the Origin's host and port (the scheme's default) equal Host; `null` is refused."""
    assert check_origin(origin, host, scheme, None) is allowed


@pytest.mark.parametrize(
    ("origin", "patterns", "allowed"),
    [
        (None, ["a.example"], True),
        ("http://x.example", ["*"], True),
        ("null", ["*"], True),
        ("null", ["null"], True),
        ("null", ["a.example"], False),
        ("http://a.example", ["b.example", "A.example"], True),
        ("https://a.example", ["a.example"], True),
        ("http://a.example:8080", ["a.example"], False),
        ("http://a.example:8080", ["a.example:8080"], True),
        ("http://a.example:8080", ["a.example:*"], True),
        ("http://a.example", ["a.example:*"], True),
        ("http://a.example", ["https://a.example"], False),
        ("https://a.example", ["https://a.example"], True),
        ("https://a.example", ["https://a.example:443"], True),
        ("https://a.example:444", ["https://a.example"], False),
        ("https://b.a.example", ["https://*.a.example"], True),
        ("https://c.b.a.example", ["*.a.example"], True),
        ("https://a.example", ["*.a.example"], False),
        ("https://evila.example", ["*.a.example"], False),
        ("https://a.example.evil", ["*.a.example"], False),
        ("https://axexample", ["a.example"], False),
        ("http://[::1]:4100", ["[::1]:4100"], True),
        ("http://a.example", [], False),
    ],
)
def test_allowed_origins(origin: str | None, patterns: list[str], allowed: bool) -> None:
    assert check_origin(origin, "server.example", "https", patterns) is allowed


# The client's side


def test_keys_are_16_fresh_bytes() -> None:
    keys = {new_key() for _ in range(50)}
    assert len(keys) == 50
    assert all(len(base64.b64decode(key, validate=True)) == 16 for key in keys)


def test_request_passes_our_own_check() -> None:
    key = new_key()
    headers = request_headers("h:81", key)
    assert check_request("GET", "1.1", Headers(*headers), False) == key
    assert [name for name, _ in headers] == [
        "Host",
        "Upgrade",
        "Connection",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
    ]


def test_request_with_everything() -> None:
    headers = request_headers(
        "h", KEY, origin="http://o", protocols=["a", "b"], extensions="permessage-deflate"
    )
    assert headers[-3:] == [
        ("Origin", "http://o"),
        ("Sec-WebSocket-Protocol", "a, b"),
        ("Sec-WebSocket-Extensions", "permessage-deflate"),
    ]


ANSWER = (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept_key(KEY)))


def answer(name: str, *values: str) -> Headers:
    return Headers(*((k, v) for k, v in ANSWER if k != name), *((name, value) for value in values))


def test_good_answer() -> None:
    assert check_response(101, Headers(*ANSWER), KEY) is None
    assert check_response(101, answer("Upgrade", "WebSocket"), KEY, ["a"]) is None
    assert check_response(101, answer("Sec-WebSocket-Protocol", "b"), KEY, ["a", "b"]) == "b"


@pytest.mark.parametrize(
    ("status", "source", "text"),
    [
        (200, Headers(*ANSWER), "Server answered 200 instead of 101 Switching Protocols"),
        (403, Headers(), "Server answered 403 instead of 101 Switching Protocols"),
        (101, answer("Upgrade"), "Server's Upgrade header is not websocket (RFC 6455 4.1)"),
        (101, answer("Upgrade", "h2c"), "Server's Upgrade header is not websocket (RFC 6455 4.1)"),
        (101, answer("Connection"), "Server's Connection header lacks the token upgrade (RFC 6455 4.1)"),
        (
            101,
            answer("Sec-WebSocket-Accept"),
            "Server's Sec-WebSocket-Accept does not match the key (RFC 6455 4.1)",
        ),
        (
            101,
            answer("Sec-WebSocket-Accept", accept_key("x")),
            "Server's Sec-WebSocket-Accept does not match the key (RFC 6455 4.1)",
        ),
        (
            101,
            answer("Sec-WebSocket-Protocol", "c"),
            "Server chose a sub-protocol that was not offered (RFC 6455 4.1)",
        ),
        (
            101,
            answer("Sec-WebSocket-Protocol", "a", "b"),
            "Server chose a sub-protocol that was not offered (RFC 6455 4.1)",
        ),
    ],
)
def test_bad_answers(status: int, source: Headers, text: str) -> None:
    """4.1: "the client MUST _Fail the WebSocket Connection_"."""
    with pytest.raises(HandshakeError) as caught:
        check_response(status, source, KEY, ["a", "b"])
    assert (caught.value.status, caught.value.text) == (status, text)
