"""A disk that fails: the client is answered, the log says why, and the connection goes on (SPEC 8, 10)."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.conftest import StartDaemon
from tests.support.daemon import Daemon
from tests.support.faulty_disk import FaultyDisk
from tests.support.raw import RawClient

ROUTES = [
    {"match": "/upload/", "methods": ["GET", "PUT", "DELETE"], "trim": "/upload", "documents": "stored"},
    {"match": "/act/", "methods": ["GET", "POST"], "handler": "action"},
    {},
]
ACTIONS = {
    "act.py": """\
from ioto_server import Web, action


@action("/act/form")
async def form(web: Web) -> None:
    web.write(str(len((await web.form()).files)))


@action("/act/file")
async def file(web: Web) -> None:
    await web.send_file("documents/small.fault")
"""
}
FORM = (
    b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\ncontent\r\n--x--\r\n',
    [("Content-Type", "multipart/form-data; boundary=x")],
)


@pytest.fixture
def disk(tmp_path: Path) -> FaultyDisk:
    return FaultyDisk(tmp_path / "disk")


@pytest.fixture
def daemon(start_daemon: StartDaemon, disk: FaultyDisk, tmp_path: Path) -> Daemon:
    documents = tmp_path / "daemon0" / "documents"
    documents.mkdir(parents=True)
    (documents / "small.fault").write_bytes(b"small")
    (documents / "large.fault").write_bytes(bytes(1_000_000))
    (documents / "well.txt").write_text("well\n")
    config = {"documents": "documents", "routes": ROUTES, "upload": {"dir": "forms"}}
    return start_daemon(config, ACTIONS, env=disk.environment)


def test_a_file_that_cannot_be_read(daemon: Daemon, disk: FaultyDisk) -> None:
    cases = [
        (errno.EIO, 500, "(dmesg)"),
        (errno.ESTALE, 500, "mount the network file system anew"),
        (errno.EMFILE, 503, "(ulimit -n)"),
    ]
    with RawClient(daemon.url) as client:
        for count, (number, status, advice) in enumerate(cases, 1):
            disk.fail("read", number)
            for path in ("/small.fault", "/act/file"):
                assert client.request("GET", path).status == status
                assert advice in daemon.log("request failed", path=path, number=count)["problem"]
            # The connection is as good as before.
            assert client.request("GET", "/well.txt").text == "well\n"
        disk.mend()
        assert client.request("GET", "/small.fault").text == "small"


def test_a_file_that_cannot_be_read_to_its_end(daemon: Daemon, disk: FaultyDisk) -> None:
    """What was announced cannot be sent: the end of the connection says so, and the log says why."""
    disk.fail("read", errno.EIO)
    with RawClient(daemon.url) as client:
        client.send(client.head("GET", "/large.fault"))
        assert b"Content-Length: 1000000" in client.read_until(b"\r\n\r\n")
        with pytest.raises((AssertionError, ConnectionError)):
            client.read(1_000_000)
    assert "Input/output error" in daemon.log("file not sent whole", path="/large.fault")["problem"]


def test_a_put_that_cannot_be_stored(daemon: Daemon, disk: FaultyDisk) -> None:
    stored = daemon.folder / "stored"
    cases = [
        (errno.ENOSPC, 507, "make room on the disk"),
        (errno.EDQUOT, 507, "raise the disk quota"),
        (errno.EIO, 500, "(dmesg)"),
        (errno.EROFS, 403, "mount the file system writable"),
        (errno.EACCES, 403, "let the server's user write there"),
    ]
    for call in ("write", "fsync"):
        for number, status, advice in cases:
            path = f"/upload/{call}-{number}"
            (stored / path[8:]).write_text("old")
            before = sorted(os.listdir(stored))
            disk.fail(call, number)
            with RawClient(daemon.url) as client:
                response = client.request("PUT", path, body=b"new")
                assert response.status == status
                assert advice in daemon.log("request failed", path=path, status=status)["problem"]
                assert (response.get("connection") == "close") is (status == 507)
                if status != 507:
                    assert client.request("GET", "/well.txt").text == "well\n"
            assert sorted(os.listdir(stored)) == before
            assert (stored / path[8:]).read_text() == "old"
            disk.mend()
    with RawClient(daemon.url) as client:
        assert client.request("PUT", path, body=b"new").status == 204


def test_a_put_that_is_still_being_sent_when_the_disk_is_full(daemon: Daemon, disk: FaultyDisk) -> None:
    """The answer arrives, though the client is in the midst of its body."""
    disk.fail("write", errno.ENOSPC)
    with RawClient(daemon.url) as client:
        client.send(client.head("PUT", "/upload/a", [("Content-Length", "10000000")]) + bytes(100_000))
        response = client.read_response()
        assert (response.status, response.get("connection")) == (507, "close")
    assert os.listdir(daemon.folder / "stored") == []


def test_a_form_whose_file_cannot_be_stored(daemon: Daemon, disk: FaultyDisk) -> None:
    body, fields = FORM
    for number, status in ((errno.ENOSPC, 507), (errno.EIO, 500)):
        disk.fail("write", number)
        with RawClient(daemon.url) as client:
            assert client.request("POST", "/act/form", fields, body).status == status
        assert daemon.log("request failed", path="/act/form", status=status)["problem"]
    assert os.listdir(daemon.folder / "forms") == []


def test_the_folder_of_forms_is_made_and_missed(daemon: Daemon) -> None:
    body, fields = FORM
    forms = daemon.folder / "forms"
    assert forms.stat().st_mode & 0o777 == 0o700
    with RawClient(daemon.url) as client:
        assert client.request("POST", "/act/form", fields, body).text == "1"
    forms.rmdir()
    with RawClient(daemon.url) as client:
        assert client.request("POST", "/act/form", fields, body).status == 500
    assert "upload.dir has to be a folder" in daemon.log("request failed", path="/act/form")["problem"]
