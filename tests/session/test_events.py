"""What a callback is told, and in which order: OPEN first, CLOSE once and last, ERROR before it (SPEC 6)."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from ioto_server.session import Cause, Closed, Event, WebSocket
from ioto_server.websocket import Opcode

from .harness import Connection, Told, capture_logs, in_loop, make_host, result, turns

Ending = Callable[[Connection], None]


def peer_closes(one: Connection) -> None:
    one.receive(one.close(1000, "bye"))


def peer_answers_our_close(one: Connection) -> None:
    one.ws.send_close(1000, "done")
    one.ws.uncork()
    one.seen()
    one.receive(one.close(1000))


def peer_never_answers_our_close(one: Connection) -> None:
    one.ws.send_close(4000, "over")
    one.turn(5.2)


def peer_leaves_before_it_answers(one: Connection) -> None:
    one.ws.send_close(4000, "over")
    one.ws.received_eof()


def action_returns(one: Connection) -> None:
    one.ws.returned()
    one.ws.uncork()
    one.seen()
    one.receive(one.close(1000))


def server_stops(one: Connection) -> None:
    one.ws.stop(1001, "Server stopping")
    one.ws.uncork()
    one.seen()
    one.receive(one.close(1001))


def server_stops_and_drops(one: Connection) -> None:
    one.ws.stop(1001, "Server stopping")
    one.ws.drop(Cause.SERVER_STOPPING)


def peer_breaks_the_protocol(one: Connection) -> None:
    one.receive(b"\xff\x80")


def peer_sends_bad_text(one: Connection) -> None:
    one.receive(b"\x81\x81\0\0\0\0\xff")


def peer_sends_too_much(one: Connection) -> None:
    one.receive(b"\x82\xff" + (1 << 40).to_bytes(8, "big"))


def peer_reads_too_slowly(one: Connection) -> None:
    one.link.room = 0
    one.ws.send(bytes(100_000))
    one.ws.uncork()
    one.ws.send(bytes(100_000))
    with pytest.raises(Closed):
        one.ws.send("one too many")


def inactivity(one: Connection) -> None:
    one.ws.update_deadline(inactivity=1)
    one.turn(1.2)
    one.seen()
    one.receive(one.close(1001))


def request_timeout(one: Connection) -> None:
    one.ws.update_deadline(request=1)
    one.turn(1.2)
    one.seen()
    one.receive(one.close(1001))


def end_of_stream(one: Connection) -> None:
    one.ws.received_eof()


def connection_reset(one: Connection) -> None:
    one.ws.lost(ConnectionResetError("reset by peer"))


ENDINGS: dict[Ending, tuple[int, tuple[str, int, str, bool], str]] = {
    peer_closes: (0, ("peer closed", 1000, "bye", True), ""),
    peer_answers_our_close: (0, ("action closed", 1000, "done", True), ""),
    peer_never_answers_our_close: (
        -1,
        ("action closed", 4000, "over", False),
        "action closed; closing handshake not answered within timeouts.close",
    ),
    peer_leaves_before_it_answers: (
        -1,
        ("action closed", 4000, "over", False),
        "action closed; closing handshake cut off by the end of the connection",
    ),
    action_returns: (0, ("action returned", 1000, "", True), ""),
    server_stops: (0, ("server stopping", 1001, "Server stopping", True), ""),
    server_stops_and_drops: (
        -1,
        ("server stopping", 1001, "Server stopping", False),
        "server stopping; closing handshake cut off by the end of the connection",
    ),
    peer_breaks_the_protocol: (
        -1,
        ("peer broke the protocol", 1002, "Reserved bit RSV2 or RSV3 is set (RFC 6455 5.2)", False),
        "peer broke the protocol: Reserved bit RSV2 or RSV3 is set (RFC 6455 5.2)",
    ),
    peer_sends_bad_text: (
        -1,
        ("peer sent invalid data", 1007, "Text message is not valid UTF-8 (RFC 6455 8.1)", False),
        "peer sent invalid data: Text message is not valid UTF-8 (RFC 6455 8.1)",
    ),
    peer_sends_too_much: (
        -1,
        ("peer went over a limit", 1009, "Frame over limits.maxFrame (131072)", False),
        "peer went over a limit: Frame over limits.maxFrame (131072)",
    ),
    peer_reads_too_slowly: (
        -1,
        ("peer reads too slowly", 1008, "Slow consumer", False),
        "peer reads too slowly: Slow consumer",
    ),
    inactivity: (
        -1,
        ("inactivity timeout", 1001, "Inactivity timeout", True),
        "inactivity timeout: Inactivity timeout",
    ),
    request_timeout: (
        -1,
        ("request timeout", 1001, "Request timeout", True),
        "request timeout: Request timeout",
    ),
    end_of_stream: (-1, ("peer left without a Close", 1006, "", False), "peer left without a Close"),
    connection_reset: (
        -1,
        ("connection lost", 1006, "reset by peer", False),
        "connection lost: reset by peer",
    ),
}


@pytest.mark.parametrize("end", ENDINGS, ids=lambda end: end.__name__)
@in_loop
async def test_every_end_tells_one_story(end: Ending) -> None:
    """Callback, wait(), attributes and log say the same, whichever way a connection ends."""
    value, outcome, error = ENDINGS[end]
    told = Told([])
    one = Connection(make_host(limits={"maxBacklog": "100KB"}), callback=told)
    waited = one.ws.closed()
    one.receive(one.frames("hello"))
    with capture_logs() as lines:
        end(one)
        one.ws.lost(None)
    assert told.events == [
        (Event.OPEN, None),
        (Event.MESSAGE, "hello"),
        *([(Event.ERROR, error)] if error else []),
        (Event.CLOSE, outcome[2]),
    ]
    assert await result(waited) == value
    assert one.outcome == outcome
    ws = one.ws
    assert (ws.close_status, ws.close_reason) == outcome[1:3]
    assert ws.orderly_closed == (value == 0)
    assert ws.error_message == error
    assert ws.state == "closed"
    closes = [line for line in lines if line["event"] == "websocket close"]
    assert len(closes) == 1
    assert closes[0]["cause"] == outcome[0]
    assert closes[0]["close"].startswith(str(outcome[1]))
    assert closes[0]["reason"] == outcome[2]
    assert closes[0]["clean"] == outcome[3]


@pytest.mark.parametrize("end", ENDINGS, ids=lambda end: end.__name__)
@in_loop
async def test_iteration_ends_quietly_after_the_last_message(end: Ending) -> None:
    one = Connection(make_host(limits={"maxBacklog": "100KB"}))

    async def iterate() -> list[Any]:
        return [message async for message in one.ws]

    task = asyncio.ensure_future(iterate())
    await turns()
    one.receive(one.frames("one", b"two"))
    end(one)
    assert await result(task) == ["one", b"two"]
    with pytest.raises(Closed) as closed:
        await one.ws.receive()
    assert closed.value.code == ENDINGS[end][1][1]


@pytest.mark.parametrize("end", ENDINGS, ids=lambda end: end.__name__)
@in_loop
async def test_nothing_can_be_done_after_the_end(end: Ending) -> None:
    one = Connection(make_host(limits={"maxBacklog": "100KB"}), callback=Told([]))
    end(one)
    for send in (
        lambda: one.ws.send("x"),
        lambda: one.ws.send_json({}),
        lambda: one.ws.send_block(Opcode.TEXT, "x", more=True),
        lambda: one.ws.subscribe("topic"),
    ):
        with pytest.raises(Closed):
            send()
    with pytest.raises(Closed):
        await one.ws.ping()
    await result(one.ws.send_close())


@in_loop
async def test_an_async_callback_is_told_one_event_at_a_time() -> None:
    told: list[str] = []
    gate = asyncio.Event()

    async def callback(_ws: WebSocket, event: Event, data: Any, _arg: object) -> None:
        told.append(f"{event.name} {data}")
        await gate.wait()
        told.append("done")

    one = Connection(callback=callback)
    waited = one.ws.closed()
    one.receive(one.frames("a", "b"), one.close(1000))
    await turns()
    assert told == ["OPEN None"]
    assert not waited.done(), "wait() must not return before CLOSE was handled"
    gate.set()
    assert await result(waited) == 0
    assert told == ["OPEN None", "done", "MESSAGE a", "done", "MESSAGE b", "done", "CLOSE ", "done"]


@in_loop
async def test_a_callback_set_late_is_told_everything() -> None:
    one = Connection()
    one.receive(one.frames("early"))
    told = Told([])
    one.ws.on_event(told)
    one.receive(one.frames("late"))
    assert told.events == [(Event.OPEN, None), (Event.MESSAGE, "early"), (Event.MESSAGE, "late")]


@pytest.mark.parametrize("is_async", [False, True])
@in_loop
async def test_a_callback_set_after_the_end_is_told_of_the_end(is_async: bool) -> None:
    one = Connection()
    one.receive(one.frames("early"), one.close(1001, "left"))
    told = Told([])

    async def callback(*args: Any) -> None:
        told(*args)

    one.ws.on_event(callback if is_async else told)
    assert await result(one.ws.closed()) == 0
    assert told.names == ["OPEN", "MESSAGE", "CLOSE"]


@in_loop
async def test_an_async_callback_replaced_by_a_plain_one() -> None:
    told = Told([])

    async def first(*args: Any) -> None:
        told(*args)

    one = Connection(callback=first)
    await turns()
    one.receive(one.frames("a", "b"))
    one.ws.on_event(told)
    one.receive(one.frames("c"))
    await turns()
    assert told.messages == ["a", "b", "c"]


@in_loop
async def test_a_plain_callback_that_returns_a_coroutine_is_an_error() -> None:
    async def answer(_ws: WebSocket) -> None: ...

    one = Connection(callback=lambda ws, event, data, arg: answer(ws) if event is Event.MESSAGE else None)
    with capture_logs() as lines:
        one.receive(one.frames("x"))
    failed = next(line for line in lines if line["event"] == "action failed")
    assert "async def" in str(failed["exc_info"])
    assert one.seen() == [("close", 1011, "Internal error")]


@pytest.mark.parametrize("is_async", [False, True])
@in_loop
async def test_an_exception_is_logged_and_closes_with_1011(is_async: bool) -> None:
    told: list[Event] = []

    def fail(ws: WebSocket, event: Event, data: Any, _arg: object) -> None:
        told.append(event)
        if event is Event.MESSAGE:
            ws.send(f"answer to {data}")
            if data == "bad":
                raise KeyError("nothing there")

    async def fail_async(*args: Any) -> None:
        fail(*args)

    one = Connection(callback=fail_async if is_async else fail)
    await turns()
    with capture_logs() as lines:
        one.receive(one.frames("good", "bad", "never"))
        await turns()
    assert one.seen() == [
        ("message", "answer to good"),
        ("message", "answer to bad"),
        ("close", 1011, "Internal error"),
    ]
    failed = next(line for line in lines if line["event"] == "action failed")
    assert isinstance(failed["exc_info"], KeyError)
    assert failed["path"] == "/test"
    assert told == [Event.OPEN, Event.MESSAGE, Event.MESSAGE, Event.ERROR, Event.CLOSE]
    assert one.ws.error_message == "action raised an exception: Internal error"


@in_loop
async def test_an_exception_after_our_close_is_only_logged() -> None:
    def fail(ws: WebSocket, event: Event, _data: Any, _arg: object) -> None:
        if event is Event.MESSAGE:
            ws.send_close(4001, "enough")
            raise KeyError("nothing there")

    one = Connection(callback=fail)
    with capture_logs() as lines:
        one.receive(one.frames("x"))
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["action failed"]
    assert one.seen() == [("close", 4001, "enough")]
    one.receive(one.close(4001))
    assert one.outcome == ("action closed", 4001, "enough", True)


@in_loop
async def test_a_closed_that_a_callback_lets_through_is_quiet() -> None:
    def answer(ws: WebSocket, event: Event, _data: Any, _arg: object) -> None:
        if event is Event.MESSAGE:
            ws.send_close()
            ws.send("too late")

    one = Connection(callback=answer)
    with capture_logs() as lines:
        one.receive(one.frames("x"))
    assert not [line for line in lines if line["log_level"] == "error"]
    assert one.seen() == [("close", 1000, "")]


@in_loop
async def test_something_cancelled_under_an_async_callback_is_a_failure_not_a_stop() -> None:
    async def awaits_what_is_cancelled(_ws: WebSocket, event: Event, _data: Any, _arg: object) -> None:
        if event is Event.MESSAGE:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            future.cancel()
            await future

    one = Connection(callback=awaits_what_is_cancelled)
    one.receive(one.frames("x"))
    await turns()
    assert one.seen() == [("close", 1011, "Internal error")]
    assert one.ws.closed().done()


@in_loop
async def test_who_waits_without_a_callback_has_messages_dropped() -> None:
    """Nobody asks for them: they must not fill the inbox, and keep the Close behind them from being read."""
    one = Connection()
    one.receive(one.frames(*["before"] * 20))
    waited = one.ws.closed()
    one.ws.discard_unasked()
    assert one.link.reading
    one.receive(one.frames(*["after"] * 20), one.close(1000))
    assert await result(waited) == 0


@in_loop
async def test_who_waits_beside_a_reader_takes_nothing_from_it() -> None:
    one = Connection()
    got: list[Any] = []

    async def read() -> None:
        async for message in one.ws:
            got.append(message)
            await asyncio.sleep(0)

    reader = asyncio.ensure_future(read())
    await turns()
    one.receive(one.frames("one", "two"))
    one.ws.discard_unasked()
    waited = one.ws.closed()
    one.receive(one.frames("three"), one.close(1000))
    await result(reader)
    assert got == ["one", "two", "three"]
    assert await result(waited) == 0


@in_loop
async def test_a_reader_that_begins_after_the_waiting_gets_what_comes_then() -> None:
    one = Connection()
    one.ws.discard_unasked()
    one.receive(one.frames("unheard"))
    receiving = asyncio.ensure_future(one.ws.receive())
    await turns()
    one.receive(one.frames("heard"))
    assert await result(receiving) == "heard"


@in_loop
async def test_two_tasks_cannot_receive_at_once() -> None:
    one = Connection()
    first = asyncio.ensure_future(one.ws.receive())
    await turns()
    with pytest.raises(RuntimeError, match="Two tasks receive"):
        await one.ws.receive()
    one.receive(one.frames("x"))
    assert await result(first) == "x"


@in_loop
async def test_receive_beside_a_callback_is_refused() -> None:
    one = Connection(callback=Told([]))
    with pytest.raises(RuntimeError, match="on_event"):
        await one.ws.receive()


@in_loop
async def test_a_receive_that_is_cancelled_loses_nothing() -> None:
    one = Connection()
    receiving = asyncio.ensure_future(one.ws.receive())
    await turns()
    receiving.cancel()
    await turns()
    one.receive(one.frames("kept"))
    assert await result(one.ws.receive()) == "kept"


@in_loop
async def test_a_receive_cancelled_in_the_moment_of_arrival_loses_nothing() -> None:
    one = Connection()
    receiving = asyncio.ensure_future(one.ws.receive())
    await turns()
    one.receive(one.frames("kept"))
    receiving.cancel()
    await turns()
    assert await result(one.ws.receive()) == "kept"


@in_loop
async def test_pieces_come_as_partial_messages() -> None:
    told = Told([])
    one = Connection(callback=told, stream=True)
    out: list[bytes] = []
    one.peer.send_block(Opcode.BINARY, b"one", False, out)
    one.peer.send_block(Opcode.BINARY, b"two", False, out)
    one.peer.send_block(Opcode.BINARY, b"three", True, out)
    one.receive(*out)
    assert told.events[1:] == [
        (Event.PARTIAL_MESSAGE, b"one"),
        (Event.PARTIAL_MESSAGE, b"two"),
        (Event.MESSAGE, b"three"),
    ]
    assert one.ws.messages_in == 1


@in_loop
async def test_a_callback_set_late_that_fails_is_told_of_its_end() -> None:
    """The end comes about while it is still being given what had waited."""
    told: list[Event] = []

    def fails(_ws: WebSocket, event: Event, data: Any, _arg: object) -> None:
        told.append(event)
        if data == "bad":
            raise KeyError("nothing there")

    one = Connection()
    one.receive(one.frames("good", "bad", "never"))
    waited = one.ws.closed()
    one.ws.on_event(fails)
    assert told == [Event.OPEN, Event.MESSAGE, Event.MESSAGE, Event.ERROR, Event.CLOSE]
    assert await result(waited) == -1


@in_loop
async def test_a_callback_set_late_that_closes_hears_the_end() -> None:
    told: list[Event] = []

    def closes(ws: WebSocket, event: Event, _data: Any, _arg: object) -> None:
        told.append(event)
        ws.send_close()

    one = Connection()
    one.receive(one.frames("read ahead"), one.close(1000))
    one.ws.on_event(closes)
    assert told == [Event.OPEN, Event.MESSAGE, Event.CLOSE]
    assert await result(one.ws.closed()) == 0


class Panic(BaseException):
    """What extensions written in Rust raise, and some test tools: no Exception."""


@pytest.mark.parametrize("at", [Event.OPEN, Event.MESSAGE])
@pytest.mark.parametrize("is_async", [False, True])
@in_loop
async def test_what_is_no_exception_is_a_failure_too(is_async: bool, at: Event) -> None:
    told: list[Event] = []

    def panics(_ws: WebSocket, event: Event, _data: Any, _arg: object) -> None:
        told.append(event)
        if event is at:
            raise Panic("test")

    async def panics_async(*args: Any) -> None:
        panics(*args)

    with capture_logs() as lines:
        one = Connection(callback=panics_async if is_async else panics)
        await turns()
        if at is Event.MESSAGE:
            one.receive(one.frames("x"))
        await turns()
    assert one.seen() == [("close", 1011, "Internal error")]
    assert [type(line["exc_info"]) for line in lines if line["event"] == "action failed"] == [Panic]
    assert told[-2:] == [Event.ERROR, Event.CLOSE]
    assert await result(one.ws.closed()) == -1


@pytest.mark.parametrize("is_async", [False, True])
@in_loop
async def test_a_panic_at_the_close_concerns_nobody_else(is_async: bool) -> None:
    def panics(_ws: WebSocket, event: Event, _data: Any, _arg: object) -> None:
        if event is Event.CLOSE:
            raise Panic("test")

    async def panics_async(*args: Any) -> None:
        panics(*args)

    host = make_host(timeouts={"inactivity": 1})
    one = Connection(host, callback=panics_async if is_async else panics)
    waited = one.ws.closed()
    one.turn(8)
    assert one.outcome[0] == "inactivity timeout"
    assert await result(waited) == -1


@in_loop
async def test_an_interrupt_is_not_the_actions() -> None:
    """It is meant for whoever runs the process, or the test."""

    def interrupts(_ws: WebSocket, event: Event, _data: Any, _arg: object) -> None:
        if event is Event.MESSAGE:
            raise KeyboardInterrupt

    one = Connection(callback=interrupts)
    with pytest.raises(KeyboardInterrupt):
        one.receive(one.frames("x"))
    assert one.ws.state == "open"


@pytest.mark.parametrize("is_async", [False, True])
@in_loop
async def test_a_callback_exchanged_while_the_end_is_told_hears_the_rest(is_async: bool) -> None:
    told: list[str] = []

    def second(_ws: WebSocket, event: Event, _data: Any, _arg: object) -> None:
        told.append(f"second {event.name}")

    async def second_async(*args: Any) -> None:
        second(*args)

    def first(ws: WebSocket, event: Event, _data: Any, _arg: object) -> None:
        told.append(f"first {event.name}")
        if event is Event.ERROR:
            ws.on_event(second_async if is_async else second)

    one = Connection(callback=first)
    waited = one.ws.closed()
    one.ws.received_eof()
    assert await result(waited) == -1
    assert told == ["first OPEN", "first ERROR", "second CLOSE"]


@in_loop
async def test_a_callback_that_closes_is_given_no_message_any_more() -> None:
    """Not those either that had arrived, whichever kind of callback it is."""
    told = Told([])

    async def closes(ws: WebSocket, event: Event, data: Any, arg: object) -> None:
        told(ws, event, data, arg)
        if data == "1":
            ws.send_close(4000, "enough")

    one = Connection(callback=closes)
    one.receive(one.frames(*map(str, range(40))), one.close(4000))
    await turns()
    assert told.messages == ["0", "1"]
    assert told.names[-1] == "CLOSE"
    assert await result(one.ws.closed()) == 0


@in_loop
async def test_what_a_server_that_stops_has_read_is_still_told() -> None:
    told = Told([])

    async def callback(*args: Any) -> None:
        told(*args)

    one = Connection(callback=callback)
    one.receive(one.frames("a", "b"))
    one.ws.stop(1001, "Server stopping")
    await turns()
    assert told.messages == ["a", "b"]


@in_loop
async def test_who_no_longer_waits_for_the_end_costs_nothing() -> None:
    one = Connection(callback=Told([]))
    stays = one.ws.closed()
    futures = []
    for _ in range(20):
        future = one.ws.closed()
        futures.append(weakref.ref(future))
        future.cancel()
        del future
    await turns()
    gc.collect()
    assert [future() for future in futures] == [None] * 20
    late = one.ws.closed()
    one.ws.lost(None)
    assert (await result(stays), await result(late)) == (-1, -1)
