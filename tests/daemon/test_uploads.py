"""Files over the wire: PUT, GET, DELETE under a route that allows them (SPEC 8 and the page's `/upload/`)."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

from ioto_server.config.kinds import SITE
from ioto_server.http import FileResponse, FolderBusy, HttpError
from ioto_server.server import uploads as receiving
from tests.conftest import StartDaemon
from tests.support.daemon import Daemon
from tests.support.raw import RawClient
from tests.support.waiting import until

ROUTES = [
    {"match": "/upload/", "methods": ["DELETE", "GET", "PUT"], "trim": "/upload", "documents": "stored"},
    {},
]


@pytest.fixture
def uploads(start_daemon: StartDaemon) -> Daemon:
    return start_daemon({"routes": ROUTES, "limits": {"upload": "1MB", "body": "1KB"}}, {})


def files(daemon: Daemon) -> list[str]:
    """What is in the upload folder, temporaries included."""
    return sorted(os.listdir(daemon.folder / "stored"))


def put(daemon: Daemon, path: str, body: bytes, **headers: str) -> tuple[int, str]:
    with RawClient(daemon.url) as client:
        fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
        response = client.request("PUT", path, fields, body)
        return response.status, response.text


def test_create_read_replace_remove(uploads: Daemon) -> None:
    body = os.urandom(300_000)
    assert put(uploads, "/upload/a.bin", body) == (201, "")
    with RawClient(uploads.url) as client:
        response = client.request("GET", "/upload/a.bin")
        assert (response.status, response.body) == (200, body)
        etag = response.get("etag")
        assert client.request("HEAD", "/upload/a.bin").get("content-length") == "300000"
    assert put(uploads, "/upload/a.bin", b"new", If_Match='"other"')[0] == 412
    assert put(uploads, "/upload/a.bin", b"new", If_Match=str(etag)) == (204, "")
    assert (uploads.folder / "stored" / "a.bin").read_bytes() == b"new"
    with RawClient(uploads.url) as client:
        assert client.request("DELETE", "/upload/a.bin").status == 204
        assert client.request("DELETE", "/upload/a.bin").status == 404
        assert client.request("GET", "/upload/a.bin").status == 404
    assert files(uploads) == []


def test_an_upload_may_be_larger_than_another_body_but_not_than_its_limit(uploads: Daemon) -> None:
    assert put(uploads, "/upload/fits", b"x" * 1024 * 1024)[0] == 201
    with RawClient(uploads.url) as client:
        client.send(client.head("PUT", "/upload/big", [("Content-Length", str(1024 * 1024 + 1))]))
        response = client.read_response()
    assert (response.status, response.text) == (
        413,
        "The file is over limits.upload (RFC 9110 15.5.14): send less\n",
    )
    assert files(uploads) == ["fits"]


def test_a_chunked_upload_over_the_limit_leaves_the_old_file(uploads: Daemon) -> None:
    assert put(uploads, "/upload/a", b"old")[0] == 201
    with RawClient(uploads.url) as client:
        client.send(client.head("PUT", "/upload/a", [("Transfer-Encoding", "chunked")]))
        piece = b"%x\r\n%b\r\n" % (65536, bytes(65536))
        client.send(piece * 17)
        assert client.read_response().status == 413
    assert (uploads.folder / "stored" / "a").read_bytes() == b"old"
    assert files(uploads) == ["a"]


def test_a_cut_upload_leaves_the_old_file(uploads: Daemon) -> None:
    assert put(uploads, "/upload/a", b"old")[0] == 201
    with RawClient(uploads.url) as client:
        client.send(client.head("PUT", "/upload/a", [("Content-Length", "100")]) + b"half")
        client.finish_sending()
        client.read_to_end()
    uploads.log("request", method="PUT", number=2)
    assert uploads.stop() == 0
    assert (uploads.folder / "stored" / "a").read_bytes() == b"old"
    assert files(uploads) == ["a"]


def test_a_client_that_asks_first_is_told_before_it_sends(uploads: Daemon) -> None:
    fields = [("Content-Length", "5"), ("Expect", "100-continue")]
    with RawClient(uploads.url) as client:
        client.send(client.head("PUT", "/upload/a", fields))
        assert client.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"12345")
        assert client.read_response().status == 201
    with RawClient(uploads.url) as client:
        client.send(client.head("PUT", "/upload/b", [("Content-Length", "99999999"), fields[1]]))
        assert client.read_response().status == 413


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/upload/../escaped", 405),
        ("/upload/%2e%2e/escaped", 405),
        ("/upload/..%2fescaped", 400),
        ("/upload/.hidden", 403),
        ("/upload/no/such/folder", 409),
        ("/upload/", 409),
        ("/elsewhere", 405),
    ],
)
def test_nothing_is_written_outside(uploads: Daemon, path: str, status: int) -> None:
    before = sorted(str(one) for one in uploads.folder.rglob("*"))
    assert put(uploads, path, b"x")[0] == status
    assert sorted(str(one) for one in uploads.folder.rglob("*")) == before


def test_the_packaged_site_cannot_be_written_to(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"routes": [{"match": "/upload/", "methods": ["PUT", "DELETE"]}]}, {})
    status, text = put(daemon, "/upload/x", b"x")
    assert (status, "set `documents`" in text) == (403, True)


@pytest.mark.parametrize("documents", ["@site", str(SITE), str(SITE / "..") + "/site/."])
def test_the_packaged_site_cannot_be_written_to_by_a_route_of_its_own(
    start_daemon: StartDaemon, documents: str
) -> None:
    """Also where the documents at the root are others."""
    route = {"match": "/site/", "methods": ["GET", "PUT", "DELETE"], "trim": "/site", "documents": documents}
    daemon = start_daemon({"documents": "own", "routes": [route, {}]}, {})
    before = sorted(os.listdir(SITE))
    assert put(daemon, "/site/x", b"x")[0] == 403
    with RawClient(daemon.url) as client:
        assert client.request("DELETE", "/site/index.html").status == 403
        assert client.request("GET", "/site/index.html").status == 200
    assert sorted(os.listdir(SITE)) == before


def test_the_packaged_site_cannot_be_written_to_from_above(start_daemon: StartDaemon) -> None:
    methods = ["GET", "PUT", "DELETE"]
    routes = [
        {"match": "/site/up/", "methods": methods},
        {"match": "/p/", "methods": methods, "trim": "/p"},
        {},
    ]
    before = sorted(os.listdir(SITE))
    try:
        daemon = start_daemon({"documents": str(SITE.parent), "routes": routes}, {})
        assert put(daemon, "/p/site/nothing.txt", b"x")[0] == 403
        assert put(daemon, "/site/up/nothing.txt", b"x")[0] == 403
        with RawClient(daemon.url) as client:
            assert client.request("DELETE", "/p/site/nothing.txt").status == 403
            assert client.request("GET", "/p/site/index.html").status == 200
        assert sorted(os.listdir(SITE)) == before
    finally:
        (SITE / "nothing.txt").unlink(missing_ok=True)
        if (SITE / "up").is_dir():
            shutil.rmtree(SITE / "up")


def test_a_folder_that_a_program_holds_keeps_nobody_else(uploads: Daemon) -> None:
    """More uploads wait for it than there are threads for the disk, of which uploads elsewhere have need."""
    stored = uploads.folder / "stored"
    (stored / "other").mkdir()
    with ExitStack() as stack:
        held = os.open(stored, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = [stack.enter_context(RawClient(uploads.url)) for _ in range(40)]
        for number, client in enumerate(waiting):
            client.send(client.head("PUT", f"/upload/{number}", [("Content-Length", "1")]) + b"x")
        # All have come as far as that: their temporary files are there.
        until(lambda: len(files(uploads)) == 41, "all uploads wait")
        assert put(uploads, "/upload/other/a", b"x")[0] == 201
        os.close(held)
        assert [client.read_response().status for client in waiting] == [201] * 40
    assert files(uploads) == sorted([*map(str, range(40)), "other"])


def test_a_folder_that_stays_held_is_not_waited_for_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "PATIENCE", 0.2)
    asked = 0

    def busy() -> FileResponse:
        nonlocal asked
        asked += 1
        raise FolderBusy

    with pytest.raises(HttpError) as caught:
        asyncio.run(receiving.when_free(busy))
    assert (caught.value.status, caught.value.headers) == (503, [("Retry-After", "5")])
    assert "lslocks" in caught.value.fault
    assert asked > 1


def test_the_page_s_route_takes_uploads_from_the_first_one_on(start_daemon: StartDaemon) -> None:
    """A client has no way to make the folder `upload` in the documents: a start does."""
    route = {"match": "/upload/", "methods": ["DELETE", "GET", "PUT"]}
    daemon = start_daemon({"documents": "docs", "routes": [route, {}]}, {})
    assert put(daemon, "/upload/a.txt", b"x")[0] == 201
    assert (daemon.folder / "docs" / "upload" / "a.txt").read_bytes() == b"x"


@pytest.mark.parametrize("own", [True, False])
def test_what_a_killed_daemon_left_is_cleared_away_at_the_next_start(
    start_daemon: StartDaemon, tmp_path: Path, own: bool
) -> None:
    """Of routes with documents of their own, and of those with everybody's; and of forms."""
    stored, forms = tmp_path / "daemon0" / "stored", tmp_path / "daemon0" / "forms"
    stored.mkdir(parents=True)
    forms.mkdir()
    (stored / ".ioto-upload-0123").write_bytes(b"half")
    (stored / "whole").write_bytes(b"whole")
    (forms / "ioto-form-0123").write_bytes(b"half")
    (forms / "ioto-form-4567").write_bytes(b"of a process that drains")
    (forms / "other").write_bytes(b"not ours")
    routes = ROUTES if own else [{"match": "/upload/", "methods": ["PUT"], "trim": "/upload"}]
    config = {"routes": routes, "upload": {"dir": "forms"}, **({} if own else {"documents": "stored"})}
    with (forms / "ioto-form-4567").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        daemon = start_daemon(config, {})
        assert files(daemon) == ["whole"]
    assert sorted(os.listdir(forms)) == ["ioto-form-4567", "other"]


def test_the_shipped_configuration_takes_uploads(daemon: Daemon) -> None:
    assert put(daemon, "/upload/test.txt", b"hello")[0] == 201
    with RawClient(daemon.url) as client:
        assert client.request("GET", "/upload/test.txt").body == b"hello"
        assert client.request("DELETE", "/upload/test.txt").status == 204
