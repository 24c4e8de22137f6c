"""An action that lags: a little is read ahead, then reading stops; nothing is lost or changes places."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from ioto_server.session import Event, WebSocket
from ioto_server.session.inbox import MOST_BYTES, MOST_MESSAGES, Inbox

from .harness import Connection, in_loop, make_host, result, turns


@in_loop
async def test_reading_stops_after_sixteen_messages() -> None:
    one = Connection()
    assert await result(first_of(one)) == "0"
    one.receive(one.frames(*map(str, range(1, 16))))
    assert one.link.reading
    one.receive(one.frames("16", "17", "18"))
    assert not one.link.reading
    assert [await result(one.ws.receive()) for _ in range(18)] == [str(n) for n in range(1, 19)]
    assert one.link.reading


async def first_of(one: Connection) -> Any:
    one.receive(one.frames("0"))
    return await one.ws.receive()


@in_loop
async def test_reading_stops_after_64_kilobytes() -> None:
    one = Connection()
    one.receive(one.frames(bytes(30_000)))
    one.receive(one.frames(bytes(30_000)))
    assert one.link.reading
    one.receive(one.frames(bytes(30_000)))
    assert not one.link.reading
    for _ in range(3):
        assert len(await result(one.ws.receive())) == 30_000
    assert one.link.reading


@in_loop
async def test_control_frames_are_handled_at_once_while_an_action_lags() -> None:
    one = Connection()
    one.receive(one.frames("unread"), one.ping(b"now"))
    assert one.seen() == [("pong", b"now")]


@in_loop
async def test_an_idle_inbox_is_small() -> None:
    """16 messages are read ahead, not 16 of whatever size: a message over 64 KB fills the inbox alone."""
    inbox = Inbox()
    inbox.push(Event.MESSAGE, bytes(MOST_BYTES))
    assert inbox.is_full()
    inbox.pop()
    assert inbox.is_low()
    for _ in range(MOST_MESSAGES):
        assert not inbox.is_full()
        inbox.push(Event.MESSAGE, b"")
    assert inbox.is_full()
    for _ in range(MOST_MESSAGES // 2):
        assert not inbox.is_low()
        inbox.pop()
    assert inbox.is_low()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("way", ["receive", "async callback"])
@in_loop
async def test_no_message_is_lost_or_reordered_however_reading_is_cut(seed: int, way: str) -> None:
    """Random messages in random pieces, an action that lags at random, TCP that waits when told to."""
    chance = random.Random(seed)
    sizes = [chance.choice((0, 1, 5, 125, 126, 3000, 70_000)) for _ in range(120)]
    sent = [bytes(chance.randbytes(size)) for size in sizes]
    got: list[bytes] = []

    async def callback(_ws: WebSocket, event: Event, data: Any, _arg: object) -> None:
        if event is Event.MESSAGE:
            got.append(data)
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(0)

    async def iterate() -> None:
        async for message in one.ws:
            assert isinstance(message, bytes)
            got.append(message)
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(0)

    one = Connection(callback=callback if way == "async callback" else None)
    reader = asyncio.ensure_future(iterate()) if way == "receive" else None
    stream = one.frames(*sent) + one.close(1000)
    place = 0
    while place < len(stream):
        if not one.link.reading:
            await asyncio.sleep(0)
            continue
        size = chance.choice((1, 2, 7, 1000, 65536))
        one.receive(stream[place : place + size])
        place += size
        assert one.ws.buffered <= 2 * 65536 + 70_020
        if chance.random() < 0.2:
            await asyncio.sleep(0)
    if reader is not None:
        await reader
    assert await one.ws.closed() == 0
    assert got == sent
    assert one.ws.messages_in == len(sent)


@in_loop
async def test_the_end_of_the_stream_waits_behind_what_was_read() -> None:
    one = Connection()
    one.receive(one.frames(*map(str, range(40))))
    one.ws.received_eof()
    assert one.ws.state == "open"
    got = [await result(one.ws.receive()) for _ in range(40)]
    assert got == [str(n) for n in range(40)]
    assert one.outcome == ("peer left without a Close", 1006, "", False)


@in_loop
async def test_closing_lets_the_peers_close_through_behind_unread_messages() -> None:
    one = Connection()
    one.receive(one.frames(*map(str, range(40))), one.close(1000))
    one.ws.send_close(4000, "enough")
    await turns()
    assert one.outcome == ("action closed", 4000, "enough", True)


@in_loop
async def test_a_lagging_action_may_fail_slowly_without_stopping_the_discarding() -> None:
    """After a failure reading goes on, to see the peer's end of stream."""
    one = Connection()
    one.receive(one.frames(*map(str, range(40))))
    assert not one.link.reading
    one.ws.failed(RuntimeError("test"))
    assert one.link.lingering
    assert one.link.reading
    one.ws.received_eof()
    assert one.link.finished


@in_loop
async def test_after_a_failure_an_end_of_the_stream_that_had_come_is_not_waited_for() -> None:
    one = Connection()
    one.receive(one.frames(*map(str, range(40))))
    one.ws.received_eof()
    one.ws.failed(RuntimeError("test"))
    assert one.link.finished
    assert one.seen() == [("close", 1011, "Internal error")]
    assert one.outcome == ("action raised an exception", 1011, "Internal error", False)


@in_loop
async def test_time_stands_still_for_the_peer_while_we_do_not_read() -> None:
    one = Connection(make_host(timeouts={"inactivity": 2, "pong": 2}, webSockets={"ping": 1}))
    one.receive(one.frames(*map(str, range(40))))
    one.turn(60)
    assert one.ws.state == "open"
    for _ in range(40):
        await result(one.ws.receive())
    assert one.link.reading
    one.turn(1.5)
    assert one.ws.state == "open", "it gets its whole time again"
    one.turn(2)
    assert one.ws.state != "open"
