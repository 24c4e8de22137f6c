"""What actions answer beyond text and JSON: bodies in pieces, lengths, redirects, files (SPEC 8)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import StartDaemon
from tests.support.daemon import Daemon
from tests.support.raw import RawClient

SIZE = 300_000

ACTIONS = """\
from pathlib import Path

from ioto_server import Web, action


@action("/count")
async def count(web: Web) -> None:
    sizes = [len(piece) async for piece in web.read_pieces()]
    assert all(sizes)
    await web.write(f"{sum(sizes)}")


@action("/sized")
async def sized(web: Web) -> None:
    web.set_length(300000)
    for _ in range(int(web.param("pieces"))):
        await web.write(b"x" * 10000)


@action("/moved")
async def moved(web: Web) -> None:
    try:
        web.redirect(web.param("to"), int(web.param("status", "302")))
    except ValueError as error:
        web.error(400, str(error))


@action("/private")
async def private(web: Web) -> None:
    web.set_header("Cache-Control", "private")
    await web.send_file(Path(__file__).parent / "private" / web.path_rest.lstrip("/"))
"""


@pytest.fixture
def answers(start_daemon: StartDaemon, tmp_path: Path) -> Daemon:
    daemon = start_daemon({}, {"answers.py": ACTIONS})
    private = daemon.config.parent / "actions" / "private"
    private.mkdir()
    (private / "a.txt").write_bytes(b"0123456789")
    (private / "large.bin").write_bytes(bytes(range(250)) * (SIZE // 250))
    return daemon


def test_a_body_is_read_piece_by_piece_framed_either_way(answers: Daemon) -> None:
    with RawClient(answers.url) as client:
        assert client.request("POST", "/count", body=b"x" * 90_000).text == "90000"
        assert client.request("POST", "/count").text == "0"
        client.send(b"POST /count HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send_cut([b"5\r\nhello\r\n", b"3\r\nyou\r\n", b"0\r\n\r\n"])
        assert client.read_response().text == "8"
        # limits.body holds for pieces too, and is told before anything is read.
        assert client.request("POST", "/count", body=b"x" * 102_401).status == 413


def test_an_answer_whose_length_is_announced_is_not_chunked(answers: Daemon) -> None:
    with RawClient(answers.url) as client:
        response = client.request("GET", "/sized?pieces=30")
        assert (response.get("content-length"), response.get("transfer-encoding")) == (str(SIZE), None)
        assert response.body == b"x" * SIZE
        assert client.request("GET", "/sized?pieces=31").body == b"x" * SIZE
        head = client.request("HEAD", "/sized?pieces=0")
        assert (head.status, head.get("content-length"), head.body) == (200, str(SIZE), b"")
        client.send(b"GET /sized?pieces=29 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.read_to_end().count(b"x") < SIZE


def test_redirects(answers: Daemon) -> None:
    with RawClient(answers.url) as client:
        response = client.request("GET", "/moved?to=/there%3Fa=1")
        assert (response.status, response.get("location"), response.body) == (302, "/there?a=1", b"")
        assert client.request("POST", "/moved?to=/done&status=303").status == 303
        for wrong in ("to=/a&status=200", "to=/%C3%A4", "to=/a%0D%0ASet-Cookie:b", "to=/a%20b"):
            refused = client.request("GET", f"/moved?{wrong}")
            assert (refused.status, refused.get("location"), refused.get("set-cookie")) == (400, None, None)


def test_a_query_of_too_many_fields_is_the_clients_mistake(answers: Daemon) -> None:
    with RawClient(answers.url) as client:
        assert client.request("GET", "/moved?to=/a" + "&b" * 999).status == 302
        refused = client.request("GET", "/moved?to=/a" + "&b" * 1000)
        assert refused.status == 400
        assert "1,000 fields" in refused.text
    assert "Traceback" not in answers.output


def test_a_file_is_sent_as_a_static_one_would_be(answers: Daemon) -> None:
    with RawClient(answers.url) as client:
        whole = client.request("GET", "/private/a.txt")
        assert (whole.status, whole.body, whole.get("cache-control")) == (200, b"0123456789", "private")
        assert whole.get("content-type") == "text/plain; charset=utf-8"
        etag = str(whole.get("etag"))
        assert client.request("GET", "/private/a.txt", [("If-None-Match", etag)]).status == 304
        part = client.request("GET", "/private/a.txt", [("Range", "bytes=2-4")])
        assert (part.status, part.body, part.get("content-range")) == (206, b"234", "bytes 2-4/10")
        assert client.request("GET", "/private/a.txt", [("Range", "bytes=10-")]).status == 416
        large = client.request("GET", "/private/large.bin")
        assert large.body == bytes(range(250)) * (SIZE // 250)
        head = client.request("HEAD", "/private/large.bin")
        assert (head.status, head.get("content-length"), head.body) == (200, str(SIZE), b"")
        part = client.request("GET", "/private/large.bin", [("Range", "bytes=-250")])
        assert part.body == bytes(range(250))
        assert client.request("GET", "/private/none").status == 404
        assert client.request("GET", "/private/").status == 404, "a folder is no file"
        assert client.request("POST", "/private/a.txt", body=b"x").status == 405
