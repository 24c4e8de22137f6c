"""The closing handshake in both directions, and the ends that have none (SPEC 4, RFC 6455 7)."""

from __future__ import annotations

import asyncio
from enum import IntEnum, StrEnum
from typing import Any

import pytest

from ioto_server.session import Cause, Event, WebSocket
from ioto_server.websocket import Opcode, frame

from .harness import Connection, Told, capture_logs, in_loop, make_host, result, turns


@pytest.mark.parametrize(
    ("code", "reason", "answer"),
    [(1000, "bye", 1000), (1001, "", 1001), (4321, "mine", 4321), (None, "", 1005)],
)
@in_loop
async def test_a_close_is_answered_with_its_code_then_we_close_tcp(
    code: int | None, reason: str, answer: int
) -> None:
    one = Connection(callback=Told([]))
    one.receive(one.close(code, reason))
    assert one.seen() == [("close", answer, "")]
    assert one.link.finished
    assert one.outcome == ("peer closed", answer, reason, True)


@in_loop
async def test_our_close_waits_for_the_peers_then_we_close_tcp() -> None:
    one = Connection(callback=Told([]))
    closed = one.ws.send_close(4000, "over")
    assert one.ws.state == "closing"
    await turns()
    assert one.seen() == [("close", 4000, "over")]
    assert not one.link.finished
    one.receive(one.close(4000))
    assert one.link.finished
    await result(closed)
    assert one.ws.state == "closed"


@in_loop
async def test_after_our_close_messages_are_discarded_and_pings_not_answered() -> None:
    told = Told([])
    one = Connection(callback=told)
    one.ws.send_close()
    await turns()
    one.receive(one.frames("late"), one.ping(b"late"), one.close(1000))
    assert told.names == ["OPEN", "CLOSE"]
    assert one.seen() == [("close", 1000, "")]
    assert one.ws.orderly_closed


@in_loop
async def test_both_sides_may_close_at_once() -> None:
    one = Connection(callback=Told([]))
    theirs = one.close(1001, "theirs")
    one.ws.send_close(4000, "ours")
    one.receive(theirs)
    assert one.seen() == [("close", 4000, "ours")]
    assert one.outcome == ("action closed", 4000, "ours", True)


@in_loop
async def test_a_second_close_changes_nothing() -> None:
    one = Connection(callback=Told([]))
    one.ws.send_close(4000, "first")
    one.ws.send_close(4001, "second")
    one.ws.stop(1001, "Server stopping")
    one.ws.returned()
    await turns()
    assert one.seen() == [("close", 4000, "first")]


@pytest.mark.parametrize(
    ("code", "reason"), [(1005, ""), (1006, ""), (999, ""), (5000, ""), (1000, "x" * 124)]
)
@in_loop
async def test_a_close_that_may_not_be_sent_is_an_error_and_sends_nothing(code: int, reason: str) -> None:
    one = Connection(callback=Told([]))
    with pytest.raises(ValueError, match="Close"):
        one.ws.send_close(code, reason)
    assert one.ws.state == "open"
    one.ws.send("still open")
    await turns()
    assert one.seen() == [("message", "still open")]


@in_loop
async def test_a_peer_that_does_not_answer_our_close_is_dropped() -> None:
    one = Connection(make_host(timeouts={"close": 5}), callback=Told([]))
    one.ws.send_close()
    await turns()
    one.turn(4.8)
    assert not one.link.aborted
    one.turn(0.4)
    assert one.link.aborted


@in_loop
async def test_a_peer_that_does_not_close_tcp_after_both_closes_is_dropped() -> None:
    one = Connection(make_host(timeouts={"close": 5}), callback=Told([]))
    one.link.room = 0
    one.receive(one.close(1000))
    one.turn(5.2)
    assert one.link.aborted
    assert one.outcome == ("peer closed", 1000, "", True)


@in_loop
async def test_what_was_sent_before_our_close_has_time_to_be_read() -> None:
    """A peer that reads slowly but reads is waited for: nothing sent before a stop is lost."""
    one = Connection(make_host(timeouts={"close": 5}), callback=Told([]))
    one.link.room = 0
    for _ in range(10):
        one.ws.send(bytes(50_000))
    one.ws.stop(1001, "Server stopping")
    one.ws.uncork()
    while one.ws.backlog:
        one.turn(4)
        one.link.take(6000)
    assert one.seen() == [*[("message", bytes(50_000))] * 10, ("close", 1001, "Server stopping")]
    one.turn(4)
    one.receive(one.close(1001))
    assert one.ws.orderly_closed


@in_loop
async def test_a_peer_that_reads_nothing_is_not_waited_for() -> None:
    one = Connection(make_host(timeouts={"close": 5}), callback=Told([]))
    one.link.room = 0
    one.ws.send(bytes(50_000))
    one.ws.stop(1001, "Server stopping")
    one.ws.uncork()
    one.turn(5.2)
    assert one.link.aborted


@in_loop
async def test_what_was_sent_before_the_peers_close_leaves_before_tcp_is_closed() -> None:
    one = Connection(callback=Told([]))
    one.link.room = 1000
    for _ in range(4):
        one.ws.send(bytes(60_000))
    one.receive(one.close(1000))
    assert not one.link.finished
    while one.ws.backlog:
        assert not one.link.finished
        one.link.take(30_000)
    answer = bytes.fromhex("8802") + (1000).to_bytes(2, "big")
    assert one.link.taken == frame(Opcode.BINARY, bytes(60_000)) * 4 + answer
    assert one.link.finished


