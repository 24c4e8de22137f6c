"""Streams of events: framed, timed and ended as a WebSocket would be (SPEC 6 and 8)."""

from __future__ import annotations

import asyncio

import pytest

from ioto_server.session import Closed, Web
from tests.session.harness import in_loop, turns

from .harness import Client, make_server, pass_time


async def once(web: Web) -> None:
    """One event, then silence."""
    web.write_event("hello")
    await asyncio.get_running_loop().create_future()


def body(received: str) -> str:
    """What the chunks of an answer hold."""
    head, _, chunks = received.partition("\r\n\r\n")
    assert "Transfer-Encoding: chunked" in head
    pieces = []
    while chunks:
        size, _, rest = chunks.partition("\r\n")
        pieces.append(rest[: int(size, 16)])
        chunks = rest[int(size, 16) + 2 :]
    return "".join(pieces)


@in_loop
async def test_events_come_as_they_are_written() -> None:
    async def two(web: Web) -> None:
        web.set_header("X-Own", "header")
        web.write_event("tick\n0", event="tick", event_id="7", retry=1.5)
        web.write_event("second")

    server = make_server({"/two": two})
    client = Client(server)
    client.get("/two")
    await turns()
    received = client.received()
    assert received.startswith("HTTP/1.1 200 OK\r\n")
    for line in (
        "Content-Type: text/event-stream; charset=utf-8",
        "Cache-Control: no-cache",
        "X-Own: header",
    ):
        assert f"\r\n{line}\r\n" in received
    assert body(received) == "event: tick\nid: 7\nretry: 1500\ndata: tick\ndata: 0\n\ndata: second\n\n"
    assert received.endswith("\r\n0\r\n\r\n"), "the action has returned"


@in_loop
async def test_a_stream_has_no_request_timeout_but_one_that_was_set() -> None:
    servers = []
    for timeouts, alive in (({}, True), ({"request": 100}, False)):
        server = make_server({"/once": once}, timeouts={"inactivity": "never", **timeouts})
        # One that is let go of takes the task of its action along, wherever that waits.
        servers.append(server)
        client = Client(server)
        client.get("/once")
        await pass_time(server, 400)
        received = client.received()
        assert received.endswith("0\r\n\r\n") is not alive
        assert client.transport.is_closing() is not alive


@in_loop
async def test_a_silent_stream_ends_after_inactivity() -> None:
    server = make_server({"/once": once}, timeouts={"inactivity": 10})
    client = Client(server)
    client.get("/once")
    await pass_time(server, 9.8)
    assert not client.received().endswith("0\r\n\r\n")
    await pass_time(server, 0.5)
    assert client.received() == "0\r\n\r\n", "in order: what was sent is whole"
    assert client.transport.eof


@in_loop
async def test_where_websockets_are_pinged_a_stream_gets_comments() -> None:
    server = make_server({"/once": once}, timeouts={"inactivity": 25}, webSockets={"ping": 10})
    client = Client(server)
    client.get("/once")
    await pass_time(server, 45)
    assert body(client.received()) == "data: hello\n\n" + ": \n\n" * 4


@in_loop
async def test_an_author_may_set_the_deadlines_of_a_stream() -> None:
    async def patient(web: Web) -> None:
        web.write_event("hello")
        web.update_deadline(inactivity=100)
        await asyncio.get_running_loop().create_future()

    server = make_server({"/patient": patient}, timeouts={"inactivity": 10})
    client = Client(server)
    client.get("/patient")
    await pass_time(server, 99)
    assert not client.transport.eof
    await pass_time(server, 2)
    assert client.transport.eof


@in_loop
async def test_a_plain_request_may_have_its_deadline_moved() -> None:
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def slow(web: Web) -> None:
        web.update_deadline(request=50)
        await gate

    server = make_server({"/slow": slow}, timeouts={"request": 10})
    client = Client(server)
    client.get("/slow")
    await pass_time(server, 45)
    assert client.received() == ""
    gate.set_result(None)
    await turns()
    assert client.status == 204


@in_loop
async def test_a_client_that_leaves_ends_the_action() -> None:
    ended: list[Closed] = []

    async def action(web: Web) -> None:
        try:
            while True:
                await web.write_event("tick")
                await asyncio.sleep(0)
        except Closed as closed:
            ended.append(closed)

    server = make_server({"/ticks": action})
    client = Client(server)
    client.get("/ticks")
    await turns()
    client.reset()
    await turns()
    assert len(ended) == 1


@in_loop
async def test_a_client_that_does_not_read_is_given_up() -> None:
    async def floods(web: Web) -> None:
        while True:
            await web.write_event("x" * 10_000)

    server = make_server({"/floods": floods}, timeouts={"inactivity": 10})
    client = Client(server)
    client.transport.room = 50_000
    client.get("/floods")
    await pass_time(server, 9.8)
    assert not client.transport.is_closing()
    assert client.connection.held < 30_000
    await pass_time(server, 1)
    assert client.transport.aborted


@in_loop
async def test_a_stop_ends_streams_at_once() -> None:
    async def action(web: Web) -> None:
        while True:
            await web.write_event("tick")
            await asyncio.sleep(0.01)

    server = make_server({"/ticks": action})
    client = Client(server)
    client.get("/ticks")
    await turns()
    stopping = asyncio.ensure_future(server.stop(1001, "Server stopping"))
    await turns()
    assert client.received().endswith("0\r\n\r\n")
    client.leave()
    await asyncio.wait_for(stopping, 5)


@pytest.mark.parametrize("first", ["write", "error"])
@in_loop
async def test_a_stream_is_the_whole_answer(first: str) -> None:
    errors: list[Exception] = []

    async def mixes(web: Web) -> None:
        if first == "write":
            web.write("plain")
        else:
            web.error(404, "gone")
        try:
            web.write_event("hello")
        except (RuntimeError, Closed) as error:
            errors.append(error)

    server = make_server({"/mixes": mixes})
    client = Client(server)
    client.get("/mixes")
    await turns()
    assert client.status == (200 if first == "write" else 404)
    assert len(errors) == 1
