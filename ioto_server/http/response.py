"""The head of a response: status line and header fields (RFC 9112 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus

from ioto_server.http.dates import http_date
from ioto_server.http.headers import TOKEN, check_field

_REASONS = {status.value: status.phrase for status in HTTPStatus}
# Renamed by RFC 9110 15.5.14 and 15.5.21; Python's names differ from version to version.
_REASONS |= {413: "Content Too Large", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}
_VERSIONS = ("1.0", "1.1")


def reason_phrase(status: int) -> str:
    """The registered phrase of a status, empty for a status that has none (RFC 9110 15.1)."""
    return _REASONS.get(status, "")


@lru_cache(maxsize=128)
def _status_line(status: int, version: str) -> str:
    if version not in _VERSIONS or not 100 <= status <= 999:
        raise ValueError(
            f"no status line can be written for HTTP/{version} {status}: use 1.0 or 1.1, and 100 to 999"
        )
    # RFC 9112 4: the blank before the phrase is sent even when there is no phrase.
    return f"HTTP/{version} {status} {reason_phrase(status)}\r\n"


@lru_cache(maxsize=512)
def _is_name(name: str) -> bool:
    return TOKEN.fullmatch(name) is not None


def encode_head(status: int, headers: Iterable[tuple[str, str]], version: str = "1.1") -> bytes:
    """The bytes of a response up to its body: status line, fields, empty line.

    Raises ValueError for a field that would not be read back as one line (CR, LF, NUL, other control
    characters, a name that is no token), so no value can split a response (RFC 9110 5.5).
    """
    return _status_line(status, version).encode("ascii") + encode_fields(headers) + b"\r\n"


def encode_fields(headers: Iterable[tuple[str, str]]) -> bytes:
    """The lines of some header fields. Raises ValueError as `encode_head` does."""
    lines = []
    for name, value in headers:
        if not (value.isascii() and value.isprintable() and _is_name(name)):
            check_field(name, value)
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines).encode("latin-1")


def with_common(common: Mapping[str, str], headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Header fields of an answer, and those of the `headers` directive that are not among them."""
    if not common:
        return headers
    own = {name.lower() for name, _ in headers}
    return headers + [(name, value) for name, value in common.items() if name.lower() not in own]


@lru_cache(maxsize=4)
def encode_start(second: int) -> bytes:
    """The status line of a 200 and the Date of a second since the epoch, with which an answer begins."""
    return _status_line(200, "1.1").encode("ascii") + encode_fields([("Date", http_date(second))])
