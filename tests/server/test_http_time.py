"""HTTP and time: each deadline of a connection, and what the client is told (SPEC 5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ioto_server.session import Closed, Web
from tests.session.harness import in_loop, turns

from .harness import Client, make_server, pass_time


async def echo(web: Web) -> None:
    web.write(await web.read())


async def late(web: Web) -> None:
    await asyncio.sleep(0)
    await asyncio.get_running_loop().create_future()


def silent(_client: Client) -> None:
    pass


def half_a_header(client: Client) -> None:
    client.send(b"GET / HTTP/1.1\r\nHost: loc")


def drips(client: Client) -> None:
    client.send(b"G")


@in_loop
async def test_who_says_nothing_is_closed_in_silence() -> None:
    server = make_server(timeouts={"parse": 5})
    client = Client(server)
    await pass_time(server, 4.8)
    assert not client.transport.is_closing()
    await pass_time(server, 0.5)
    assert client.transport.closed
    assert client.received() == ""
    assert len(server.clients) == 0


@pytest.mark.parametrize("begin", [half_a_header, drips])
@in_loop
async def test_who_sends_part_of_a_header_is_answered_408(begin: Callable[[Client], None]) -> None:
    server = make_server(timeouts={"parse": 5})
    client = Client(server)
    await pass_time(server, 3)
    begin(client)
    await pass_time(server, 1.8)
    assert client.received() == ""
    await pass_time(server, 0.5)
    answer = client.received()
    assert answer.startswith("HTTP/1.1 408 ")
    assert "Connection: close" in answer
    assert answer.endswith("timeouts.parse: send it at once\n")
    assert client.transport.eof
    assert not client.transport.closed
    await pass_time(server, 5.2)
    assert client.transport.aborted, "who does not leave by himself is dropped after timeouts.close"


@in_loop
async def test_a_byte_a_second_does_not_extend_the_time_of_a_header() -> None:
    server = make_server(timeouts={"parse": 5})
    client = Client(server)
    for letter in b"GET / ":
        client.send(bytes([letter]))
        await pass_time(server, 1)
        if client.transport.eof:
            break
    assert client.status == 408


@in_loop
async def test_between_requests_inactivity_closes_in_silence() -> None:
    server = make_server(timeouts={"inactivity": 30, "parse": 5})
    client = Client(server)
    client.get("/nothing")
    await turns()
    assert client.status == 404
    await pass_time(server, 29.8)
    assert not client.transport.is_closing()
    await pass_time(server, 0.5)
    assert client.transport.closed
    assert client.received() == ""


@in_loop
async def test_the_next_header_has_its_time_from_its_first_byte_on() -> None:
    server = make_server(timeouts={"inactivity": 30, "parse": 5})
    client = Client(server)
    client.get("/nothing")
    await turns()
    assert client.status == 404
    await pass_time(server, 20)
    half_a_header(client)
    await pass_time(server, 4.8)
    assert client.received() == ""
    await pass_time(server, 0.5)
    assert client.status == 408


@in_loop
async def test_a_body_that_stalls_is_408_after_inactivity() -> None:
    server = make_server({"/echo": echo}, timeouts={"inactivity": 10})
    client = Client(server)
    client.send(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345")
    await pass_time(server, 9)
    client.send(b"6")
    await pass_time(server, 9.5)
    assert client.received() == ""
    with capture_logs() as lines:
        await pass_time(server, 1)
    answer = client.received()
    assert answer.startswith("HTTP/1.1 408 ")
    assert answer.endswith("The request body did not arrive within timeouts.inactivity\n")
    assert [line["event"] for line in lines] == ["request"], "the action that waited for it ends quietly"
    await pass_time(server, 6)
    assert client.transport.lost


@in_loop
async def test_an_action_that_computes_is_not_inactivity_of_the_client() -> None:
    server = make_server({"/late": late}, timeouts={"inactivity": 10, "request": 60})
    client = Client(server)
    client.get("/late")
    await pass_time(server, 59)
    assert client.received() == ""
    await pass_time(server, 1.5)
    answer = client.received()
    assert answer.startswith("HTTP/1.1 503 ")
    assert answer.endswith("There was no answer within timeouts.request\n")


@in_loop
async def test_an_action_that_goes_on_after_its_connection_is_cancelled_and_named() -> None:
    server = make_server({"/late": late}, timeouts={"close": 5})
    client = Client(server)
    client.get("/late")
    await turns()
    client.reset()
    with capture_logs() as lines:
        await pass_time(server, 4.8)
        assert lines == []
        await pass_time(server, 1)
    [cancelled] = lines
    assert cancelled["event"] == "action cancelled"
    assert cancelled["action"].endswith("harness.py:1")
    await asyncio.wait_for(server.host.actions_done(), 1)
    await pass_time(server, 6)
    assert len(server.wheel) == 0


@in_loop
async def test_an_action_that_ignores_its_cancellation_is_complained_about() -> None:
    go_on = asyncio.Event()

    async def stubborn(_web: Web) -> None:
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                continue

    server = make_server({"/stubborn": stubborn}, timeouts={"close": 5})
    client = Client(server)
    client.get("/stubborn")
    await turns()
    client.reset()
    with capture_logs() as lines:
        await pass_time(server, 11)
    assert [line["event"] for line in lines] == ["action cancelled", "action ignores its cancellation"]
    go_on.set()


@in_loop
async def test_an_answer_that_nobody_reads_is_given_up_after_inactivity() -> None:
    async def big(web: Web) -> None:
        await web.write(bytes(200_000))

    server = make_server({"/big": big}, timeouts={"inactivity": 10})
    client = Client(server)
    client.transport.room = 1000
    client.get("/big")
    await pass_time(server, 9.8)
    assert not client.transport.is_closing()
    await pass_time(server, 0.5)
    assert client.transport.aborted


@in_loop
async def test_an_answer_that_is_read_slowly_is_not_given_up() -> None:
    async def big(web: Web) -> None:
        await web.write(bytes(200_000))

    server = make_server({"/big": big}, timeouts={"inactivity": 10, "close": 10, "request": "never"})
    client = Client(server)
    client.transport.room = 1000
    client.get("/big", "Connection: close\r\n")
    await pass_time(server, 1)
    while client.transport.get_write_buffer_size():
        await pass_time(server, 8)
        client.transport.take(5000)
    assert not client.transport.aborted
    assert len(client.received()) > 200_000


@pytest.mark.parametrize("request_time", [None, 60])
def test_a_file_is_sent_for_as_long_as_its_client_reads_on(tmp_path: Path, request_time: int | None) -> None:
    """Or for timeouts.request, where that is set: the default is for requests that somebody works at."""
    (tmp_path / "large").write_bytes(bytes(1_000_000))
    timeouts: dict[str, object] = {"inactivity": 20, "close": 10}
    if request_time is not None:
        timeouts["request"] = request_time

    @in_loop
    async def test() -> None:
        server = make_server(documents=str(tmp_path), timeouts=timeouts)
        client = Client(server)
        client.transport.room = 0
        client.get("/large", "Connection: close\r\n")
        seconds = 0
        while len(client.transport.taken) < 1_000_000:
            await pass_time(server, 10)
            seconds += 10
            if client.transport.aborted:
                break
            client.transport.take(25_000)
            # A piece that is not in memory is read by a thread.
            await asyncio.sleep(0.01)
        assert client.transport.aborted is (request_time is not None)
        assert 60 <= seconds <= 70 if request_time else seconds >= 400

    test()


def test_a_body_that_outlasts_a_file_has_the_time_of_a_request(tmp_path: Path) -> None:
    """The file itself had none."""
    (tmp_path / "file").write_bytes(bytes(300_000) + b"the end")

    @in_loop
    async def test() -> None:
        server = make_server(documents=str(tmp_path), timeouts={"inactivity": 20})
        client = Client(server)
        client.get("/file", "Content-Length: 60000\r\n")
        async with asyncio.timeout(60):
            while not client.transport.taken.endswith(b"the end"):  # noqa: ASYNC110
                # Pieces that are not in memory are read by a thread.
                await asyncio.sleep(0.001)
        seconds = 0
        while seconds < 400 and not client.transport.is_closing():
            client.send(b"x")
            await pass_time(server, 10)
            seconds += 10
        assert client.transport.aborted
        assert 290 <= seconds <= 310

    test()


def test_who_sends_on_and_takes_nothing_of_a_file_is_given_up_after_inactivity(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(1_000_000))

    @in_loop
    async def test() -> None:
        server = make_server(documents=str(tmp_path), timeouts={"inactivity": 20})
        client = Client(server)
        client.transport.room = 0
        client.get("/large", "Content-Length: 60000\r\n")
        seconds = 0
        while seconds < 100 and not client.transport.aborted:
            client.send(b"x")
            await pass_time(server, 5)
            seconds += 5
            # A piece that is not in memory is read by a thread.
            await asyncio.sleep(0.01)
        assert client.transport.aborted
        assert 15 <= seconds <= 30

    test()


@in_loop
async def test_an_action_that_writes_without_waiting_is_bounded() -> None:
    errors: list[Closed] = []

    async def floods(web: Web) -> None:
        try:
            while True:
                web.write(bytes(100_000))
        except Closed as error:
            errors.append(error)

    server = make_server({"/floods": floods}, limits={"maxBacklog": "1MB"})
    client = Client(server)
    client.transport.room = 0
    client.get("/floods")
    await turns()
    assert client.transport.aborted
    assert len(errors) == 1


@in_loop
async def test_a_client_that_leaves_ends_the_action_quietly() -> None:
    ended: list[str] = []

    async def streams(web: Web) -> None:
        try:
            while True:
                await web.write("data: x\n\n")
                await asyncio.sleep(0)
        except Closed:
            ended.append("closed")
            raise

    async def reads(web: Web) -> None:
        try:
            await web.read()
        except Closed:
            ended.append("closed")
            raise

    server = make_server({"/streams": streams, "/reads": reads})
    for request in (
        b"GET /streams HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /reads HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n123",
    ):
        client = Client(server)
        client.send(request)
        await turns()
        with capture_logs() as lines:
            client.reset()
            await turns()
        assert "action failed" not in [line["event"] for line in lines]
    assert ended == ["closed", "closed"]
    assert len(server.clients) == 0
