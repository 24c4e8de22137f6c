"""The grammar of Sec-WebSocket-Extensions (RFC 6455, 9.1)."""

from __future__ import annotations

import pytest

from ioto_server.websocket.extensions import Extension, format_extension, parse_extensions
from ioto_server.websocket.handshake import HandshakeError

from .wire import Headers


def parsed(*values: str) -> list[Extension]:
    return parse_extensions(Headers(*(("Sec-WebSocket-Extensions", value) for value in values)))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((), []),
        (("",), []),
        ((" , ,\t",), []),
        (("deflate-stream",), [("deflate-stream", [])]),
        (("X-Mine, X",), [("X-Mine", []), ("X", [])]),
        (("mux; max-channels=4; flow-control, deflate-stream",), None),
        (("mux;max-channels=4;flow-control", "deflate-stream"), None),
        ((" mux ;\tmax-channels = 4 ; flow-control ,, deflate-stream ,",), None),
        (('private-extension; a="b"; c="\\d\\e"',), [("private-extension", [("a", "b"), ("c", "de")])]),
        (("x; a=1; a=2",), [("x", [("a", "1"), ("a", "2")])]),
    ],
)
def test_lists(values: tuple[str, ...], expected: list[Extension] | None) -> None:
    """9.1's own examples among them."""
    if expected is None:
        expected = [("mux", [("max-channels", "4"), ("flow-control", None)]), ("deflate-stream", [])]
    assert parsed(*values) == expected


@pytest.mark.parametrize(
    "value",
    [
        "a b",
        "a=1",
        "a;",
        "a; ,b",
        ";a",
        "a; b=",
        "a; b=;c",
        'a; b="',
        'a; b="x y"',
        'a; b=""',
        'a; b="x',
        'a; b="x"y',
        "a; b c",
        "a/b",
        "a; b=c=d",
        "é",
        "a\x00",
    ],
)
def test_malformed(value: str) -> None:
    """9.1: then "the recipient of such malformed data MUST immediately _Fail the WebSocket Connection_"."""
    with pytest.raises(HandshakeError) as caught:
        parsed("good", value)
    assert caught.value.status == 400
    assert caught.value.text == f"Sec-WebSocket-Extensions is malformed: {value!a} (RFC 6455 9.1)"


def test_long_malformed_header_is_cut_in_the_text() -> None:
    with pytest.raises(HandshakeError) as caught:
        parsed("a b" * 1000)
    shown = ("a b" * 1000)[:60]
    assert caught.value.text == f"Sec-WebSocket-Extensions is malformed: {shown!a} (RFC 6455 9.1)"


def test_format() -> None:
    assert format_extension("x", [("a", None), ("b", "1")]) == "x; a; b=1"
    assert format_extension("x", []) == "x"
