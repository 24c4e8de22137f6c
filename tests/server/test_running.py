"""Limits and timeouts that only the running daemon can show: over its sockets, with its log and its exit."""

from __future__ import annotations

import signal
from contextlib import ExitStack

from tests.conftest import StartDaemon
from tests.support.raw import BINARY, CLOSE, TEXT, RawClient, frame

ACTIONS = """\
import asyncio

from ioto_server import Event, Web, action


@action("/sends")
async def sends(web: Web) -> None:
    web.on_event(on_event)
    await web.wait()


def on_event(ws, event, data, arg):
    if event is Event.OPEN:
        ws.drop_when_slow = "drop" in ws.path
    elif event is Event.MESSAGE:
        count, size = map(int, data.split())
        for number in range(count):
            ws.send(bytes([number % 256]) * size)


@action("/late")
async def late(web: Web) -> None:
    await asyncio.sleep(3600)


@action("/reads")
async def reads(web: Web) -> None:
    web.write(await web.read())


@action("/stays")
async def stays(web: Web) -> None:
    web.accept()
    await asyncio.sleep(3600)

"""


def test_over_limits_memory_the_largest_holder_is_1013(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"limits": {"memory": "200KB", "maxFrame": "1MB"}}, {"actions.py": ACTIONS})
    with RawClient(daemon.url) as small, RawClient(daemon.url) as large:
        for client, size in ((small, 50_000), (large, 160_000)):
            client.upgrade("/sends")
            client.send(frame(BINARY, bytes(500_000))[:size])
        close = large.read_frame()
        assert (close.close_code, close.close_reason) == (1013, "Over limits.memory")
        large.finish_sending()
        assert large.read_to_end() == b""
        line = daemon.log("websocket close")
        assert (line["close"], line["cause"], line["by"]) == (
            "1013 try again later",
            "over limits.memory",
            "server",
        )
        assert daemon.log("over limits.memory")["limit"] == 200 * 1024
        small.send_close(1000)


def test_a_body_that_stalls_is_408(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"inactivity": "300 ms"}}, {"actions.py": ACTIONS})
    with RawClient(daemon.url) as client:
        client.send(client.head("POST", "/reads", [("Content-Length", "10")]) + b"12345")
        response = client.read_response()
        assert (response.status, response.text) == (
            408,
            "The request body did not arrive within timeouts.inactivity\n",
        )


def test_an_action_that_does_not_answer_is_503_then_cancelled_and_named(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"request": "300 ms", "close": "300 ms"}}, {"actions.py": ACTIONS})
    with RawClient(daemon.url) as client:
        response = client.request("GET", "/late")
        assert (response.status, response.text) == (503, "There was no answer within timeouts.request\n")
    line = daemon.log("action cancelled")
    assert line["prefix"] == "/late"
    assert "actions.py:21" in line["action"]


def test_an_action_that_outlives_its_websocket_is_cancelled_and_named(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"close": "300 ms"}}, {"actions.py": ACTIONS})
    with RawClient(daemon.url) as client:
        client.upgrade("/stays")
        client.send_close(1000)
        assert client.read_close() == (1000, "")
    assert daemon.log("action cancelled")["prefix"] == "/stays"


def test_messages_for_a_slow_consumer_are_dropped_where_asked(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"limits": {"maxBacklog": "256KB"}}, {"actions.py": ACTIONS})
    with RawClient(daemon.url) as client:
        client.upgrade("/sends/drop")
        client.send_frame(TEXT, b"200 100000")
        numbers = [client.read_message()[1][0]]
        client.send_close(1000)
        while (last := client.read_frame()).opcode != CLOSE:
            numbers.append(last.payload[0])
        client.finish_sending()
    dropped = daemon.log("websocket close")["dropped"]
    assert dropped > 0
    assert numbers == list(range(200 - dropped)), "what is not dropped comes whole and in order"


def test_what_does_not_finish_within_timeouts_drain_is_dropped(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"drain": "300 ms", "close": "1 hour"}}, {"actions.py": ACTIONS})
    with RawClient(daemon.url) as websocket, RawClient(daemon.url) as http:
        websocket.upgrade("/sends")
        http.send(http.head("GET", "/late"))
        # Answered in order, so the request before has been taken in.
        with RawClient(daemon.url) as other:
            other.request("GET", "/nothing")
        daemon.signal(signal.SIGTERM)
        assert websocket.read_frame().close_reason == "Server stopping"
        line = daemon.log("drain timeout")
        assert line["connections"] == 2
        close = daemon.log("websocket close")
        assert (close["cause"], close["clean"]) == ("server stopping", False)
    assert daemon.wait() == 0


def test_everybody_is_told_however_short_the_drain_is(start_daemon: StartDaemon) -> None:
    """More than one batch of them: the drain is over before the second one's turn comes."""
    daemon = start_daemon({"timeouts": {"drain": "1 ms"}}, {"actions.py": ACTIONS})
    with ExitStack() as stack:
        clients = [stack.enter_context(RawClient(daemon.url)) for _ in range(600)]
        for client in clients:
            client.upgrade("/sends")
        daemon.signal(signal.SIGTERM)
        assert {client.read_frame().close_code for client in clients} == {1001}
    assert daemon.wait() == 0


def test_a_message_sent_before_the_signal_is_delivered(start_daemon: StartDaemon) -> None:
    """The kernel has it when the signal comes: it is read, and answered, before our Close."""
    daemon = start_daemon({}, {"actions.py": ACTIONS})
    with RawClient(daemon.url) as client:
        client.upgrade("/sends")
        daemon.signal(signal.SIGSTOP)
        client.send_frame(TEXT, b"1 5")
        daemon.signal(signal.SIGTERM)
        daemon.signal(signal.SIGCONT)
        assert client.read_message() == (BINARY, bytes(5))
        assert client.read_frame().close_code == 1001
        client.send_close(1001)
        assert daemon.wait() == 0
