"""RFC 9110 12.5.3, 12.5.5: compressed siblings of static files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.http.site import NOW, Site


@pytest.fixture(params=["cold", "warm"])
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Site:
    site = Site(tmp_path, warm=request.param == "warm")
    site.write("both.js", b"plain")
    site.write("both.js.br", b"brotli")
    site.write("both.js.gz", b"gzip")
    site.write("one.js", b"plain")
    site.write("one.js.gz", b"gzip")
    site.write("none.js", b"plain")
    return site


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (None, None),
        ("", None),
        ("gzip", "gzip"),
        ("br", "br"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip;q=1.0, br;q=0.9", "gzip"),
        ("gzip;q=0.5,br;q=0.50", "br"),
        ("gzip ; Q=0.8 , BR;q=0.7", "gzip"),
        ("x-gzip", "gzip"),
        ("identity", None),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip", "gzip"),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0.000, br;q=0", None),
        ("gzip;q=0.001", "gzip"),
        ("*", "br"),
        ("*;q=0.5, br;q=0", "gzip"),
        ("*;q=0", None),
        ("identity;q=0", None),
        ("deflate, zstd", None),
        ("gzip;q=2", None),
        ("gzip;q=-1", None),
        ("gzip;q=0.1234", None),
        ("gzip;q", None),
        ("gzip;level=9", None),
        ("gzip br", None),
        (";q=1,,gzip", "gzip"),
    ],
)
def test_12_5_3_the_coding_with_the_highest_weight(
    site: Site, accept: str | None, coding: str | None
) -> None:
    answer = site.ask("/both.js", {} if accept is None else {"Accept-Encoding": accept})
    assert answer.headers.get("Content-Encoding") == coding
    assert answer.body == {None: b"plain", "br": b"brotli", "gzip": b"gzip"}[coding]
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"


def test_12_5_5_vary_wherever_the_answer_depends_on_accept_encoding(site: Site) -> None:
    for target in ("/both.js", "/one.js"):
        for accept in ("gzip", "identity", "zstd"):
            assert site.ask(target, {"Accept-Encoding": accept}).headers["Vary"] == "Accept-Encoding"
    assert "Vary" not in site.ask("/none.js", {"Accept-Encoding": "gzip"}).headers


def test_a_coding_without_a_sibling_is_not_chosen(site: Site) -> None:
    assert site.ask("/one.js", {"Accept-Encoding": "br, gzip;q=0.1"}).headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in site.ask("/one.js", {"Accept-Encoding": "br"}).headers


def test_8_8_3_3_each_coding_has_its_own_entity_tag(site: Site) -> None:
    tags = {site.etag("/both.js", {"Accept-Encoding": accept}) for accept in ("br", "gzip", "identity")}
    assert len(tags) == 3
    gzip = site.etag("/both.js", {"Accept-Encoding": "gzip"})
    assert site.ask("/both.js", {"Accept-Encoding": "gzip", "If-None-Match": gzip}).status == 304
    assert site.ask("/both.js", {"Accept-Encoding": "br", "If-None-Match": gzip}).status == 200


def test_14_2_ranges_are_of_the_encoded_bytes(site: Site) -> None:
    answer = site.ask("/both.js", {"Accept-Encoding": "gzip", "Range": "bytes=1-2"})
    assert (answer.status, answer.body, answer.headers["Content-Range"]) == (206, b"zi", "bytes 1-2/4")
    assert answer.headers["Content-Encoding"] == "gzip"


def test_the_index_of_a_folder_has_siblings_too(site: Site) -> None:
    site.write("index.html", b"plain")
    site.write("index.html.gz", b"gzip")
    assert site.ask("/", {"Accept-Encoding": "gzip"}).body == b"gzip"


def test_a_sibling_that_is_older_than_the_file_is_stale(site: Site) -> None:
    """An edited page must not be shown as it was."""
    site.write("one.js", b"edited", age=3500)
    answer = site.ask("/one.js", {"Accept-Encoding": "gzip"})
    assert (answer.body, answer.headers.get("Vary")) == (b"edited", None)
    site.write("one.js.gz", b"gzip again", age=3501)
    assert site.ask("/one.js", {"Accept-Encoding": "gzip"}).body == b"gzip again"


def test_siblings_that_are_links_or_folders_are_not_taken(site: Site) -> None:
    outside = site.folder.parent / "secret"
    outside.write_bytes(b"SECRET")
    os.utime(outside, (NOW, NOW))
    (site.folder / "none.js.gz").symlink_to(outside)
    (site.folder / "none.js.br").mkdir()
    answer = site.ask("/none.js", {"Accept-Encoding": "gzip, br"})
    assert (answer.body, answer.headers.get("Content-Encoding")) == (b"plain", None)


def test_the_route_can_say_no(tmp_path: Path) -> None:
    site = Site(tmp_path, compressed=False)
    site.write("a.js", b"plain")
    site.write("a.js.gz", b"gzip")
    answer = site.ask("/a.js", {"Accept-Encoding": "gzip"})
    assert (answer.body, answer.headers.get("Vary")) == (b"plain", None)


def test_a_compressed_file_that_is_asked_for_itself_is_not_decoded(site: Site) -> None:
    answer = site.ask("/one.js.gz", {"Accept-Encoding": "gzip"})
    assert (answer.body, answer.headers["Content-Type"]) == (b"gzip", "application/gzip")
    assert "Content-Encoding" not in answer.headers
