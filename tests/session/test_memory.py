"""`limits.memory`: one account for all, the largest holder ends with 1013 (SPEC 5)."""

from __future__ import annotations

import asyncio
from typing import Any
from zlib import DEFLATED, Z_SYNC_FLUSH, compressobj

import pytest

from ioto_server.session import Closed, Core, Event, WebSocket
from ioto_server.session.inbox import MOST_MESSAGES
from ioto_server.session.memory import SMALL, Memory
from ioto_server.websocket import Deflate
from tests.websocket.wire import masked

from .harness import Connection, Told, capture_logs, in_loop, make_host, result, turns

LIMIT = 100_000


def small() -> Core:
    return make_host(limits={"memory": LIMIT, "maxBacklog": "unlimited"})


def half_a_message(one: Connection, size: int) -> None:
    """The peer sends `size` bytes of a message that is longer."""
    one.receive(one.frames(bytes(131_072))[: size + 14])


@in_loop
async def test_nothing_is_counted_of_what_passes_through() -> None:
    host = small()
    one = Connection(host, callback=Told([]))
    one.receive(one.frames(bytes(50_000), "x"))
    one.ws.send(bytes(50_000))
    await turns()
    assert host.memory.total == 0


@in_loop
async def test_partial_messages_count_until_they_are_complete() -> None:
    host = small()
    one = Connection(host, callback=Told([]))
    message = one.frames(bytes(60_000))
    one.receive(message[:50_000])
    assert 49_000 < host.memory.total <= 50_000
    one.receive(message[50_000:])
    assert host.memory.total == 0


@in_loop
async def test_what_is_read_ahead_counts_until_it_is_taken() -> None:
    host = small()
    one = Connection(host)
    one.receive(one.frames(bytes(30_000), "x"))
    assert host.memory.total >= 30_000
    await one.ws.receive()
    await one.ws.receive()
    assert host.memory.total == 0


@in_loop
async def test_backlogs_count_until_they_have_left() -> None:
    host = small()
    one = Connection(host, callback=Told([]))
    one.link.room = 10_000
    one.ws.send(bytes(80_000))
    await turns()
    assert host.memory.total == one.ws.backlog == 70_010
    one.link.take(30_000)
    one.link.take(70_000)
    assert host.memory.total == 0


@in_loop
async def test_the_largest_holder_is_closed_with_1013_the_others_stay() -> None:
    host = small()
    small_one, large, late = (Connection(host, callback=Told([])) for _ in range(3))
    half_a_message(small_one, 30_000)
    half_a_message(large, 60_000)
    assert large.ws.state == "open"
    half_a_message(late, 20_000)
    assert large.outcome == ("over limits.memory", 1013, "Over limits.memory", False)
    assert large.seen() == [("close", 1013, "Over limits.memory")]
    assert (small_one.ws.state, late.ws.state) == ("open", "open")
    assert host.memory.total < LIMIT


@in_loop
async def test_as_many_are_closed_as_it_takes() -> None:
    host = small()
    ones = [Connection(host, callback=Told([])) for _ in range(10)]
    for one in ones:
        half_a_message(one, 9_000)
    last = Connection(host, callback=Told([]))
    half_a_message(last, 90_000)
    assert last.ws.ending is not None
    assert all(one.ws.state == "open" for one in ones)
    host.memory.limit = 50_000
    half_a_message(Connection(host, callback=Told([])), 5000)
    assert sum(one.ws.state == "open" for one in ones) == 5


def inflating(size: int) -> bytes:
    """A frame of about a thousandth of `size`, which a part of a message inflates to."""
    stream = compressobj(9, DEFLATED, -15)
    return masked(0x42, stream.compress(bytes(size)) + stream.flush(Z_SYNC_FLUSH))


@in_loop
async def test_what_few_compressed_bytes_inflate_to_is_counted() -> None:
    host = make_host(limits={"memory": "10MB"})
    one = Connection(host, deflate=Deflate())
    frame = inflating(900_000)
    assert len(frame) < SMALL
    one.receive(frame)
    assert host.memory.total >= 900_000


@in_loop
async def test_of_a_frame_no_more_is_inflated_than_the_limit_allows() -> None:
    host = make_host(limits={"memory": "10MB"})
    one = Connection(host, deflate=Deflate())
    with capture_logs() as logs:
        one.receive(inflating(64 << 20))
        while one.ws.state == "open":  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert one.outcome == ("over limits.memory", 1013, "Over limits.memory", False)
    assert host.memory.total == 0
    (line,) = (line for line in logs if line["event"] == "over limits.memory")
    # The inflater is asked for a megabyte at a time, in steps, and has the frame's rest.
    assert 10 << 20 < line["held"] < (11 << 20) + 200_000


@in_loop
async def test_the_others_have_their_turn_while_a_frame_inflates() -> None:
    """64 megabytes take longer than one connection may keep the loop, however fast the machine."""
    one = Connection(make_host(), deflate=Deflate())
    one.receive(inflating(64 << 20), one.ping(b"behind it"))
    assert not one.link.reading
    assert one.ws.buffered < 64 << 20
    while not one.link.reading:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert one.ws.buffered == 64 << 20
    assert one.seen() == [("pong", b"behind it")]


