"""How sizes, durations and counts are written: SPEC 2, "Values"."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ioto_server.config.values import (
    MAXINT,
    UNLIMITED,
    WrongValue,
    parse_count,
    parse_duration,
    parse_size,
    show_count,
    show_duration,
    show_size,
)

KB, MB, GB = 1024, 1024**2, 1024**3
MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("written", "bytes_"),
    [
        (131072, 131072),
        (1.0, 1),
        ("1b", 1),
        ("1 byte", 1),
        ("2 bytes", 2),
        ("3k", 3 * KB),
        ("3 KB", 3 * KB),
        ("3kB", 3 * KB),
        ("4m", 4 * MB),
        ("4MB", 4 * MB),
        ("5g", 5 * GB),
        ("5 Gb", 5 * GB),
        ("1.5 MB", MB + MB // 2),
        (".5k", 512),
        ("0.1k", 102),
        (" 10K ", 10 * KB),
        ("+7", 7),
        ("131072", 131072),
        ("MAXINT", 2147483647),
        ("maxint", MAXINT),
        ("unlimited", UNLIMITED),
        ("Infinite", UNLIMITED),
        (9007199254740993, 9007199254740993),
        (UNLIMITED, UNLIMITED),
    ],
)
def test_sizes(written: object, bytes_: int) -> None:
    assert parse_size(written) == bytes_
    assert isinstance(parse_size(written), int)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (5, 5),
        (0.25, 0.25),
        ("30", 30),
        ("250ms", 0.25),
        ("250 msec", 0.25),
        ("1s", 1),
        ("1 sec", 1),
        ("5 secs", 5),
        ("1 second", 1),
        ("2 seconds", 2),
        ("1min", MINUTE),
        ("5 mins", 5 * MINUTE),
        ("1m", MINUTE),
        ("1 minute", MINUTE),
        ("2 minutes", 2 * MINUTE),
        ("1h", HOUR),
        ("1hr", HOUR),
        ("2hrs", 2 * HOUR),
        ("1 hour", HOUR),
        ("1.5 hours", 1.5 * HOUR),
        ("1d", DAY),
        ("1 day", DAY),
        ("3 days", 3 * DAY),
        ("1 week", 7 * DAY),
        ("2 weeks", 14 * DAY),
        ("1 month", 30 * DAY),
        ("2 months", 60 * DAY),
        ("1 year", 365 * DAY),
        ("2 years", 730 * DAY),
        ("5 MINS", 5 * MINUTE),
        ("never", math.inf),
        ("infinite", math.inf),
        ("unlimited", math.inf),
        ("Forever", math.inf),
        (math.inf, math.inf),
    ],
)
def test_durations(written: object, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    ("written", "count"),
    [(10000, 10000), ("10000", 10000), (2.0, 2), ("unlimited", UNLIMITED), ("MAXINT", MAXINT)],
)
def test_counts(written: object, count: int) -> None:
    assert parse_count(written) == count


NO_NUMBER = [
    None,
    True,
    False,
    [],
    {},
    "",
    " ",
    "K",
    "1 2",
    "1e3",
    "0x10",
    "1,000",
    "1_000",
    "--1",
    "1 KB!",
    math.nan,
    "１",
    "1" * 100,
]


@pytest.mark.parametrize(
    "written", [*NO_NUMBER, 0, -1, "0", "-5K", "0.5b", "5 mins", "1 tb", "never", 2**63, math.inf]
)
def test_no_sizes(written: object) -> None:
    with pytest.raises(WrongValue):
        parse_size(written)


@pytest.mark.parametrize(
    "written", [*NO_NUMBER, 0, -1, "0 secs", "-5 mins", "10K", "1h30m", "101 years", 10**400]
)
def test_no_durations(written: object) -> None:
    with pytest.raises(WrongValue):
        parse_duration(written)


@pytest.mark.parametrize("written", [*NO_NUMBER, 0, -1, 1.5, "1.5", "10K", "10 b", 2**63, math.inf])
def test_no_counts(written: object) -> None:
    with pytest.raises(WrongValue):
        parse_count(written)


def test_zero_is_a_size_where_the_directive_says_so() -> None:
    assert parse_size(0, least=0) == 0
    with pytest.raises(WrongValue):
        parse_size(-1, least=0)


@pytest.mark.parametrize(
    ("parse", "written", "hint"),
    [
        (parse_size, "never", "write 'unlimited'"),
        (parse_size, "-1", "write 1 or more; for no limit write 'unlimited'"),
        (parse_size, "12 bananas", "write '12 KB', or another of the units bytes, KB, MB and GB"),
        (parse_size, "12 byts", "write '12 bytes'"),
        (parse_duration, "none", "write 'never'"),
        (parse_duration, "off", "write 'never'"),
        (parse_duration, "1h30m", "write it in one unit: '90 mins'"),
        (parse_duration, "1 hour 1 sec", "write it in one unit: '3601 secs'"),
        (parse_duration, "5 minuts", "write '5 minutes'"),
        (parse_count, "10K", "write 10000"),
        (parse_count, 1.5, "write 1 or 2"),
    ],
)
def test_what_was_meant_is_said(parse: object, written: object, hint: str) -> None:
    assert callable(parse)
    with pytest.raises(WrongValue) as caught:
        parse(written)
    assert caught.value.hint == hint


@settings(deadline=None)
@given(st.integers(1, UNLIMITED))
def test_a_size_survives_being_shown(size: int) -> None:
    assert parse_size(show_size(size)) == size


@settings(deadline=None)
@given(st.integers(1, UNLIMITED))
def test_a_count_survives_being_shown(count: int) -> None:
    assert parse_count(show_count(count)) == count


@settings(deadline=None)
@given(st.one_of(st.floats(1e-9, 3e9), st.integers(1, 3 * 10**9).map(float), st.just(math.inf)))
def test_a_duration_survives_being_shown(seconds: float) -> None:
    assert parse_duration(show_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "1 sec"),
        (5, "5 secs"),
        (90, "90 secs"),
        (60, "1 min"),
        (300, "5 mins"),
        (3600, "1 hour"),
        (172800, "2 days"),
        (0.5, 0.5),
    ],
)
def test_durations_are_shown_as_people_write_them(seconds: float, text: object) -> None:
    assert show_duration(seconds) == text
