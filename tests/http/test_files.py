"""Static files: what they are sent as (SPEC 8). The conditions and ranges of RFC 9110 are in tests/rfc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from ioto_server.http import Range, StaticFiles
from ioto_server.http.files import SMALL

from .site import NOW, Site, no_descriptor_left, parse


@pytest.fixture(params=["cold", "warm"])
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    with no_descriptor_left():
        yield Site(tmp_path, warm=request.param == "warm")


def test_a_file_is_sent_with_its_type_validators_and_content(site: Site) -> None:
    site.write("a/page.html", b"<h1>hello</h1>")
    answer = site.ask("/a/page.html")
    assert (answer.status, answer.body) == (200, b"<h1>hello</h1>")
    assert answer.headers.keys() == {"Content-Type", "ETag", "Last-Modified", "Accept-Ranges"}
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Last-Modified"] == "Tue, 14 Nov 2023 21:13:20 GMT"
    assert answer.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize("name", ["a b.txt", "é€.txt", "100%.txt", "a+b;c=d.txt", "a?b#c.txt", "-.txt"])
def test_names_of_any_characters(site: Site, name: str) -> None:
    site.write(name)
    assert site.ask("/" + quote(name)).body == b"content"


def test_an_empty_file(site: Site) -> None:
    site.write("empty.txt", b"")
    answer = site.ask("/empty.txt")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("size", [SMALL, SMALL + 1])
def test_large_files_are_parts_of_an_open_file_and_small_ones_bytes(site: Site, size: int) -> None:
    content = os.urandom(size)
    site.write("f.bin", content)
    with site.files.respond(parse("GET", "/f.bin", {}), "/f.bin") as response:
        assert response.length == size
        if size <= SMALL:
            assert response.parts == [content]
            assert response.descriptor < 0
        else:
            assert response.parts == [Range(0, size)]
            assert response.descriptor >= 0
    assert site.ask("/f.bin").body == content


def test_a_file_that_becomes_shorter_while_it_is_sent_is_noticed(site: Site) -> None:
    path = site.write("f.bin", b"x" * 100_000)
    with site.files.respond(parse("GET", "/f.bin", {}), "/f.bin") as response:
        os.truncate(path, 70_000)
        assert len(response.read(65_000, 10_000)) == 5000
        with pytest.raises(EOFError, match="shorter"):
            response.read(70_000, 10_000)


def test_head_has_the_fields_and_the_length_of_get(site: Site) -> None:
    """RFC 9110 9.3.2."""
    site.write("a.txt")
    assert site.ask("/a.txt", method="HEAD").headers == site.ask("/a.txt").headers
    with site.files.respond(parse("HEAD", "/a.txt", {}), "/a.txt") as response:
        assert response.length == 7


def test_other_methods_are_not_for_files(site: Site) -> None:
    site.write("a.txt")
    answer = site.ask("/a.txt", method="POST")
    assert (answer.status, answer.headers) == (405, {"Allow": "GET, HEAD"})


@pytest.mark.parametrize(
    "target", ["/none.txt", "/none/", "/a.txt/", "/a.txt/b", "/a.txt/index.html", "/empty/"]
)
def test_what_is_not_there_is_404(site: Site, target: str) -> None:
    site.write("a.txt")
    (site.folder / "empty").mkdir()
    assert site.ask(target).status == 404


def test_documents_that_are_not_there_are_404(tmp_path: Path) -> None:
    assert Site(tmp_path / "none").ask("/").status == 404


def test_the_index_stands_for_its_folder(tmp_path: Path) -> None:
    site = Site(tmp_path, index="start.htm")
    site.write("start.htm", b"top")
    site.write("a/b/start.htm", b"deep")
    assert site.ask("/").body == b"top"
    answer = site.ask("/a/b/")
    assert (answer.body, answer.headers["Content-Type"]) == (b"deep", "text/html; charset=utf-8")
    assert site.ask("/a/").status == 404


@pytest.mark.parametrize(
    ("target", "location"),
    [("/a", "/a/"), ("/a?x=1&y=/", "/a/?x=1&y=/"), ("/b%20%C3%A9", "/b%20%C3%A9/"), ("/a/c%3F?", "/a/c%3F/")],
)
def test_a_folder_without_its_slash_is_redirected_with_the_query(
    site: Site, target: str, location: str
) -> None:
    for name in ("a/index.html", "b é/index.html", "a/c?/index.html"):
        site.write(name)
    answer = site.ask(target)
    assert (answer.status, answer.headers) == (301, {"Location": location})
    assert site.ask(target, method="HEAD").headers == {"Location": location}


def test_the_redirect_is_never_to_another_host(site: Site) -> None:
    """RFC 3986 4.2: a reference that begins with // names a host."""
    site.write("evil.example/index.html")
    assert site.ask("//evil.example").status == 404
    assert site.ask("/evil.example//").status == 404


