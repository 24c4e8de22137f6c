"""RFC 9110 14: range requests on static files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http.site import Answer, Site, no_descriptor_left

TEN = b"0123456789"


@pytest.fixture(params=["cold", "warm"])
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    site = Site(tmp_path, warm=request.param == "warm")
    site.write("ten.txt", TEN)
    site.write("empty.txt", b"")
    with no_descriptor_left():
        yield site


def ask(site: Site, value: str, **headers: str) -> Answer:
    return site.ask("/ten.txt", {"Range": value, **headers})


@pytest.mark.parametrize(
    ("value", "body", "content_range"),
    [
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=9-9", b"9", "bytes 9-9/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=0-", TEN, "bytes 0-9/10"),
        ("bytes=0-99", TEN, "bytes 0-9/10"),
        ("bytes=5-99999999999999999999999999", b"56789", "bytes 5-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-10", TEN, "bytes 0-9/10"),
        ("bytes=-11", TEN, "bytes 0-9/10"),
        ("bytes=-99999999999999999999999999", TEN, "bytes 0-9/10"),
        ("BYTES=2-4", b"234", "bytes 2-4/10"),
        ("bytes= 2-4 ", b"234", "bytes 2-4/10"),
        ("bytes=,2-4,,", b"234", "bytes 2-4/10"),
        ("bytes=002-0004", b"234", "bytes 2-4/10"),
    ],
)
def test_14_1_2_one_range(site: Site, value: str, body: bytes, content_range: str) -> None:
    answer = ask(site, value)
    assert (answer.status, answer.body) == (206, body)
    assert answer.headers["Content-Range"] == content_range


def test_15_3_7_1_a_part_has_the_fields_of_the_whole(site: Site) -> None:
    whole, part = site.ask("/ten.txt"), ask(site, "bytes=1-2")
    assert part.headers == {**whole.headers, "Content-Range": "bytes 1-2/10"}


@pytest.mark.parametrize(
    "value",
    ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-", "bytes=10-,-0,50-60"],
)
def test_15_5_17_no_range_satisfiable(site: Site, value: str) -> None:
    answer = ask(site, value)
    assert answer.status == 416
    assert answer.headers == {"Content-Range": "bytes */10"}


@pytest.mark.parametrize(
    "value",
    [
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-2",
        "bytes=1-2-3",
        "bytes=1",
        "bytes=--1",
        "bytes=1- 2",
        "bytes 1-2",
        "lines=1-2",
        "bytes",
        "",
        "bytes=1-2;3-4",
        "bytes=1-2, x",
        "bytes=0-1,5-2",
        "bytes =1-2",
        "bytes=+1-2",
        "bytes=0x1-0x2",
        "bytes=1.0-2",
    ],
)
def test_14_2_a_malformed_or_unknown_range_is_ignored(site: Site, value: str) -> None:
    answer = ask(site, value)
    assert (answer.status, answer.body) == (200, TEN)
    assert "Content-Range" not in answer.headers


def test_14_2_range_is_for_get_alone(site: Site) -> None:
    answer = site.ask("/ten.txt", {"Range": "bytes=1-2"}, "HEAD")
    assert answer.status == 200
    assert "Content-Range" not in answer.headers


def test_14_6_several_ranges_are_parts(site: Site) -> None:
    answer = ask(site, "bytes=0-1, 4-5, -1")
    assert answer.status == 206
    assert "Content-Range" not in answer.headers
    assert answer.headers["Content-Type"].startswith("multipart/byteranges; boundary=")
    assert [(part["Content-Type"], part["Content-Range"], body) for part, body in answer.parts()] == [
        ("text/plain; charset=utf-8", "bytes 0-1/10", b"01"),
        ("text/plain; charset=utf-8", "bytes 4-5/10", b"45"),
        ("text/plain; charset=utf-8", "bytes 9-9/10", b"9"),
    ]


def test_14_6_the_bytes_of_a_multipart_body(site: Site) -> None:
    answer = ask(site, "bytes=0-1,8-")
    boundary = answer.headers["Content-Type"].partition("=")[2].encode()
    head = b"\r\n--" + boundary + b"\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes "
    first, second = head + b"0-1/10\r\n\r\n01", head + b"8-9/10\r\n\r\n89"
    assert answer.body == first + second + b"\r\n--" + boundary + b"--\r\n"


def test_14_6_boundaries_are_not_to_be_guessed(site: Site) -> None:
    """A file that holds the boundary would be cut up wrongly."""
    assert len({ask(site, "bytes=0-1,8-").headers["Content-Type"] for _ in range(5)}) == 5


def test_15_3_7_2_ranges_that_touch_are_one(site: Site) -> None:
    for value in (
        "bytes=0-3,2-5",
        "bytes=0-2,3-5",
        "bytes=4-5,0-4",
        "bytes=0-5,1-2",
        "bytes=0-5,50-",
        "bytes=0-5,0-5",
    ):
        answer = ask(site, value)
        assert (answer.headers.get("Content-Range"), answer.body) == ("bytes 0-5/10", b"012345"), value


def test_14_2_ranges_never_cost_more_than_the_file(site: Site) -> None:
    """The amplification attack of many overlapping ranges."""
    answer = ask(site, "bytes=" + ",".join("0-" for _ in range(1000)))
    assert (answer.headers["Content-Range"], answer.body) == ("bytes 0-9/10", TEN)


def test_14_2_too_many_small_ranges_are_ignored(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.write("big.bin", bytes(1000))
    most = ",".join(f"{start}-{start}" for start in range(0, 128, 2))
    assert len(site.ask("/big.bin", {"Range": f"bytes={most}"}).parts()) == 64
    assert site.ask("/big.bin", {"Range": f"bytes={most},200-200"}).status == 200


def test_14_1_2_an_empty_file_has_no_ranges(site: Site) -> None:
    assert site.ask("/empty.txt", {"Range": "bytes=0-"}).headers == {"Content-Range": "bytes */0"}
    assert site.ask("/empty.txt", {"Range": "bytes=-5"}).status == 200


def test_large_parts_come_from_the_open_file(tmp_path: Path) -> None:
    site = Site(tmp_path)
    content = os.urandom(300_000)
    site.write("big.bin", content)
    with no_descriptor_left():
        assert site.ask("/big.bin", {"Range": "bytes=1000-199999"}).body == content[1000:200_000]
        parts = site.ask("/big.bin", {"Range": "bytes=0-99999,150000-"}).parts()
    assert [body for _, body in parts] == [content[:100_000], content[150_000:]]
