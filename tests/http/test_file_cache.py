"""Small files in memory: what is remembered, and that no change is ever missed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ioto_server.http import StaticFiles
from ioto_server.http import file_cache as module
from ioto_server.http.conditional import Validators
from ioto_server.http.file_cache import FileCache, Known, Representation
from ioto_server.http.files import SMALL

from .site import Site, parse


class Opened:
    """Counts what is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        real = os.open

        def count(*arguments: object, **named: object) -> int:
            self.count += 1
            return real(*arguments, **named)  # type: ignore[arg-type]

        monkeypatch.setattr("ioto_server.http.documents.os.open", count)

    def by(self, site: Site, target: str, **headers: str) -> int:
        before = self.count
        site.ask(target, {name.replace("_", "-"): value for name, value in headers.items()})
        return self.count - before


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Of the far future, but asked once."""
    site = Site(tmp_path, warm=True)
    site.warm = False
    site.write("a.js", b"plain")
    site.write("index.html", b"index")
    return site


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    return Opened(monkeypatch)


def test_a_file_is_opened_once(site: Site, opened: Opened) -> None:
    site.write("a.js.gz", b"gzip")
    for target in ("/a.js", "/"):
        assert opened.by(site, target) > 0
        assert opened.by(site, target) == 0
    assert opened.by(site, "/a.js", Accept_Encoding="gzip") > 0
    assert opened.by(site, "/a.js", Accept_Encoding="gzip") == 0
    assert opened.by(site, "/a.js") == 0
    assert opened.by(site, "/a.js", Range="bytes=0-1", If_None_Match='"x"') == 0


def test_changes_are_seen_at_once(site: Site) -> None:
    path = site.folder / "a.js"
    assert site.ask("/a.js").body == b"plain"
    path.write_bytes(b"other")
    assert site.ask("/a.js").body == b"other"
    os.utime(path, (1, 1))
    assert site.ask("/a.js").headers["Last-Modified"] == "Thu, 01 Jan 1970 00:00:01 GMT"
    site.write("new", b"moved").replace(path)
    assert site.ask("/a.js").body == b"moved"
    path.unlink()
    assert site.ask("/a.js").status == 404
    path.mkdir()
    assert site.ask("/a.js").status == 301
    assert site.ask("/").body == b"index"
    (site.folder / "index.html").unlink()
    assert site.ask("/").status == 404


def test_siblings_that_come_change_and_go_are_seen_at_once(site: Site) -> None:
    def ask() -> tuple[bytes, str | None]:
        answer = site.ask("/a.js", {"Accept-Encoding": "gzip, br"})
        return answer.body, answer.headers.get("Vary")

    assert ask() == (b"plain", None)
    gzip = site.write("a.js.gz", b"gzip")
    assert ask() == (b"gzip", "Accept-Encoding")
    gzip.write_bytes(b"GZIP")
    assert ask() == (b"GZIP", "Accept-Encoding")
    os.utime(gzip, (1, 1))
    assert ask() == (b"plain", None)
    site.write("a.js.gz", b"again")
    assert ask() == (b"again", "Accept-Encoding")
    site.write("a.js.br", b"brotli")
    assert ask() == (b"brotli", "Accept-Encoding")
    (site.folder / "a.js.br").unlink()
    gzip.unlink()
    assert ask() == (b"plain", None)


def test_a_link_that_takes_the_place_of_a_file_is_seen(site: Site) -> None:
    outside = site.folder.parent / "secret"
    outside.write_bytes(b"plain")
    path = site.folder / "a.js"
    os.utime(outside, ns=(0, path.stat().st_mtime_ns))
    assert site.ask("/a.js").body == b"plain"
    path.unlink()
    path.symlink_to(outside)
    assert site.ask("/a.js").status == 404


def test_what_is_reached_through_a_link_is_looked_up_each_time(site: Site, opened: Opened) -> None:
    """Its siblings lie where its name does not say."""
    site.write("build/x.js", b"linked")
    (site.folder / "link.js").symlink_to("build/x.js")
    assert opened.by(site, "/link.js") == opened.by(site, "/link.js") > 0
    site.write("build/x.js.gz", b"gzip")
    assert site.ask("/link.js", {"Accept-Encoding": "gzip"}).body == b"gzip"


def test_what_changed_just_now_is_not_kept(tmp_path: Path, opened: Opened) -> None:
    """A second change within one tick of the file system's clock would be missed."""
    (tmp_path / "a.txt").write_bytes(b"x")
    now = os.stat(tmp_path / "a.txt").st_ctime
    for later, kept in ((1.9, False), (2.1, True)):
        files = StaticFiles(tmp_path, clock=lambda later=later: now + later)  # type: ignore[misc]
        request = parse("GET", "/a.txt", {})
        files.respond(request, "/a.txt").close()
        before = opened.count
        files.respond(request, "/a.txt").close()
        assert (opened.count == before) is kept
    assert time.time() < now + 60


def test_large_files_are_not_kept(site: Site, opened: Opened) -> None:
    site.write("big.bin", bytes(SMALL + 1))
    assert opened.by(site, "/big.bin") == opened.by(site, "/big.bin") > 0


def test_one_file_behind_two_paths_of_the_client(site: Site) -> None:
    """What `trim` made `/` of `/app` is to be redirected, of `/app/` to be shown."""
    assert site.ask("/app/", path="/").body == b"index"
    assert site.ask("/app", path="/").headers == {"Location": "/app/"}


def known(size: int) -> Known:
    return Known([], [], {"identity": Representation((), Validators('""', 0), size, bytes(size))})


def test_memory_is_bounded_and_the_least_recently_used_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 10_000)
    cache = FileCache()
    for path in ("a", "b", "c"):
        cache.put(path, known(2000))
    assert cache.get("a") is not None
    cache.put("d", known(2000))
    assert cache.get("b") is None
    assert cache.get("a") is not None
    cache.put("e", known(50_000))
    assert len(cache) == 0
    cache.put("a", known(2000))
    cache.put("a", known(3000))
    assert len(cache) == 1
    cache.drop("a")
    cache.drop("a")
    for number in range(100):
        cache.put(str(number), known(0))
    assert len(cache) == 9
