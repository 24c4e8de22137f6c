"""The head of a response (RFC 9112 4)."""

from __future__ import annotations

import pytest

from ioto_server.http import encode_head, reason_phrase


def test_head_is_status_line_fields_and_an_empty_line() -> None:
    head = encode_head(200, [("Content-Type", "text/plain"), ("X", "a\tb é")])
    assert head == b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX: a\tb \xe9\r\n\r\n"


def test_version_and_informational() -> None:
    assert encode_head(404, (), "1.0") == b"HTTP/1.0 404 Not Found\r\n\r\n"
    assert encode_head(100, ()) == b"HTTP/1.1 100 Continue\r\n\r\n"


def test_unregistered_status_keeps_the_blank_of_its_empty_phrase() -> None:
    """RFC 9112 4: status-line = HTTP-version SP status-code SP [ reason-phrase ]."""
    assert encode_head(799, ()) == b"HTTP/1.1 799 \r\n\r\n"


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (101, "Switching Protocols"),
        (413, "Content Too Large"),
        (416, "Range Not Satisfiable"),
        (431, "Request Header Fields Too Large"),
    ],
)
def test_reason_phrases_are_the_registered_ones(status: int, phrase: str) -> None:
    """RFC 9110 15."""
    assert reason_phrase(status) == phrase


@pytest.mark.parametrize(
    "field", [("X", "a\r\nY: b"), ("X", "a\nb"), ("X", "\0"), ("X: y\r\nZ", "b"), ("", "b"), ("X", "€")]
)
def test_a_field_that_would_split_the_response_is_refused(field: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="header"):
        encode_head(200, [field])


@pytest.mark.parametrize(("status", "version"), [(99, "1.1"), (1000, "1.1"), (200, "2.0"), (200, "1.1\r\n")])
def test_a_status_line_that_is_none_is_refused(status: int, version: str) -> None:
    with pytest.raises(ValueError, match="status line"):
        encode_head(status, (), version)