def test_behind_trim_the_redirect_is_to_the_url_of_the_client(site: Site) -> None:
    site.write("index.html", b"top")
    site.write("sub/index.html", b"sub")
    assert site.ask("/app/sub", path="/sub").headers == {"Location": "/app/sub/"}
    assert site.ask("/app", path="/").headers == {"Location": "/app/"}
    assert site.ask("/app/", path="/").body == b"top"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.JSON", "application/json"),
        ("a.svg", "image/svg+xml"),
        ("a.wasm", "application/wasm"),
        ("a.tar.gz", "application/gzip"),
        ("a.unknown", "application/octet-stream"),
        ("README", "application/octet-stream"),
        ("html", "application/octet-stream"),
        ("a.", "application/octet-stream"),
    ],
)
def test_media_types(site: Site, name: str, media_type: str) -> None:
    site.write(name)
    answer = site.ask(f"/{name}")
    assert answer.headers["Content-Type"] == media_type
    assert "Content-Encoding" not in answer.headers


def test_configured_media_types_come_first_as_they_stand(tmp_path: Path) -> None:
    site = Site(tmp_path, mime={".html": "text/plain", ".mine": "application/x-mine; v=1"})
    site.write("a.html")
    site.write("a.MINE")
    assert site.ask("/a.html").headers["Content-Type"] == "text/plain"
    assert site.ask("/a.MINE").headers["Content-Type"] == "application/x-mine; v=1"


def test_cache_control_is_sent_with_the_file_and_with_304(tmp_path: Path) -> None:
    """RFC 9110 15.4.5."""
    site = Site(tmp_path, cache="public, max-age=60")
    site.write("a.txt")
    answer = site.ask("/a.txt")
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    again = site.ask("/a.txt", {"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.headers["Cache-Control"]) == (304, "public, max-age=60")


def test_a_replaced_documents_folder_is_served_at_once(tmp_path: Path) -> None:
    """Deployments swap a link, or rename a folder into place."""
    for release in ("1", "2"):
        (tmp_path / release).mkdir()
        (tmp_path / release / "index.html").write_text(release)
    link = tmp_path / "live"
    link.symlink_to("1")
    site = Site(link)
    assert site.ask("/").body == b"1"
    (tmp_path / "next").symlink_to("2")
    (tmp_path / "next").replace(link)
    assert site.ask("/").body == b"2"


def test_the_entity_tag_changes_with_the_content_even_where_size_and_time_do_not(site: Site) -> None:
    """RFC 9110 8.8.1: a strong validator. Build tools set all times alike."""
    path = site.write("a.txt", b"one")
    first = site.etag("/a.txt")
    assert site.etag("/a.txt") == first
    new = site.write("new.txt", b"two")
    new.replace(path)
    assert site.ask("/a.txt").body == b"two"
    assert site.etag("/a.txt") != first


def test_a_file_of_the_future_was_modified_now(tmp_path: Path) -> None:
    """RFC 9110 8.8.2.1."""
    site = Site(tmp_path)
    site.write("a.txt", age=-5000)
    assert site.ask("/a.txt").headers["Last-Modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"


def test_a_file_without_permission_is_403(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write("a.txt")

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    # The tests may run as root, whom no permission stops.
    monkeypatch.setattr("ioto_server.http.documents.os.open", refuse)
    assert site.ask("/a.txt").status == 403


def test_running_out_of_descriptors_is_503(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write("a.txt")

    def refuse(*_: object, **__: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("ioto_server.http.documents.os.open", refuse)
    answer = site.ask("/a.txt")
    assert (answer.status, answer.headers) == (503, {"Retry-After": "5"})


def test_the_clock_is_the_systems_unless_told_otherwise(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    request = parse("GET", "/a.txt", {})
    with StaticFiles(tmp_path).respond(request, "/a.txt") as response:
        assert dict(response.headers)["Last-Modified"] > ""
    assert os.stat(tmp_path / "a.txt").st_mtime > NOW
