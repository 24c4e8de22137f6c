"""A peer that reads too slowly: what is queued for it is counted, waited for, dropped, or ends it."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import Any

import pytest

from ioto_server.session import Cause, Closed, Event, WebSocket
from ioto_server.session.outbox import HIGH_WATER, SENT
from ioto_server.websocket import MessageTooBig, Opcode, StateError

from .harness import Connection, Told, in_loop, make_host, result, turns

MAX_BACKLOG = 10_000


def stuck(**options: Any) -> Connection:
    """A connection whose kernel takes nothing more, with `limits.maxBacklog` at 10,000 bytes."""
    one = Connection(make_host(limits={"maxBacklog": MAX_BACKLOG}), callback=Told([]), **options)
    one.link.room = 0
    return one


def send(one: Connection, size: int) -> None:
    """Queue one binary message whose frame has `size` bytes (126 to 65,539)."""
    one.ws.send(bytes(size - 4))
    one.ws.uncork()


@in_loop
async def test_a_message_is_accepted_while_the_backlog_before_it_is_within_the_limit() -> None:
    one = stuck()
    send(one, MAX_BACKLOG - 1000)
    send(one, 1000)
    assert one.ws.backlog == MAX_BACKLOG
    send(one, 50_000)
    assert one.ws.backlog == MAX_BACKLOG + 50_000
    with pytest.raises(Closed) as closed:
        one.ws.send("one too many")
    assert (closed.value.code, closed.value.reason) == (1008, "Slow consumer")
    assert one.outcome == ("peer reads too slowly", 1008, "Slow consumer", False)


@in_loop
async def test_one_message_may_be_larger_than_the_limit() -> None:
    one = stuck()
    send(one, 60_000)
    assert one.ws.state == "open"


@in_loop
async def test_of_a_slow_consumer_only_the_frame_in_progress_leaves_before_the_close() -> None:
    one = stuck()
    send(one, 5000)
    one.link.take(100)
    send(one, 6000)
    with pytest.raises(Closed):
        one.ws.send("one too many")
    assert one.link.lingering
    one.link.take()
    assert one.seen() == [("message", bytes(4996)), ("close", 1008, "Slow consumer")]


@in_loop
async def test_a_slow_consumer_that_is_dropped_for_keeps_its_connection() -> None:
    one = stuck(drop_when_slow=True)
    send(one, 9000)
    send(one, 9000)
    for _ in range(3):
        one.ws.send("dropped")
    one.ws.send_json({"dropped": "too"})
    assert one.ws.dropped == 4
    assert one.ws.state == "open"
    one.link.take()
    one.ws.send("heard again")
    await turns()
    assert [event[1] for event in one.seen()] == [bytes(8996), bytes(8996), "heard again"]


@in_loop
async def test_published_messages_count_and_are_dropped_in_the_same_way() -> None:
    host = make_host(limits={"maxBacklog": MAX_BACKLOG})
    closes = Connection(host, callback=Told([]))
    drops = Connection(host, callback=Told([]), drop_when_slow=True)
    reads = Connection(host, callback=Told([]))
    for one in (closes, drops, reads):
        one.ws.subscribe("news")
    closes.link.room = drops.link.room = 0
    for _ in range(4):
        host.publish("news", bytes(6000))
        await turns()
    assert closes.outcome == ("peer reads too slowly", 1008, "Slow consumer", False)
    assert (drops.ws.state, drops.ws.dropped) == ("open", 2)
    assert len(reads.seen()) == 4
    reads.ws.send_close()
    assert host.publish("news", "x") == 0, "one is closed, one closing, and for one it is dropped"


@in_loop
async def test_awaiting_a_send_waits_only_while_much_is_unsent() -> None:
    one = Connection(callback=Told([]))
    one.link.room = 1000
    assert one.ws.send(bytes(500)) is SENT
    one.ws.uncork()
    one.ws.send(bytes(HIGH_WATER - 100))
    one.ws.uncork()
    assert one.ws.backlog <= HIGH_WATER
    await result(one.ws.send("small"))
    waiting = asyncio.ensure_future(one.ws.send(bytes(60_000)))
    await turns()
    assert not waiting.done()
    one.link.take(30_000)
    await turns()
    assert not waiting.done()
    one.link.take(60_000)
    await turns()
    assert waiting.done()


@in_loop
async def test_who_waits_for_room_is_let_go_at_the_end() -> None:
    one = Connection(callback=Told([]))
    one.link.room = 0
    waiting = asyncio.ensure_future(one.ws.send(bytes(100_000)))
    await turns()
    assert not waiting.done()
    one.ws.lost(None)
    await result(waiting)


@in_loop
async def test_a_message_over_max_message_is_refused_before_anything_is_written() -> None:
    one = Connection(make_host(limits={"maxMessage": 100}), callback=Told([]))
    with pytest.raises(MessageTooBig) as refused:
        one.ws.send(bytes(101))
    assert str(refused.value) == (
        "Message of 101 bytes is over limits.maxMessage (100): send less or raise it"
    )
    one.ws.send(bytes(100))
    await turns()
    assert one.seen() == [("message", bytes(100))]
    assert one.ws.messages_out == 1


@pytest.mark.parametrize("wrong", [5, None, 1.5, ["text"], {"a": 1}, object()])
@in_loop
async def test_what_is_neither_text_nor_bytes_is_a_type_error(wrong: Any) -> None:
    """`bytes(5)` would be five zero bytes."""
    one = Connection(callback=Told([]))
    given = type(wrong).__name__
    for refuse in (one.ws.send, one.ws.send_text, partial(one.ws.send_block, Opcode.TEXT)):
        with pytest.raises(TypeError, match=rf"^A message is str or bytes-like, not {given}: send_json\(\) "):
            refuse(wrong)
    for text_too in (wrong, "text"):
        with pytest.raises(TypeError, match=rf"^This is bytes-like, not {type(text_too).__name__}: "):
            one.ws.send_binary(text_too)
    await turns()
    assert one.link.writes == []


@in_loop
async def test_every_kind_of_bytes_is_sent_as_it_is_now() -> None:
    one = Connection(callback=Told([]))
    changing = bytearray(b"before")
    one.ws.send(changing)
    one.ws.send(memoryview(b"abcdef")[::2])
    changing[:] = b"after!"
    one.ws.send_text(b"text")
    with pytest.raises(ValueError, match="UTF-8"):
        one.ws.send_text(b"\xff")
    await turns()
    assert one.seen() == [("message", b"before"), ("message", b"ace"), ("message", "text")]


# Messages in blocks


@in_loop
async def test_topics_wait_until_a_message_in_blocks_is_complete() -> None:
    host = make_host()
    one = Connection(host, callback=Told([]))
    one.ws.subscribe("news")
    one.ws.send_block(Opcode.TEXT, "first ", more=True)
    host.publish("news", "between")
    one.receive(one.ping(b"may pass"))
    one.ws.send_block(Opcode.TEXT, "second")
    host.publish("news", "after")
    await turns()
    assert one.seen() == [
        ("pong", b"may pass"),
        ("message", "first second"),
        ("message", "between"),
        ("message", "after"),
    ]
    assert one.ws.messages_out == 3


@in_loop
async def test_what_waits_for_a_message_in_blocks_counts_as_backlog() -> None:
    host = make_host(limits={"maxBacklog": MAX_BACKLOG})
    one = Connection(host, callback=Told([]))
    one.ws.subscribe("news")
    one.ws.send_block(Opcode.TEXT, "never ended ", more=True)
    await turns()
    for _ in range(3):
        host.publish("news", bytes(6000))
    assert one.outcome == ("peer reads too slowly", 1008, "Slow consumer", False)


@in_loop
async def test_a_message_cannot_come_between_blocks() -> None:
    one = Connection(callback=Told([]))
    one.ws.send_block(Opcode.BINARY, b"one", more=True)
    with pytest.raises(StateError):
        one.ws.send("between")
    with pytest.raises(StateError):
        one.ws.send_block(Opcode.TEXT, "of another type")
    one.ws.send_block(Opcode.BINARY, b"two")
    await turns()
    assert one.seen() == [("message", b"onetwo")]


@in_loop
async def test_a_block_for_a_slow_consumer_ends_the_connection_even_where_messages_are_dropped() -> None:
    one = stuck(drop_when_slow=True)
    one.ws.send_block(Opcode.BINARY, bytes(20_000), more=True)
    one.ws.uncork()
    with pytest.raises(Closed):
        one.ws.send_block(Opcode.BINARY, b"rest")
    assert one.outcome == ("peer reads too slowly", 1008, "Slow consumer", False)


# Control frames


@in_loop
async def test_of_many_pings_to_a_full_link_the_last_is_answered() -> None:
    one = stuck()
    send(one, 1000)
    for number in range(1000):
        one.receive(one.ping(b"%d" % number))
    assert one.ws.backlog == 1000
    one.link.take()
    assert one.seen() == [("message", bytes(996)), ("pong", b"999")]


@in_loop
async def test_pings_of_an_author_are_bounded_like_messages() -> None:
    one = stuck()
    send(one, MAX_BACKLOG + 1)
    with pytest.raises(Closed):
        await one.ws.ping()
    assert one.outcome == ("peer reads too slowly", 1008, "Slow consumer", False)


@in_loop
async def test_a_callback_that_floods_is_stopped_at_the_limit() -> None:
    def flood(ws: WebSocket, event: Event, _data: Any, _arg: object) -> None:
        if event is Event.MESSAGE:
            for _ in range(1000):
                ws.send(bytes(50_000))

    one = Connection(make_host(limits={"maxBacklog": "1MB"}), callback=flood)
    one.link.room = 500_000
    one.receive(one.frames("go"))
    assert one.outcome == ("peer reads too slowly", 1008, "Slow consumer", False)
    assert one.ws.messages_out < 35


# What waiting costs


@in_loop
async def test_small_messages_that_wait_take_little_more_than_their_bytes() -> None:
    """Each by itself would take ten times as much, and nobody would count it."""
    one = Connection(callback=Told([]))
    one.link.room = 0
    one.ws.send(b"first")
    await turns()
    for number in range(10_000):
        one.ws.send(b"%d" % number)
    parts = one.ws._outbox.parts
    assert sum(map(sys.getsizeof, parts)) + sys.getsizeof(parts) < 2 * one.ws.backlog
    one.link.take()
    assert [data for _, data in one.seen()] == [b"first", *(b"%d" % number for number in range(10_000))]


@in_loop
async def test_small_and_large_messages_that_wait_keep_their_order_and_their_frames() -> None:
    one = Connection(make_host(limits={"maxBacklog": "unlimited", "maxFrame": 40_000}), callback=Told([]))
    one.link.room = 0
    sent = [bytes([number % 256]) * (100_000 if number % 97 == 0 else number % 50) for number in range(1000)]
    for message in sent:
        one.ws.send(message)
    for _ in range(100):
        one.link.take(12_345)
    one.link.take()
    assert [data for _, data in one.seen()] == sent


@in_loop
async def test_the_close_of_a_slow_consumer_comes_between_frames_whatever_waited() -> None:
    one = Connection(make_host(limits={"maxBacklog": 5000}), callback=Told([]))
    one.link.room = 100
    while one.ws.backlog <= 5000:
        one.ws.send(bytes(3))
        one.ws.uncork()
    with pytest.raises(Closed):
        one.ws.send(bytes(3))
    one.link.take()
    *messages, close = one.seen()
    assert close == ("close", 1008, "Slow consumer")
    assert set(messages) == {("message", bytes(3))}


@in_loop
async def test_who_does_not_await_a_send_has_nothing_kept_for_it() -> None:
    one = stuck()
    send(one, 1000)
    for _ in range(100):
        one.ws.send("not awaited")
    assert one.ws._outbox._waiters is None


@in_loop
async def test_who_awaits_what_is_dropped_is_held_back() -> None:
    """An action that sends as fast as it can to a peer that does not read must not hold the loop."""
    one = stuck(drop_when_slow=True)

    async def floods() -> None:
        while True:
            await one.ws.send(bytes(1000))

    flooding = asyncio.ensure_future(floods())
    await turns(100)
    assert not flooding.done()
    assert one.ws.dropped < 100
    flooding.cancel()


@in_loop
async def test_a_send_that_ends_the_connection_does_not_wait_for_it() -> None:
    """Over limits.memory by this very message: nobody would ever say that there is room again."""
    one = Connection(make_host(limits={"memory": 50_000}), callback=Told([]))
    one.link.room = 1000
    sending = asyncio.ensure_future(one.ws.send(bytes(100_000)))
    await result(sending)
    assert one.outcome == ("over limits.memory", 1013, "Over limits.memory", False)
    await result(one.ws._outbox)


@in_loop
async def test_who_no_longer_waits_for_room_costs_nothing() -> None:
    one = stuck(drop_when_slow=True)
    one.ws.send(bytes(100_000))
    one.ws.uncork()
    stays = asyncio.ensure_future(one.ws.send("x"))
    for _ in range(20):
        waiting = asyncio.ensure_future(one.ws.send("x"))
        await turns()
        waiting.cancel()
        await turns()
    assert one.ws._outbox._waiters is not None
    assert len(one.ws._outbox._waiters) == 1
    one.link.take()
    await result(stays)


@in_loop
async def test_the_ends_that_an_end_brings_about_are_told_one_after_another() -> None:
    """Who hears that one has left says so to all: the next slow one must not be ended from within."""
    host = make_host(limits={"maxBacklog": MAX_BACKLOG})
    told: list[tuple[int, str]] = []
    depth = deepest = 0

    def leaves(ws: WebSocket, event: Event, _data: Any, _arg: object) -> None:
        nonlocal depth, deepest
        depth += 1
        deepest = max(depth, deepest)
        if event is not Event.OPEN:
            told.append((ws.number, event.name))
        if event is Event.CLOSE:
            host.publish("room", f"{ws.number} has left")
        depth -= 1

    slow = [Connection(host, callback=leaves) for _ in range(20)]
    for one in slow:
        one.ws.subscribe("room")
        one.link.room = 0
        send(one, MAX_BACKLOG + 1)
    waited = [one.ws.closed() for one in slow]
    # The first is too slow for this, all others for what its callback has to say of it.
    slow[0].ws.send_close(1000)
    slow[0].ws.drop(Cause.SERVER_STOPPING)
    assert deepest == 1
    assert told == [(one.ws.number, event) for one in slow for event in ("ERROR", "CLOSE")]
    assert {one.outcome[0] for one in slow[1:]} == {"peer reads too slowly"}
    assert [await result(one) for one in waited] == [-1] * 20


@in_loop
async def test_what_is_said_of_a_slow_subscriber_comes_behind_what_it_was_too_slow_for() -> None:
    host = make_host(limits={"maxBacklog": MAX_BACKLOG})

    def leaves(_ws: WebSocket, event: Event, _data: Any, _arg: object) -> None:
        if event is Event.CLOSE:
            host.publish("room", "one has left")

    slow = Connection(host, callback=leaves)
    others = [Connection(host, callback=Told([])) for _ in range(2)]
    for one in (others[0], slow, others[1]):
        one.ws.subscribe("room")
    slow.link.room = 0
    send(slow, MAX_BACKLOG + 1)
    assert host.publish("room", "news") == 2
    await turns()
    for one in others:
        assert one.seen() == [("message", "news"), ("message", "one has left")]
