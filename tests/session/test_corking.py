"""What leaves together: the answers to one read, and what is sent in one turn of the loop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ioto_server.session import Event, WebSocket
from ioto_server.session.outbox import HIGH_WATER
from ioto_server.websocket import Opcode, frame

from .harness import Connection, MemoryLink, Told, in_loop, make_host, turns


def echo(ws: WebSocket, event: Event, data: Any, _arg: object) -> None:
    if event is Event.MESSAGE:
        ws.send(data)


@in_loop
async def test_all_answers_to_one_read_leave_in_one_write() -> None:
    one = Connection(callback=echo)
    one.receive(one.frames(*map(str, range(50))), one.ping(b"and this"))
    assert len(one.link.writes) == 1
    assert one.seen() == [*(("message", str(n)) for n in range(50)), ("pong", b"and this")]


@in_loop
async def test_large_answers_leave_before_the_read_is_over() -> None:
    """What gathers is bounded, however much one read brings."""
    one = Connection(callback=echo)
    one.receive(*[one.frames(bytes(30_000)) for _ in range(20)])
    assert len(one.link.writes) > 5
    assert max(map(len, one.link.writes)) <= HIGH_WATER + 30_004


@in_loop
async def test_what_is_sent_in_one_turn_of_the_loop_leaves_in_one_write() -> None:
    one = Connection(callback=Told([]))
    one.ws.send("a")
    one.ws.send(b"b")
    one.ws.send_close(1000, "c")
    assert one.link.writes == []
    await turns()
    assert len(one.link.writes) == 1
    assert one.seen() == [("message", "a"), ("message", b"b"), ("close", 1000, "c")]


@in_loop
async def test_what_is_published_in_one_turn_leaves_in_one_write_to_each() -> None:
    host = make_host()
    ones = [Connection(host, callback=Told([])) for _ in range(3)]
    for one in ones:
        one.ws.subscribe("news")
    assert host.publish("news", "first") == 3
    assert host.publish("news", b"second") == 3
    await turns()
    for one in ones:
        assert len(one.link.writes) == 1
        assert one.seen() == [("message", "first"), ("message", b"second")]


@in_loop
async def test_a_turn_serves_connections_that_ended_in_it() -> None:
    host = make_host()
    one, two = Connection(host, callback=Told([])), Connection(host, callback=Told([]))
    one.ws.send("lost")
    two.ws.send("kept")
    one.ws.lost(None)
    await turns()
    assert two.seen() == [("message", "kept")]
    assert one.link.writes == []


@in_loop
async def test_a_message_is_framed_once_for_all_subscribers() -> None:
    host = make_host()
    ones = [Connection(host, callback=Told([])) for _ in range(2)]
    for one in ones:
        one.ws.subscribe("news")
    host.publish("news", "hello")
    await turns()
    assert [one.link.writes for one in ones] == [[frame(Opcode.TEXT, b"hello")]] * 2


@in_loop
async def test_answers_to_good_messages_leave_before_the_close_of_a_bad_one() -> None:
    """SPEC 4: what the action answered at once to the messages before it is sent before that Close."""
    one = Connection(callback=echo)
    one.receive(one.frames("good", "also good"), b"\xff\x80")
    assert one.seen() == [
        ("message", "good"),
        ("message", "also good"),
        ("close", 1002, "Reserved bit RSV2 or RSV3 is set (RFC 6455 5.2)"),
    ]
    assert one.link.lingering


@in_loop
async def test_one_connection_does_not_keep_the_loop_for_itself() -> None:
    """What takes long goes on in the next turn, in order, and reading waits until then."""
    slow: list[Any] = []

    def callback(_ws: WebSocket, event: Event, data: Any, _arg: object) -> None:
        if event is Event.MESSAGE:
            slow.append(data)
            end = asyncio.get_running_loop().time() + 0.0005
            while asyncio.get_running_loop().time() < end:
                pass

    one = Connection(callback=callback)
    sent = [str(n) for n in range(300)]
    one.receive(one.frames(*sent))
    assert 0 < len(slow) < 300
    assert not one.link.reading
    rounds = 0
    while not one.link.reading:
        await asyncio.sleep(0)
        rounds += 1
    assert slow == sent
    assert rounds >= 3


@in_loop
async def test_a_close_in_the_midst_of_what_goes_on_later() -> None:
    def callback(ws: WebSocket, event: Event, _data: Any, _arg: object) -> None:
        if event is Event.MESSAGE:
            end = asyncio.get_running_loop().time() + 0.0005
            while asyncio.get_running_loop().time() < end:
                pass

    one = Connection(callback=callback)
    one.receive(one.frames(*["x"] * 300), one.close(1000))
    assert one.ws.state == "open"
    one.ws.stop(1001, "Server stopping")
    await turns()
    assert one.outcome == ("server stopping", 1001, "Server stopping", True)
    assert one.link.finished


@in_loop
async def test_an_interrupt_in_one_connection_keeps_nothing_back_in_the_others() -> None:
    class Interrupted(MemoryLink):
        def write(self, parts: list[bytes], size: int) -> None:
            raise KeyboardInterrupt

    host = make_host()
    ones = [Connection(host, callback=Told([]), link=Interrupted()), Connection(host, callback=Told([]))]
    for one in ones:
        one.ws.send("said")
    with pytest.raises(KeyboardInterrupt):
        host.turn.end()
    assert ones[1].seen() == [("message", "said")]