@in_loop
async def test_what_was_sent_before_the_end_of_the_peers_stream_leaves_too() -> None:
    one = Connection(callback=Told([]))
    one.link.room = 1000
    for _ in range(3):
        one.ws.send(bytes(60_000))
    one.ws.received_eof()
    for _ in range(10):
        one.link.take(30_000)
    assert one.seen() == [("message", bytes(60_000))] * 3
    assert one.link.finished


# Failures


@in_loop
async def test_after_a_failure_input_is_discarded_until_its_end() -> None:
    told = Told([])
    one = Connection(callback=told)
    one.receive(b"\x83\x80\0\0\0\0")
    assert one.link.lingering
    one.receive(one.frames("not heard"), one.close(1000))
    assert told.names == ["OPEN", "ERROR", "CLOSE"]
    one.ws.received_eof()
    assert one.link.finished
    assert not one.link.aborted


@in_loop
async def test_after_a_failure_a_peer_that_stays_is_dropped() -> None:
    one = Connection(make_host(timeouts={"close": 5}), callback=Told([]))
    one.receive(b"\x83\x80\0\0\0\0")
    one.turn(4.8)
    assert not one.link.aborted
    one.turn(0.4)
    assert one.link.aborted


@in_loop
async def test_a_violation_while_we_wait_for_the_peers_close_ends_the_waiting() -> None:
    one = Connection(callback=Told([]))
    one.ws.send_close(4000, "over")
    await turns()
    one.receive(b"\x83\x80\0\0\0\0")
    assert one.seen() == [("close", 4000, "over")]
    assert one.link.lingering
    assert one.outcome == ("action closed", 4000, "over", False)
    assert one.ws.error_message == "action closed; closing handshake not waited for after the failure"


@in_loop
async def test_a_reset_is_told_with_its_reason() -> None:
    told = Told([])
    one = Connection(callback=told)
    one.ws.lost(ConnectionResetError("Connection reset by peer"))
    assert told.events[-2][1] == "connection lost: Connection reset by peer"
    assert one.ws.close_status == 1006


@in_loop
async def test_a_connection_that_is_gone_is_forgotten() -> None:
    host = make_host()
    one = Connection(host, callback=Told([]))
    one.ws.subscribe("news")
    one.receive(one.frames(bytes(100_000))[:50_000])
    assert host.memory.total > 40_000
    assert one.ws in host.websockets
    one.ws.lost(None)
    assert host.memory.total == 0
    assert len(host.memory) == 0
    assert not host.websockets
    assert host.topics.count("news") == 0
    assert one.ws.buffered == 0
    assert one.ws.next_at() == float("inf")


@in_loop
async def test_a_dropped_connection_tells_why() -> None:
    one = Connection(callback=Told([]))
    one.ws.drop(Cause.SERVER_STOPPING)
    assert one.link.aborted
    assert one.outcome == ("server stopping", 1006, "", False)


@in_loop
async def test_a_callback_that_held_the_loop_is_named() -> None:
    def dawdles(_ws: WebSocket, event: Event, _data: object, _arg: object) -> None:
        if event is Event.MESSAGE:
            end = asyncio.get_running_loop().time() + 0.11
            while asyncio.get_running_loop().time() < end:
                pass

    one = Connection(callback=dawdles)
    with capture_logs() as lines:
        one.receive(one.frames("x"), one.close(1000))
    warning = next(line for line in lines if line["event"] == "callback held the loop")
    assert warning["callback"].endswith("dawdles")
    assert "test_closing.py:" in warning["where"]
    assert warning["milliseconds"] >= 110


class Code(IntEnum):
    GONE = 4001


class Reason(StrEnum):
    ENOUGH = "enough"


@in_loop
async def test_a_code_and_a_reason_may_be_of_an_enum() -> None:
    one = Connection(callback=Told([]))
    one.ws.send_close(Code.GONE, Reason.ENOUGH)
    await turns()
    assert one.seen() == [("close", 4001, "enough")]
    one.receive(one.close(4001))
    assert one.outcome == ("action closed", 4001, "enough", True)
    assert type(one.ws.close_reason) is str


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (None, "", TypeError),
        ("1000", "", TypeError),
        (1000.0, "", TypeError),
        (1000, None, TypeError),
        (1000, b"bytes", TypeError),
        (2**40, "", ValueError),
        (-1, "", ValueError),
    ],
)
@in_loop
async def test_what_is_no_code_or_no_reason_is_an_error_and_sends_nothing(
    code: Any, reason: Any, error: type[Exception]
) -> None:
    one = Connection(callback=Told([]))
    with pytest.raises(error):
        one.ws.send_close(code, reason)
    assert one.ws.state == "open"
    await turns()
    assert one.seen() == []


@pytest.mark.parametrize("type_", [0, 8, 2**40, "text"])
@in_loop
async def test_a_block_is_of_text_or_binary(type_: Any) -> None:
    one = Connection(callback=Told([]))
    with pytest.raises(ValueError, match="opcode"):
        one.ws.send_block(type_, "x")
    await turns()
    assert one.seen() == []


@in_loop
async def test_a_ping_takes_every_kind_of_bytes() -> None:
    one = Connection(callback=Told([]))
    trip = asyncio.ensure_future(one.ws.ping(bytearray(b"mine")))
    await turns()
    assert one.seen() == [("ping", b"mine")]
    one.receive(one.pong(b"mine"))
    assert await result(trip) >= 0
    with pytest.raises(TypeError):
        await one.ws.ping("text")  # type: ignore[arg-type]
