"""Actions over plain HTTP: bodies, forms, cookies, answers (SPEC 8), against the real daemon."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import aiohttp
import pytest

from tests.conftest import StartDaemon
from tests.support.daemon import Daemon
from tests.support.raw import RawClient

ACTIONS = """\
import asyncio
from pathlib import Path

from ioto_server import Web, action


@action("/form")
async def form(web: Web) -> None:
    form = await web.form()
    files = [
        {"field": one.name, "type": one.content_type, "size": one.path.stat().st_size, "path": str(one.path)}
        for one in form.files
    ]
    web.write_json({"fields": list(form.items()), "files": files})


@action("/json")
async def echo_json(web: Web) -> None:
    web.write_json({"got": await web.read_json()})


@action("/cookies")
async def cookies(web: Web) -> None:
    web.set_cookie("seen", "yes", max_age=60)
    web.write_json(web.cookies)


@action("/long")
async def long(web: Web) -> None:
    web.set_header("Content-Type", "text/plain")
    for number in range(1000):
        await web.write(f"line {number}\\n" * 50)


@action("/nothing")
async def nothing(web: Web) -> None:
    pass


@action("/refused")
async def refused(web: Web) -> None:
    web.write("written before, and forgotten")
    web.error(402, "Pay first")
"""


@pytest.fixture
def http(start_daemon: StartDaemon, tmp_path: Any) -> Daemon:
    (tmp_path / "forms").mkdir()
    return start_daemon(
        {"limits": {"body": "10KB", "upload": "1MB"}, "upload": {"dir": str(tmp_path / "forms")}},
        {"http.py": ACTIONS},
    )


def post(daemon: Daemon, path: str, body: bytes, content_type: str) -> tuple[int, str]:
    with RawClient(daemon.url) as client:
        response = client.request("POST", path, [("Content-Type", content_type)], body)
        return response.status, response.text


def test_a_form_of_fields(http: Daemon) -> None:
    urlencoded = "application/x-www-form-urlencoded"
    assert post(http, "/form", b"a=1&b=%C3%A9+x&a=2", urlencoded) == (
        200,
        '{"fields":[["a","1"],["b","é x"],["a","2"]],"files":[]}',
    )
    assert post(http, "/form", b"{}", "application/json")[0] == 415
    assert post(http, "/form", b"a=" + b"x" * 11_000, urlencoded)[0] == 413


def test_a_form_with_files_which_are_removed_when_the_action_has_returned(
    http: Daemon, tmp_path: Any
) -> None:
    content = os.urandom(300_000)

    async def send() -> dict[str, Any]:
        data = aiohttp.FormData({"note": "hello"})
        data.add_field("photo", content, filename="../../sun.jpg", content_type="image/jpeg")
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{http.url}/form", data=data) as response,
        ):
            assert response.status == 200
            return dict(await response.json())

    answer = asyncio.run(send())
    assert answer["fields"] == [["note", "hello"]]
    (file,) = answer["files"]
    assert (file["field"], file["type"], file["size"]) == ("photo", "image/jpeg", 300_000)
    assert file["path"].startswith(str(tmp_path / "forms") + "/")
    assert http.stop() == 0
    assert os.listdir(tmp_path / "forms") == []


def test_a_form_over_limits_upload_is_refused_and_leaves_nothing(http: Daemon, tmp_path: Any) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    body = head + bytes(1024 * 1024) + b"\r\n--x--\r\n"
    with RawClient(http.url) as client:
        fields = [("Content-Type", "multipart/form-data; boundary=x"), ("Content-Length", str(len(body)))]
        client.send(client.head("POST", "/form", fields))
        assert client.read_response().status == 413
    assert post(http, "/form", head + b"never ends", "multipart/form-data; boundary=x")[0] == 400
    assert http.stop() == 0
    assert os.listdir(tmp_path / "forms") == []


def test_json_in_and_out(http: Daemon) -> None:
    assert post(http, "/json", b'{"a": [1, null]}', "application/json") == (200, '{"got":{"a":[1,null]}}')
    status, text = post(http, "/json", b"{", "application/json")
    assert (status, text.startswith("The body is not JSON")) == (400, True)
    status, text = post(http, "/json", b"[NaN]", "application/json")
    assert (status, text) == (400, "The body is not JSON (NaN is no JSON value): send a JSON text\n")


def test_an_integer_that_python_does_not_read_is_refused_in_plain_words(http: Daemon) -> None:
    status, text = post(http, "/json", b"[1" + b"0" * 5000 + b"]", "application/json")
    assert status == 400
    assert text.startswith("The body has an integer of more than 4300 digits: ")
    assert "sys." not in text


def test_cookies(http: Daemon) -> None:
    with RawClient(http.url) as client:
        response = client.request("GET", "/cookies", [("Cookie", "a=1; b=2")])
    assert response.text == '{"a":"1","b":"2"}'
    assert str(response.get("set-cookie")).startswith("seen=yes; ")


def test_a_long_answer_comes_in_chunks_and_a_short_one_with_its_length(http: Daemon) -> None:
    with RawClient(http.url) as client:
        response = client.request("GET", "/long")
        assert response.get("transfer-encoding") == "chunked"
        assert response.text == "".join(f"line {number}\n" * 50 for number in range(1000))
        assert client.request("GET", "/cookies").get("content-length") == "2"
        head = client.request("HEAD", "/cookies")
        assert (head.status, head.get("content-length"), head.body) == (200, "2", b"")


def test_an_answer_of_nothing_is_no_content_and_an_error_replaces_what_was_written(http: Daemon) -> None:
    with RawClient(http.url) as client:
        assert client.request("GET", "/nothing").status == 204
        response = client.request("GET", "/refused")
        assert (response.status, response.text) == (402, "Pay first\n")