@in_loop
async def test_a_reader_that_lags_gives_up_what_it_has_not_taken() -> None:
    host = small()
    one = Connection(host)
    one.receive(one.frames(bytes(LIMIT + 1)))
    assert one.outcome == ("over limits.memory", 1013, "Over limits.memory", False)
    assert host.memory.total == 0


@in_loop
async def test_a_backlog_is_given_up_but_for_what_is_half_sent() -> None:
    host = small()
    one = Connection(host, callback=Told([]))
    one.link.room = 1000
    one.ws.send(bytes(21_000))
    await turns()
    while one.ws.state == "open":
        one.ws.send(bytes(10_000))
        await turns()
    assert one.outcome == ("over limits.memory", 1013, "Over limits.memory", False)
    assert one.link.lingering
    assert host.memory.total == one.link.unsent() <= 20_100
    one.link.take()
    assert one.seen() == [("message", bytes(21_000)), ("close", 1013, "Over limits.memory")]
    assert host.memory.total == 0


@in_loop
async def test_those_who_were_closed_may_hold_a_quarter_together_then_they_are_dropped() -> None:
    host = small()
    ones = [Connection(host, callback=Told([])) for _ in range(8)]
    for one in ones:
        one.link.room = 0
        one.ws.send(bytes(14_000))
        one.ws.uncork()
    assert sum(one.ws.state == "open" for one in ones) == 6
    assert sum(one.link.lingering for one in ones) == 2
    assert sum(one.link.aborted for one in ones) == 1
    assert host.memory.total <= LIMIT


@in_loop
async def test_a_slow_peer_that_is_being_closed_is_dropped() -> None:
    host = small()
    one = Connection(host, callback=Told([]))
    one.link.room = 0
    one.ws.send(bytes(90_000))
    one.ws.send_close(4000, "over")
    await turns()
    half_a_message(Connection(host, callback=Told([])), 40_000)
    assert one.link.aborted
    assert one.outcome == ("over limits.memory", 4000, "over", False)


class Holder:
    def __init__(self) -> None:
        self.held = 0

    def relieve(self) -> None:
        raise AssertionError("nobody is to be relieved")

    abandon = relieve


def test_what_is_small_is_not_counted() -> None:
    memory = Memory(10_000)
    one = Holder()
    memory.hold(one, SMALL - 1)
    assert (memory.total, len(memory)) == (0, 0)
    memory.hold(one, SMALL)
    assert (memory.total, len(memory)) == (SMALL, 1)
    memory.hold(one, 5)
    assert (memory.total, len(memory)) == (0, 0)


def test_a_loop_is_not_needed_to_count() -> None:
    """The account is arithmetic; only connections know loops."""
    memory = Memory(10_000)
    memory.hold(Holder(), 10_000)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        assert memory.total == 10_000


@in_loop
async def test_of_what_is_given_up_the_end_is_told_all_the_same() -> None:
    host = small()
    told = Told([])
    reads = asyncio.Event()

    async def lags(ws: WebSocket, event: Event, data: Any, arg: object) -> None:
        told(ws, event, data, arg)
        if event is Event.OPEN:
            await reads.wait()

    one = Connection(host, callback=lags)
    await turns()
    one.link.room = 0
    one.ws.send(bytes(60_000))
    one.receive(one.frames(bytes(30_000)), one.close(1000))
    await turns()
    half_a_message(Connection(host, callback=Told([])), 40_000)
    assert one.link.aborted
    reads.set()
    assert await result(one.ws.closed()) == 0
    assert told.names == ["OPEN", "CLOSE"]


@in_loop
async def test_what_was_read_for_a_connection_that_is_gone_counts_until_it_is_taken() -> None:
    host = small()
    one = Connection(host)
    one.receive(one.frames(bytes(30_000), "x"))
    one.ws.lost(None)
    assert host.memory.total >= 30_000
    assert await one.ws.receive() == bytes(30_000)
    assert await one.ws.receive() == "x"
    assert host.memory.total == 0


@in_loop
async def test_what_was_read_for_a_connection_that_is_gone_is_given_up_first() -> None:
    host = small()
    gone, other = Connection(host), Connection(host, callback=Told([]))
    gone.receive(gone.frames(bytes(60_000)))
    gone.ws.lost(None)
    half_a_message(other, 50_000)
    assert (other.ws.state, len(host.memory)) == ("open", 1)
    with pytest.raises(Closed):
        await gone.ws.receive()


@in_loop
async def test_text_counts_as_what_it_takes_in_memory() -> None:
    host = make_host()
    one = Connection(host)
    one.receive(one.frames("\N{GRINNING FACE}" * 20_000))
    assert host.memory.total >= 80_000
    await one.ws.receive()
    assert host.memory.total == 0


@in_loop
async def test_what_the_link_keeps_back_of_a_paused_connection_counts_until_it_is_read_again() -> None:
    host = small()
    one = Connection(host)
    one.link.kept_back = 20_000
    one.receive(one.frames(bytes(1000)))
    assert one.link.reading
    # Nothing is kept back of who is not paused: it passes through.
    assert host.memory.total < 2000
    one.receive(one.frames(*[bytes(1000)] * MOST_MESSAGES))
    assert not one.link.reading
    counted = host.memory.total
    one.link.kept_back = 0
    assert counted == one.ws.buffered + 20_000 > (MOST_MESSAGES + 1) * 1000 + 20_000
    for _ in range(MOST_MESSAGES + 1):
        await one.ws.receive()
    assert one.link.reading
    assert host.memory.total == 0
