"""HTTP dates (RFC 9110 5.6.7)."""

from __future__ import annotations

import pytest

from ioto_server.http import http_date, parse_http_date

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    "text",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_the_three_forms(text: str) -> None:
    assert parse_http_date(text, NOW) == 784111777


@pytest.mark.parametrize("second", [0, 951782400, 4102444799])
def test_what_is_written_is_read(second: int) -> None:
    assert parse_http_date(http_date(second), NOW) == second


def test_two_digit_years_are_never_over_fifty_years_ahead() -> None:
    """In 2023: 73 is to come, 74 is past."""
    assert parse_http_date("Monday, 01-Jan-73 00:00:00 GMT", NOW) == 3250454400
    assert parse_http_date("Tuesday, 01-Jan-74 00:00:00 GMT", NOW) == 126230400


def test_a_leap_second() -> None:
    assert parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT", NOW) == 1483228800


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "784111777",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov ١٩٩٤ 08:49:37 GMT",
    ],
)
def test_what_is_no_date(text: str) -> None:
    assert parse_http_date(text, NOW) is None


def test_dates_are_cut_to_the_second() -> None:
    assert http_date(784111777.9) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT"
