"""`log.show`: headers and bodies in the log where asked for, and nowhere else (SPEC 2, 10)."""

from __future__ import annotations

import json

import pytest

from tests.conftest import StartDaemon
from tests.support.daemon import Daemon, run_program
from tests.support.raw import TEXT, RawClient

ACTIONS = """\
from ioto_server import Web, action


@action("/body")
async def body(web: Web) -> None:
    data = await web.read()
    web.set_header("X-Answer", "yes")
    web.write(data.upper())


@action("/ws")
async def ws(web: Web) -> None:
    async for message in web.websocket:
        await web.websocket.send(message)
"""

POST = (
    b"POST /body?token=hidden-query HTTP/1.1\r\nHost: localhost\r\nCookie: a=secret-cookie\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%b"
)
URIS = """\
from ioto_server import Web, action


@action("/uris")
async def uris(web: Web) -> None:
    web.set_header("Content-Location", "/x?token=secret")
    web.set_header("Refresh", "5; url=/x?a=b;token=secret")
    web.set_header("Link", '</a?token=secret>; rel="next", </b?token=secret>; rel="prev"')
    web.redirect("https://user.example/cb?code=secret#access_token=secret")
"""

EVENTS = ("request header", "request body", "answer header", "answer body")


def post(daemon: Daemon, body: bytes) -> bytes:
    with RawClient(daemon.url) as client:
        client.send(POST % (len(body), body))
        return client.read_response().body


def shown(daemon: Daemon) -> dict[str, list[dict[str, object]]]:
    daemon.log("request")
    return {
        event: found
        for event in EVENTS
        if (found := [line for line in daemon.events if line["event"] == event])
    }


@pytest.mark.parametrize(
    ("show", "events"),
    [
        ("", set()),
        ("H", {"request header"}),
        ("h", {"answer header"}),
        ("B", {"request body"}),
        ("b", {"answer body"}),
        ("HhBb", set(EVENTS)),
    ],
)
def test_what_is_asked_for_is_shown_and_nothing_else(
    start_daemon: StartDaemon, show: str, events: set[str]
) -> None:
    daemon = start_daemon({"log": {"show": show}}, {"body.py": ACTIONS})
    assert post(daemon, b"some body") == b"SOME BODY"
    found = shown(daemon)
    assert set(found) == events
    everything = json.dumps(daemon.events)
    assert ("secret-cookie" in everything) is ("H" in show)
    assert ("some body" in everything) is ("B" in show)
    assert ("SOME BODY" in everything) is ("b" in show)
    assert ("X-Answer: yes" in everything) is ("h" in show)
    assert "hidden-query" not in everything


def test_of_a_long_body_its_beginning_is_shown(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"log": {"show": "Bb"}}, {"body.py": ACTIONS})
    post(daemon, b"\xff\x00line\n" + b"y" * 50_000)
    (line,) = shown(daemon)["request body"]
    assert line["bytes"] == 50_007
    assert line["body"] == "\\xff\x00line\n" + "y" * 1017
    assert line["path"] == "/body"


def test_files_refusals_and_the_101_are_shown_and_a_reload_ends_it(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"log": {"show": "Hh"}}, {"body.py": ACTIONS})
    for path in ("/", "/nothing-there"):
        with RawClient(daemon.url) as client:
            client.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            client.read_response()
    with RawClient(daemon.url) as client:
        client.upgrade("/ws")
        client.send_frame(TEXT, b"a message")
        client.read_message()
    daemon.log("websocket close")
    statuses = [line["status"] for line in daemon.events if line["event"] == "answer header"]
    assert statuses == ["HTTP/1.1 200 OK", "HTTP/1.1 404 Not Found", "HTTP/1.1 101 Switching Protocols"]
    assert "Sec-WebSocket-Accept" in json.dumps(daemon.events)
    assert "a message" not in json.dumps(daemon.events)
    text = daemon.config.read_text()
    daemon.config.write_text(text.replace('"Hh"', '""'))
    assert run_program("reload", "--config", daemon.config, cwd=daemon.folder).returncode == 0
    before = len([line for line in daemon.events if line["event"] in EVENTS])
    post(daemon, b"x")
    daemon.log("request")
    assert len([line for line in daemon.events if line["event"] in EVENTS]) == before


def test_no_query_is_shown_in_whatever_field_a_uri_stands(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"log": {"show": "Hh"}}, {"uris.py": URIS})
    fields = (
        "Referer: http://localhost/login?token=secret#secret",
        "Origin: http://localhost?secret",
        "X-Original-URL: /x?token=secret, secret",
        'Authorization: Digest username="ada", uri="/x?token=secret", nonce="1"',
        "Sec-Fetch-User: ?1",
        "Accept: text/html; q=0.5",
    )
    with RawClient(daemon.url) as client:
        head = ("GET /uris?token=secret HTTP/1.1", "Host: localhost", "Connection: close", *fields, "", "")
        client.send("\r\n".join(head).encode())
        assert "code=secret" in (client.read_response().get("location") or "")
    found = shown(daemon)
    assert "secret" not in json.dumps(daemon.events)
    (asked,), (answered,) = found["request header"], found["answer header"]
    assert isinstance(asked["headers"], list)
    assert isinstance(answered["headers"], list)
    assert "Referer: http://localhost/login?…" in asked["headers"]
    assert 'Authorization: Digest username="ada", uri="/x?…", nonce="1"' in asked["headers"]
    assert {"Sec-Fetch-User: ?1", "Accept: text/html; q=0.5"} <= set(asked["headers"])
    assert "Location: https://user.example/cb?…" in answered["headers"]
    assert "Refresh: 5; url=/x?…" in answered["headers"]
    assert 'Link: </a?…>; rel="next", </b?…>; rel="prev"' in answered["headers"]


def test_nor_in_the_reason_why_an_origin_is_refused(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, {"body.py": ACTIONS})
    with RawClient(daemon.url) as client:
        answer = client.handshake("/ws", headers=[("Origin", "http://elsewhere.example?token=secret")])
        assert answer.status == 403
    daemon.log("request", status=403)
    assert "secret" not in daemon.output
