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
from ioto_server.http import HttpError


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


@action("/typed")
async def typed(web: Web) -> None:
    if web.param("type") is not None:
        web.set_header("content-type", web.param("type"))
    match web.path_rest:
        case "/text":
            await web.write("text")
        case "/bytes":
            await web.write(b"caf")
        case "/json":
            await web.write_json(1)
            await web.write_json(2)
        case "/later":
            await web.write("<p>")
            web.set_header("Content-Type", "text/html")
            await web.write("caf")
        case "/json-later":
            await web.write_json(1)
            web.set_header("content-type", "application/problem+json")
        case "/raised":
            raise HttpError(int(web.param("status", "400")), "<b>")
        case "/error":
            web.error(int(web.param("status", "400")), "<b>")
        case "/file":
            await web.send_file(Path(__file__).parent / "private" / "a.txt")
        case "/events":
            web.set_header("cache-control", "no-store")
            await web.write_event("x")


@action("/strict")
async def strict(web: Web) -> None:
    await web.write_json(await web.read_json())


@action("/dribble")
async def dribble(web: Web) -> None:
    for _ in range(60_000):
        await web.write(b"x")
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


def test_an_answer_has_one_content_type_and_the_action_has_the_say(answers: Daemon) -> None:
    with RawClient(answers.url) as client:

        def types(path: str) -> list[str]:
            response = client.request("GET", f"/typed{path}")
            return [value for name, value in response.headers if name.lower() == "content-type"]

        # What a browser would else guess, from the words of a stranger maybe.
        assert types("/text") == ["text/plain; charset=utf-8"]
        assert types("/text?type=text/html") == ["text/html"]
        assert types("/bytes") == []
        assert types("/json") == ["application/json"]
        assert types("/json?type=application/problem%2Bjson") == ["application/problem+json"]
        assert types("/later") == ["text/html"]
        assert types("/json-later") == ["application/problem+json"]
        assert types("/file?type=text/x-log") == ["text/x-log"]
        # These are what they are.
        assert types("/error?type=text/html") == ["text/plain; charset=utf-8"]
        assert types("/events?type=text/html") == ["text/event-stream; charset=utf-8"]
        events = client.request("GET", "/typed/events")
        assert [value for name, value in events.headers if name.lower() == "cache-control"] == ["no-store"]


def test_an_error_has_a_status_that_ends_a_request(answers: Daemon) -> None:
    with RawClient(answers.url) as client:
        assert client.request("GET", "/typed/error?status=599").status == 599
        for status in (101, 199, 600):
            assert client.request("GET", f"/typed/error?status={status}").status == 500
            assert client.request("GET", f"/typed/raised?status={status}").status == 500


def test_json_is_what_the_grammar_says(answers: Daemon) -> None:
    with RawClient(answers.url) as client:
        assert client.request("POST", "/strict", body=b'{"a":[1,null]}').text == '{"a":[1,null]}'
        for wrong in (b"NaN", b"[Infinity]", b'{"a":-Infinity}', b"{'a':1}", b""):
            assert client.request("POST", "/strict", body=wrong).status == 400, wrong


def test_an_answer_of_many_small_pieces_holds_nobody_up(answers: Daemon) -> None:
    with RawClient(answers.url) as client:
        response = client.request("GET", "/dribble")
        assert (response.get("content-length"), response.body) == ("60000", b"x" * 60_000)
