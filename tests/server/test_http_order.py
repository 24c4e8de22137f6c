"""HTTP and order: pipelines, half-closed clients, refusals; all bounded (SPEC 5, SPEC 8, RFC 9112 9)."""

from __future__ import annotations

import asyncio
import gc
import re

import pytest

from ioto_server.session import Event, Web, WebSocket
from tests.session.harness import in_loop, turns
from tests.support.raw import CLOSE, TEXT, frame

from .harness import Client, make_server, pass_time

GET = b"GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def slow(web: Web) -> None:
    await asyncio.sleep(0)
    web.write(web.path)


def statuses(answers: str) -> list[str]:
    return re.findall(r"HTTP/1.1 (\d+) ", answers)


@in_loop
async def test_a_long_pipeline_is_answered_in_order() -> None:
    """Each answer is ready at once: however many, they must not pile up on the stack."""
    server = make_server()
    client = Client(server)
    client.send(b"".join(GET % number for number in range(900)))
    for _ in range(200):
        await asyncio.sleep(0)
    assert statuses(client.received()) == ["404"] * 900
    assert client.connection.phase.name == "IDLE"


@in_loop
async def test_a_pipeline_waits_for_a_client_that_reads_late() -> None:
    """Its answers are more than limits.maxBacklog: none is begun before the one before has left."""
    size = 40_000

    async def large(web: Web) -> None:
        web.write(bytes(size))

    server = make_server({"/large": large})
    client = Client(server)
    client.transport.room = 100_000
    client.send(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
    # It has asked for all, and shuts its side.
    client.leave()
    answers = ""
    for _ in range(1000):
        await turns()
        assert client.transport.get_write_buffer_size() < 2 * size
        client.transport.take(size)
        answers += client.received()
    assert statuses(answers) == ["200"] * 100
    assert client.transport.closed
    assert not client.transport.aborted


@in_loop
async def test_the_last_request_that_is_allowed_closes_the_connection() -> None:
    server = make_server(limits={"requests": 2})
    client = Client(server)
    client.send(b"".join(GET % number for number in range(3)))
    await turns()
    answers = client.received()
    assert statuses(answers) == ["404", "404"]
    assert [part.count("Connection: close") for part in answers.split("HTTP/1.1 ")[1:]] == [0, 1]
    assert client.transport.eof


@in_loop
async def test_a_pipeline_keeps_its_order_where_answers_take_time() -> None:
    server = make_server({"/slow": slow})
    client = Client(server)
    client.send(
        b"".join(b"GET /slow/%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % number for number in range(20))
    )
    await turns(200)
    answers = client.received()
    places = [answers.index(f"/slow/{number}") for number in range(10, 20)]
    assert places == sorted(places)
    assert statuses(answers) == ["200"] * 20


@in_loop
async def test_what_a_client_asked_for_before_it_shut_its_side_is_answered() -> None:
    server = make_server({"/slow": slow})
    client = Client(server)
    client.send(b"GET /slow/1 HTTP/1.1\r\nHost: localhost\r\n\r\n" + GET % 2)
    client.leave()
    await turns(20)
    assert statuses(client.received()) == ["200", "404"]
    assert client.transport.closed


@in_loop
async def test_a_client_that_shuts_its_side_in_its_body_is_gone() -> None:
    async def reads(web: Web) -> None:
        web.write(await web.read())

    server = make_server({"/reads": reads})
    client = Client(server)
    client.send(b"POST /reads HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n123")
    await turns()
    client.leave()
    await turns()
    assert client.received() == ""
    assert client.transport.lost


@in_loop
async def test_a_client_that_shuts_its_side_and_reads_nothing_is_dropped() -> None:
    async def big(web: Web) -> None:
        web.write(bytes(60_000))

    server = make_server({"/big": big}, timeouts={"close": 5})
    client = Client(server)
    client.transport.room = 100
    client.get("/big")
    await turns()
    client.leave()
    await pass_time(server, 5.3)
    assert client.transport.aborted


@in_loop
async def test_reading_stops_while_much_waits_here() -> None:
    gate = asyncio.Event()

    async def waits(web: Web) -> None:
        await gate.wait()
        web.write("now")

    server = make_server({"/waits": waits}, limits={"requests": "unlimited"})
    client = Client(server)
    client.get("/waits")
    sent = 0
    while client.transport.reading:
        client.send(GET % sent)
        sent += 1
    assert 65_536 <= client.connection.held < 70_000
    gate.set()
    await turns(500)
    assert client.transport.reading
    assert statuses(client.received()) == ["200", *["404"] * sent]


@in_loop
async def test_a_refused_client_is_heard_out_for_a_while() -> None:
    """Bytes that it still sends are discarded: a reset could destroy the answer that says why."""
    server = make_server(timeouts={"close": 5})
    client = Client(server)
    client.send(b"\x16\x03\x01 not http")
    assert client.status == 400
    assert client.transport.eof
    for _ in range(20):
        client.send(bytes(60_000))
    assert client.connection.held == 0
    client.leave()
    await turns()
    assert client.transport.closed
    assert len(server.clients) == 0


@in_loop
async def test_a_refused_client_that_stays_is_dropped() -> None:
    server = make_server(limits={"connections": 1}, timeouts={"close": 5})
    first = Client(server)
    refused = Client(server)
    assert "limits.connections" in refused.received()
    await pass_time(server, 4.8)
    assert not refused.transport.is_closing()
    await pass_time(server, 0.5)
    assert refused.transport.aborted
    assert not first.transport.aborted


@in_loop
async def test_a_flood_of_refused_clients_is_not_waited_for() -> None:
    server = make_server(limits={"connections": 1})
    clients = [Client(server) for _ in range(300)]
    assert all(client.status == 503 for client in clients[1:])
    assert sum(client.transport.closed for client in clients) == 43


@in_loop
async def test_what_follows_the_handshake_at_once_is_not_lost() -> None:
    got: list[object] = []

    def on_event(_ws: WebSocket, event: Event, data: object, _arg: object) -> None:
        got.append(data if event is Event.MESSAGE else event)

    async def action(web: Web) -> None:
        web.on_event(on_event)
        await web.wait()

    server = make_server({"/ws": action})
    client = Client(server)
    head = b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    head += b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    client.send(head + frame(TEXT, b"early") + frame(CLOSE, b""))
    await turns()
    assert got == [Event.OPEN, "early", Event.CLOSE]
    assert client.received().endswith("\r\n\r\n\x88\x00")
    assert client.transport.closed


@in_loop
async def test_a_plain_function_may_accept_and_is_closed_when_it_returns() -> None:
    def action(web: Web) -> None:
        web.websocket.send("hello and good bye")

    server = make_server({"/ws": action})
    client = Client(server)
    client.upgrade("/ws")
    await turns()
    assert client.received().endswith("\r\n\r\n\x81\x12hello and good bye\x88\x02\x03\xe8")


@in_loop
async def test_an_upgrade_behind_answers_that_have_not_left() -> None:
    async def big(web: Web) -> None:
        web.write(bytes(50_000))

    async def action(web: Web) -> None:
        web.websocket.send("first")
        await web.wait()

    server = make_server({"/big": big, "/ws": action})
    client = Client(server)
    client.transport.room = 100
    client.get("/big")
    await turns()
    client.upgrade("/ws")
    await turns()
    client.transport.take(100_000)
    await turns()
    assert client.received().endswith("\r\n\r\n\x81\x05first")


@pytest.mark.parametrize("stop_first", [False, True])
@in_loop
async def test_a_websocket_that_opens_while_the_server_stops_is_told(stop_first: bool) -> None:
    gate = asyncio.Event()

    async def action(web: Web) -> None:
        await gate.wait()
        await web.wait()

    server = make_server({"/ws": action})
    client = Client(server)
    client.upgrade("/ws")
    await turns()
    if not stop_first:
        gate.set()
        await turns()
    stopping = asyncio.ensure_future(server.stop(1001, "Server stopping"))
    await turns(10)
    gate.set()
    await turns(10)
    assert client.received().endswith("\x88\x11\x03\xe9Server stopping")
    client.send(frame(CLOSE, b"\x03\xe9"))
    await asyncio.wait_for(stopping, 5)


@in_loop
async def test_a_stop_waits_for_what_an_action_does_after_the_close() -> None:
    saved: list[str] = []

    async def action(web: Web) -> None:
        await web.wait()
        await asyncio.sleep(0.01)
        saved.append("saved")

    server = make_server({"/ws": action})
    client = Client(server)
    client.upgrade("/ws")
    await turns()
    stopping = asyncio.ensure_future(server.stop(1001, "Server stopping"))
    await turns(10)
    client.send(frame(CLOSE, b"\x03\xe9"))
    await asyncio.wait_for(stopping, 5)
    assert saved == ["saved"]


@in_loop
async def test_behind_a_trusted_proxy_the_client_is_counted_by_its_own_address() -> None:
    async def action(web: Web) -> None:
        await web.wait()

    server = make_server({"/ws": action}, limits={"perAddress": 1}, trustedProxies=["192.0.2.1"])
    for number, status in ((7, 101), (8, 101), (7, 503)):
        client = Client(server)
        client.upgrade("/ws", f"X-Forwarded-For: 198.51.100.{number}\r\n")
        await turns()
        assert client.status == status


@in_loop
async def test_what_http_holds_counts_for_limits_memory_too() -> None:
    gate = asyncio.Event()

    async def waits(web: Web) -> None:
        await gate.wait()

    server = make_server({"/waits": waits}, limits={"memory": 100_000, "body": "1MB"})
    clients = [Client(server) for _ in range(3)]
    for size, client in zip((30_000, 60_000, 40_000), clients, strict=True):
        client.send(
            b"POST /waits HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n" + bytes(size)
        )
        await turns()
    assert [client.received()[9:12] for client in clients] == ["", "503", ""]
    assert server.host.memory.total < 100_000
    gate.set()


@in_loop
async def test_a_closed_connection_leaves_nothing_to_the_garbage_collector() -> None:
    """A full collection looks at every object there is: ten thousand connections must not need one."""

    async def action(web: Web) -> None:
        def on_event(_ws: WebSocket, _event: Event, _data: object, arg: object) -> None:
            assert arg is web

        web.on_event(on_event, web)
        await web.wait()

    server = make_server({"/ws": action})

    async def come_and_go() -> None:
        client = Client(server)
        client.get("/nothing")
        await turns()
        client.upgrade("/ws")
        await turns()
        client.send(frame(TEXT, b"hello") + frame(CLOSE, b""))
        await turns(10)
        assert client.transport.closed

    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        await come_and_go()
        gc.collect()
        left = {type(one).__name__ for one in gc.garbage}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert not left & {"WebSocket", "HttpConnection", "WebSocketConnection", "Exchange", "Web", "Outbox"}


@in_loop
async def test_a_body_over_its_limit_that_was_answered_already_is_not_answered_again() -> None:
    """RFC 9112 9.3.2: a second answer would be taken for that to the next request."""
    server = make_server()
    client = Client(server)
    client.send(b"POST /1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\nx")
    client.send(GET % 2)
    await turns(10)
    assert len(statuses(client.received())) == 1
    assert client.connection.phase.name == "SHUT"
