"""RFC 9111, caching: what the daemon, an origin server, tells caches; each test named by its section."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import StartDaemon
from tests.support.raw import RawClient, Response

FIXED = "max-age=3600, immutable"


class Caches:
    """A daemon with a folder that may be cached and one that may not."""

    def __init__(self, start_daemon: StartDaemon, folder: Path) -> None:
        for name in ("fixed", "secret"):
            (folder / name).mkdir()
            (folder / name / "a.txt").write_text("hello")
        routes = [
            {
                "match": "/fixed/",
                "documents": str(folder / "fixed"),
                "trim": "/fixed",
                "cache": "max-age=3600, immutable",
            },
            {"match": "/secret/", "documents": str(folder / "secret"), "trim": "/secret", "cache": False},
            {},
        ]
        self.daemon = start_daemon({"routes": routes}, {})

    def get(self, path: str, *fields: tuple[str, str]) -> Response:
        with RawClient(self.daemon.url) as client:
            return client.request("GET", path, fields)


@pytest.fixture
def caches(start_daemon: StartDaemon, tmp_path: Path) -> Caches:
    return Caches(start_daemon, tmp_path)


def test_4_and_5_what_caches_are_told(caches: Caches) -> None:
    fixed = caches.get("/fixed/a.txt")
    # 5.2: the route's directives, on whole answers and on parts; nothing where it has none.
    assert fixed.get("Cache-Control") == FIXED
    assert caches.get("/fixed/a.txt", ("Range", "bytes=0-1")).get("Cache-Control") == FIXED
    assert caches.get("/secret/a.txt").get("Cache-Control") == "no-store"
    assert caches.get("/").get("Cache-Control") is None
    # 4.3.2, 4.3.4: a stored answer is validated, and freshened by a 304 with the same validator.
    for condition in (
        ("If-None-Match", str(fixed.get("ETag"))),
        ("If-Modified-Since", str(fixed.get("Last-Modified"))),
    ):
        fresh = caches.get("/fixed/a.txt", condition)
        assert (fresh.status, fresh.body) == (304, b"")
        for name in ("ETag", "Cache-Control", "Last-Modified"):
            assert fresh.get(name) == fixed.get(name)
        assert fresh.get("Content-Type") is None
    # 5.1: only a cache may say how old an answer is. 4.2.1: a Date to count from is in each.
    assert fixed.get("Age") is None
    assert fixed.get("Date") is not None
    # 3.1: an error is not stored under the directives of the file.
    assert caches.get("/fixed/none").get("Cache-Control") is None
    # 5.2.1.4: a client's no-cache is for caches; the origin answers as ever.
    assert caches.get("/fixed/a.txt", ("Cache-Control", "no-cache")).status == 200
