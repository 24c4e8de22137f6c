"""An action, or a callback of it, that goes on without its connection is cancelled in the end."""

from __future__ import annotations

import asyncio
from typing import Any

from ioto_server.session import Event, Web, WebSocket
from tests.session.harness import Told, capture_logs, in_loop, turns
from tests.support.raw import TEXT, frame

from .harness import Client, make_server, pass_time


def leaves_after(client: Client, *messages: bytes) -> None:
    for message in messages:
        client.send(frame(TEXT, message))
    client.reset()


@in_loop
async def test_an_async_callback_that_outlives_its_connection_is_cancelled_and_told_of_the_end() -> None:
    told = Told([])

    async def stays(ws: WebSocket, event: Event, data: Any, arg: object) -> None:
        told(ws, event, data, arg)
        if event is Event.MESSAGE:
            await asyncio.sleep(3600)

    async def action(web: Web) -> None:
        web.on_event(stays)
        await web.wait()

    server = make_server({"/stays": action}, timeouts={"close": 2})
    client = Client(server)
    client.upgrade("/stays")
    await turns()
    with capture_logs() as lines:
        leaves_after(client, b"first", b"x" * 50_000)
        await pass_time(server, 1.5)
        assert told.names == ["OPEN", "MESSAGE"]
        assert server.host.memory.total >= 50_000
        await pass_time(server, 1)
    assert told.names == ["OPEN", "MESSAGE", "ERROR", "CLOSE"]
    assert server.host.memory.total == 0
    assert [line["event"] for line in lines].count("action cancelled") == 1
    assert not server.host.cancel_tasks()


@in_loop
async def test_a_callback_that_stays_even_then_is_named() -> None:
    told = Told([])

    async def stays(ws: WebSocket, event: Event, data: Any, arg: object) -> None:
        told(ws, event, data, arg)
        if event is not Event.OPEN:
            await asyncio.sleep(3600)

    async def action(web: Web) -> None:
        web.on_event(stays)
        await web.wait()

    server = make_server({"/stays": action}, timeouts={"close": 1})
    client = Client(server)
    client.upgrade("/stays")
    await turns()
    with capture_logs() as lines:
        leaves_after(client, b"first")
        await pass_time(server, 3)
    assert told.names == ["OPEN", "MESSAGE", "ERROR"]
    assert [line["event"] for line in lines if line["event"].startswith("action")] == [
        "action cancelled",
        "action ignores its cancellation",
    ]
    [consumer] = server.host.cancel_tasks()
    await turns()
    assert consumer.done()
