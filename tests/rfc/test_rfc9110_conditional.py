"""RFC 9110 13: conditional requests on static files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ioto_server.http import http_date
from tests.http.site import NOW, Site

MODIFIED = NOW - 3600
DATE = http_date(MODIFIED)
EARLIER = http_date(MODIFIED - 1)
LATER = http_date(MODIFIED + 1)


@pytest.fixture(params=["cold", "warm"])
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Site:
    site = Site(tmp_path, warm=request.param == "warm")
    site.write("a.txt", b"0123456789")
    return site


def status(site: Site, method: str = "GET", **fields: str) -> int:
    headers = {
        name.replace("_", "-"): value.replace("ETAG", site.etag("/a.txt")) for name, value in fields.items()
    }
    return site.ask("/a.txt", headers, method).status


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ETAG", 200),
        ("*", 200),
        ('"other", ETAG', 200),
        (',"a,b" , ETAG,', 200),
        ('"other"', 412),
        ("W/ETAG", 412),  # 13.1.1: the strong comparison
        ("", 412),
        ("ETAG, oops", 412),
        ('"unclosed', 412),
        ("*, ETAG", 412),
    ],
)
def test_13_1_1_if_match(site: Site, value: str, expected: int) -> None:
    assert status(site, If_Match=value) == expected
    assert status(site, "HEAD", If_Match=value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ETAG", 304),
        ("W/ETAG", 304),  # 13.1.2: the weak comparison
        ("*", 304),
        ('"other",ETAG', 304),
        ('"other"', 200),
        ("", 200),
        ("oops", 200),
        ("oops, ETAG", 200),
    ],
)
def test_13_1_2_if_none_match(site: Site, value: str, expected: int) -> None:
    assert status(site, If_None_Match=value) == expected
    assert status(site, "HEAD", If_None_Match=value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (DATE, 304),
        (LATER, 304),
        (EARLIER, 200),
        ("Tuesday, 14-Nov-23 21:13:20 GMT", 304),
        ("Tue Nov 14 21:13:20 2023", 304),
        ("yesterday", 200),
        (f"{DATE}, {DATE}", 200),
    ],
)
def test_13_1_3_if_modified_since(site: Site, value: str, expected: int) -> None:
    assert status(site, If_Modified_Since=value) == expected
    assert status(site, "HEAD", If_Modified_Since=value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(DATE, 200), (LATER, 200), (EARLIER, 412), ("yesterday", 200)]
)
def test_13_1_4_if_unmodified_since(site: Site, value: str, expected: int) -> None:
    assert status(site, If_Unmodified_Since=value) == expected


def test_13_1_3_the_fraction_of_a_second_is_not_a_modification(tmp_path: Path) -> None:
    """Last-Modified says whole seconds: what it said must come back as 304."""
    site = Site(tmp_path)
    site.write("a.txt", age=3600.25)
    said = site.ask("/a.txt").headers["Last-Modified"]
    assert status(site, If_Modified_Since=said) == 304
    assert status(site, If_Unmodified_Since=said) == 200


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        # Steps 1 and 2: If-Match decides, If-Unmodified-Since is not looked at.
        ({"If_Match": "ETAG", "If_Unmodified_Since": EARLIER}, 200),
        ({"If_Match": '"other"', "If_Unmodified_Since": LATER}, 412),
        # Steps 3 and 4: If-None-Match decides, If-Modified-Since is not looked at.
        ({"If_None_Match": '"other"', "If_Modified_Since": LATER}, 200),
        ({"If_None_Match": "ETAG", "If_Modified_Since": EARLIER}, 304),
        # A failed step 1 or 2 comes before a 304 of step 3 or 4.
        ({"If_Match": '"other"', "If_None_Match": "ETAG"}, 412),
        ({"If_Unmodified_Since": EARLIER, "If_None_Match": "ETAG"}, 412),
        ({"If_Unmodified_Since": EARLIER, "If_Modified_Since": LATER}, 412),
        ({"If_Match": "ETAG", "If_None_Match": "ETAG"}, 304),
        # Step 5 comes last.
        ({"If_None_Match": "ETAG", "Range": "bytes=0-1"}, 304),
        ({"If_Match": '"other"', "Range": "bytes=0-1"}, 412),
        ({"If_Match": "ETAG", "Range": "bytes=0-1"}, 206),
        ({"If_None_Match": '"other"', "Range": "bytes=0-1", "If_Range": '"other"'}, 200),
    ],
)
def test_13_2_2_precedence(site: Site, fields: dict[str, str], expected: int) -> None:
    assert status(site, **fields) == expected


def test_13_2_1_preconditions_are_ignored_where_the_answer_is_no_2xx(site: Site) -> None:
    assert site.ask("/none.txt", {"If-Match": '"x"'}).status == 404
    assert site.ask("/none.txt", {"If-None-Match": "*"}).status == 404


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ETAG", 206),
        (DATE, 206),
        ("W/ETAG", 200),
        ('"other"', 200),
        (EARLIER, 200),
        (LATER, 200),  # 13.1.5: the exact date
        ("yesterday", 200),
        ("ETAG, ETAG", 200),
        ("*", 200),
    ],
)
def test_13_1_5_if_range(site: Site, value: str, expected: int) -> None:
    assert status(site, Range="bytes=0-1", If_Range=value) == expected


def test_13_1_5_if_range_without_range_is_ignored(site: Site) -> None:
    assert status(site, If_Range='"other"') == 200


def test_8_8_2_2_the_date_of_the_running_second_is_no_strong_validator(tmp_path: Path) -> None:
    """The file may change once more within it."""
    site = Site(tmp_path)
    site.write("a.txt", age=0.25)
    assert status(site, Range="bytes=0-1", If_Range=http_date(NOW - 0.25)) == 200
    assert status(site, Range="bytes=0-1", If_Range="ETAG") == 206


def test_15_4_5_not_modified_has_the_validators_and_no_more(site: Site) -> None:
    site.write("a.txt.gz", b"zipped")
    full = site.ask("/a.txt")
    again = site.ask("/a.txt", {"If-None-Match": full.headers["ETag"]})
    assert again.status == 304
    assert again.body == b""
    assert again.headers == {name: full.headers[name] for name in ("ETag", "Last-Modified", "Vary")}
