"""Every page of the documentation, lived through; and every action in it, driven."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest

from ioto_server.testing import Refused, Server
from tests.docs.story import DOCS, PAGES, QUIET, Story, blocks
from tests.support import REPOSITORY
from tests.support.daemon import environment

PAGE_NAMES = [page.stem for page in PAGES]


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    lived = Story(tmp_path)
    yield lived
    lived.stop()


# A page runs a dozen programs, a virtual environment among them.
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", PAGE_NAMES)
def test_a_page_does_what_it_says(story: Story, page: str) -> None:
    story.live(DOCS / f"{page}.md")


@pytest.mark.parametrize("page", PAGE_NAMES)
def test_no_file_is_written_twice(page: str) -> None:
    captions = [block.caption for block in blocks(DOCS / f"{page}.md") if block.caption is not None]
    assert len(captions) == len(set(captions)), "one would take the other's place, and be tested alone"


@pytest.mark.parametrize("page", PAGE_NAMES)
def test_no_block_of_code_escapes(page: str) -> None:
    """What can be run is run: as a file of the story, in its terminal, or as a configuration."""
    for block in blocks(DOCS / f"{page}.md"):
        if block.language in {"python", "html"}:
            assert block.caption is not None, f"{block.where}: give it the :caption: of its file"
        else:
            assert block.language in {"console", "json5"} | QUIET, block.where


@pytest.mark.parametrize(
    "page", [page.stem for page in PAGES if any(block.language == "python" for block in blocks(page))]
)
def test_the_python_of_a_page_is_typed(page: str, tmp_path: Path) -> None:
    for block in blocks(DOCS / f"{page}.md"):
        if block.language == "python" and block.caption is not None:
            file = tmp_path / block.caption
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text)
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", REPOSITORY / ".mypy_cache", "."],
        cwd=tmp_path,
        env=environment({"MYPYPATH": str(REPOSITORY)}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    # What mypy says of the package itself is the business of `make lint`.
    assert [line for line in run.stdout.splitlines() if line.startswith(("actions/", "tests/"))] == []
    assert "source file" in run.stdout, run.stderr


@pytest.fixture
def actions(tmp_path: Path) -> Iterator[Server]:
    """The actions of the guide, served."""
    Story(tmp_path).live(DOCS / "actions.md")
    settings = {"timeouts.inactivity": "5 mins"}
    with Server(tmp_path / "actions", settings=settings) as server:
        yield server


def test_where_actions_come_from(actions: Server) -> None:
    assert actions.connect("/ws/window/left").receive() == "You came by /ws/window, and went on to /left"
    for path in ("/sensors/kitchen", "/sensors/bath", "/sensors/hall"):
        assert actions.connect(path).receive() == "21.5"
    with pytest.raises(Refused, match="404"):
        actions.connect("/ws/doorstep")


def test_the_request_and_refusing_it(actions: Server) -> None:
    with pytest.raises(Refused, match="A token is needed") as caught:
        actions.connect("/ws/members")
    assert (caught.value.status, caught.value.headers.get("www-authenticate")) == (401, "Bearer")
    client = actions.connect("/ws/members", query={"token": "sesame"}, protocols=["members.v1"])
    assert client.response.headers.get("x-member") == "Ada"
    assert client.receive() == "Welcome, Ada, we speak members.v1"


def test_receiving(actions: Server, capsys: pytest.CaptureFixture[str]) -> None:
    loop = actions.connect("/ws/loop")
    loop.send("four")
    loop.send(b"12")
    assert [loop.receive(), loop.receive()] == ["4 text", "2 bytes"]
    one = actions.connect("/ws/one")
    one.send("Ada")
    assert one.receive() == "Hello, Ada"
    assert one.wait_closed().code == 1000
    actions.connect("/ws/one").close(4000)
    assert "left without a name: 4000" in capsys.readouterr().out
    raw = actions.connect("/ws/raw")
    raw.send("ä")
    assert raw.receive() == "ä"


def test_a_long_message_in_pieces(actions: Server) -> None:
    client = actions.connect("/ws/sum")
    client.send_fragments(b"a" * 1000, b"b" * 1000, b"c")
    client.send("whole")
    for message in (b"a" * 1000 + b"b" * 1000 + b"c", b"whole"):
        assert client.receive() == f"{crc32(message):08x}"


def test_callbacks(actions: Server, capsys: pytest.CaptureFixture[str]) -> None:
    client = actions.connect("/ws/events")
    client.send("x")
    assert [client.receive(), client.receive()] == ["Welcome", "message 1"]
    client.close(1000, "done")
    printed = capsys.readouterr().out
    assert "closed: 1000 done" in printed
    assert "closed in order" in printed
    actions.connect("/ws/events").drop()
    printed = capsys.readouterr().out
    assert printed.count("failed:") == 2


def test_sending(actions: Server) -> None:
    client = actions.connect("/ws/sending")
    assert list(client) == ["text", b"bytes", '{"any":["value"]}', "part 0 part 1 part 2 of one message"]


def test_closing(actions: Server, capsys: pytest.CaptureFixture[str]) -> None:
    for message, ending in (("wait", (4000, "gone for good")), ("all", (1000, "")), ("x", (4001, "bye"))):
        client = actions.connect("/ws/closing")
        client.send(message)
        assert client.wait_closed() == ending
    assert "the client has answered: True" in capsys.readouterr().out


def test_topics(actions: Server) -> None:
    ada, bob = actions.connect("/ws/topics"), actions.connect("/ws/topics")
    ada.send("hello")
    assert [ada.receive(), ada.receive()] == ["hello", "2 heard it"]
    assert bob.receive() == "hello"


def test_what_is_shared(actions: Server) -> None:
    first, second = actions.connect("/ws/visits"), actions.connect("/ws/visits")
    assert (first.receive(), second.receive()) == ("1", "2")
    actions.advance(61)
    assert first.receive() == "2"


def test_limits_of_an_action_s_own(actions: Server) -> None:
    bulk = actions.connect("/ws/bulk")
    assert bulk.response.headers.get("x-request-timeout") == "7200"
    ticker = actions.connect("/ws/ticker")
    assert ticker.response.headers.get("x-inactivity-timeout") is None
    assert actions.request("POST", "/api/import", body="x" * 200_000).json() == {"bytes": 200_000}


def test_a_message_as_it_comes_into_being(actions: Server) -> None:
    client = actions.connect("/ws/pieces")
    actions.advance(3)
    assert client.receive() == "0 1 2 "


def test_bodies_that_need_not_be_in_memory(actions: Server) -> None:
    body = os.urandom(90_000)
    assert actions.request("POST", "/api/digest", body=body).body.decode() == hashlib.sha256(body).hexdigest()
    answer = actions.request("GET", "/api/report")
    assert (answer.status, answer.headers.get("location")) == (303, "/login.html")


def test_what_is_retained(actions: Server) -> None:
    first = actions.connect("/ws/lamp")
    first.send("on")
    assert first.receive() == "on"
    assert actions.connect("/ws/lamp").receive() == "on"
    first.send("forget")
    assert actions.connect("/ws/lamp").messages == ()


def test_work_in_a_thread(actions: Server) -> None:
    client = actions.connect("/ws/slow")
    client.send("secret")
    expected = hashlib.scrypt(b"secret", salt=b"salt", n=2**12, r=8, p=1).hex()
    assert client.receive(timeout=60) == expected


def test_time(actions: Server) -> None:
    client = actions.connect("/ws/patient")
    client.send("more time")
    assert client.receive() == "True"
    actions.advance(3000)
    assert client.closed is None
    actions.advance(700)
    assert client.closed == (1001, "Inactivity timeout")


def test_plain_answers(actions: Server) -> None:
    assert actions.request("POST", "/api/echo", body="12345").json() == {"bytes": 5}
    assert actions.get("/api/echo").status == 400
    answer = actions.get("/api/echo", query={"name": "Ada"})
    assert (answer.text, answer.headers.get("cache-control")) == ("Hello, Ada", "no-store")
    assert actions.get("/ws/loop").status == 426


def test_forms_cookies_and_json(actions: Server) -> None:
    boundary = "b"
    body = (
        f"--{boundary}\r\nContent-Disposition: form-data; name=name\r\n\r\nAda\r\n"
        f"--{boundary}\r\nContent-Disposition: form-data; name=photo; filename=a.png\r\n\r\n12345\r\n"
        f"--{boundary}--\r\n"
    )
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    answer = actions.request("POST", "/api/form", headers=headers, body=body)
    assert answer.text == "Thank you, Ada; you were here never"
    cookie = answer.headers.get("set-cookie") or ""
    assert cookie.startswith("sent=5; ")
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie.partition(";")[0]}
    answer = actions.request("POST", "/api/form", headers=headers, body="name=Bob")
    assert answer.text == "Thank you, Bob; you were here 5"
    assert actions.request("POST", "/api/form", body="x").status == 415
    assert actions.request("POST", "/api/json", json={"b": 1, "a": 2}).json() == {"keys": ["a", "b"]}
    assert actions.request("POST", "/api/json", body="{").status == 400
