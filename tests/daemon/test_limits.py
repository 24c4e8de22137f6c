"""Each limit of SPEC 5 against the real daemon: over it the peer is told which directive."""

from __future__ import annotations

import pytest

from tests.conftest import StartDaemon
from tests.support.raw import BINARY, CLOSE, CONTINUATION, PING, TEXT, RawClient, frame


@pytest.mark.parametrize(
    ("limits", "sent", "reason"),
    [
        ({"maxFrame": 1000}, frame(BINARY, bytes(1001)), "Frame over limits.maxFrame (1000)"),
        ({"maxMessage": 1000}, frame(TEXT, b"x" * 1001), "Message over limits.maxMessage (1000)"),
        (
            {"maxMessage": 1000},
            frame(TEXT, b"x" * 600, fin=False) + frame(CONTINUATION, b"x" * 401),
            "Message over limits.maxMessage (1000)",
        ),
        (
            {"maxFragments": 3},
            frame(TEXT, b"x", fin=False) + frame(CONTINUATION, b"x", fin=False) * 3,
            "Message over limits.maxFragments (3)",
        ),
    ],
    ids=["frame", "message", "message in fragments", "fragments"],
)
def test_over_a_limit_received_is_1009(
    start_daemon: StartDaemon, limits: dict[str, int], sent: bytes, reason: str
) -> None:
    daemon = start_daemon({"limits": limits})
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/echo")
        client.send(sent)
        close = client.read_frame()
        assert (close.close_code, close.close_reason) == (1009, reason)
        client.finish_sending()
        assert client.read_to_end() == b""


def test_at_the_limits_all_is_well(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"limits": {"maxFrame": 1000, "maxMessage": 2000, "maxFragments": 3}})
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/echo")
        client.send(frame(TEXT, b"x" * 1000, fin=False) + frame(CONTINUATION, b"y" * 999, fin=False))
        client.send(frame(PING, b"between") + frame(CONTINUATION, b"z"))
        assert client.read_frame().payload == b"between"
        assert client.read_message() == (TEXT, b"x" * 1000 + b"y" * 999 + b"z")


SAYS = """\
from ioto_server import Web, action


@action("/ws/says")
async def says(web: Web) -> None:
    async for message in web.websocket:
        try:
            await web.websocket.send("x" * int(message))
        except ValueError as error:
            await web.websocket.send(str(error))


@action("/reads")
async def reads(web: Web) -> None:
    web.write(await web.read())


@action("/ws/patient")
async def patient(web: Web) -> None:
    web.accept()
    web.update_deadline(inactivity=3600, request=3600)
    await web.wait()
"""


def test_a_message_over_max_message_is_refused_to_the_action_that_sends_it(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"limits": {"maxMessage": 100}}, {"says.py": SAYS})
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/says")
        client.send(frame(TEXT, b"100") + frame(TEXT, b"101"))
        assert client.read_message() == (TEXT, b"x" * 100)
        refusal = b"Message of 101 bytes is over limits.maxMessage (100): send less or raise it"
        assert client.read_message() == (TEXT, refusal)


def test_a_message_over_max_frame_is_sent_in_several(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"limits": {"maxFrame": 1000}}, {"says.py": SAYS})
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/says")
        client.send_frame(TEXT, b"2500")
        frames = [client.read_frame() for _ in range(3)]
    assert [(one.opcode, one.fin, len(one.payload)) for one in frames] == [
        (TEXT, False, 1000),
        (CONTINUATION, False, 1000),
        (CONTINUATION, True, 500),
    ]


def test_over_limits_body_is_413(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"limits": {"body": 1000}}, {"says.py": SAYS})
    with RawClient(daemon.url) as client:
        assert client.request("POST", "/reads", body=b"x" * 1000).body == b"x" * 1000
        client.send(client.head("POST", "/reads", [("Content-Length", "1001")]))
        response = client.read_response()
        assert (response.status, response.text) == (
            413,
            "The body is over its limit (RFC 9110 15.5.14): send less\n",
        )


def test_the_deadlines_of_one_connection_may_be_its_own(start_daemon: StartDaemon) -> None:
    """Beside it another connection is over both of them, again and again."""
    daemon = start_daemon({"timeouts": {"inactivity": "300 ms", "request": "900 ms"}}, {"says.py": SAYS})
    with RawClient(daemon.url) as patient:
        patient.upgrade("/ws/patient")
        for _ in range(5):
            with RawClient(daemon.url) as other:
                other.upgrade("/ws/says")
                assert other.read_close()[0] == 1001
        patient.send_frame(PING, b"still here?")
        assert patient.read_frame().payload == b"still here?"


def test_a_client_that_stops_reading_is_closed_as_a_slow_consumer(start_daemon: StartDaemon) -> None:
    floods = """\
from ioto_server import Event, Web, action


@action("/ws/floods")
async def floods(web: Web) -> None:
    web.on_event(on_event)
    await web.wait()


def on_event(ws, event, data, arg):
    if event is Event.MESSAGE:
        for _ in range(1000):
            ws.send(bytes(100_000))
"""
    daemon = start_daemon({"limits": {"maxBacklog": "256KB"}}, {"floods.py": floods})
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/floods")
        client.send_frame(TEXT, b"go")
        line = daemon.log("websocket close")
        assert (line["close"], line["reason"]) == ("1008 policy violation", "Slow consumer")
        assert line["messages_out"] < 1000
        with RawClient(daemon.url) as other:
            other.upgrade("/ws/floods")


def test_the_close_of_who_is_over_limits_memory_follows_the_frame_in_progress(
    start_daemon: StartDaemon,
) -> None:
    large = """\
from ioto_server import Event, Web, action


@action("/ws/large")
async def large(web: Web) -> None:
    web.on_event(on_event)
    await web.wait()


def on_event(ws, event, data, arg):
    if event is Event.MESSAGE:
        ws.send(bytes(int(data)))
"""
    daemon = start_daemon({"limits": {"memory": "2MB"}}, {"large.py": large})
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/large")
        client.send_frame(TEXT, b"40000000")
        # That was in the midst of writing a frame.
        assert daemon.log("over limits.memory")["limit"] == 2 << 20
        size = 0
        while (last := client.read_frame()).opcode != CLOSE:
            assert last.payload == bytes(1 << 17)
            size += len(last.payload)
        assert size < 40_000_000
        assert (last.close_code, last.close_reason) == (1013, "Over limits.memory")


def test_an_action_that_stops_receiving_lets_tcp_do_the_rest(start_daemon: StartDaemon) -> None:
    """Little is read ahead: the client's sends come to a halt, pings before that are still answered."""
    sleeps = """\
import asyncio

from ioto_server import Web, action


@action("/ws/sleeps")
async def sleeps(web: Web) -> None:
    web.accept()
    await asyncio.sleep(3600)
"""
    daemon = start_daemon({"timeouts": {"drain": "100 ms"}}, {"sleeps.py": sleeps})
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/sleeps")
        client.send(frame(TEXT, b"one") + frame(PING, b"now"))
        assert client.read_frame().payload == b"now"
        with pytest.raises(TimeoutError):
            flood(client)


def flood(client: RawClient) -> None:
    """Send far more than socket buffers hold; raises TimeoutError when nobody takes it."""
    client.sock.settimeout(1)
    message = frame(BINARY, bytes(100_000))
    for _ in range(2000):
        client.send(message)


def test_over_limits_connections_is_503(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"limits": {"connections": 2}})
    with RawClient(daemon.url) as one, RawClient(daemon.url) as two:
        one.upgrade("/ws/echo")
        two.upgrade("/ws/echo")
        with RawClient(daemon.url) as three:
            response = three.read_response()
            assert (response.status, response.text) == (
                503,
                "The server has limits.connections connections: try again later\n",
            )
        one.send_close(1000)
        assert one.read_close() == (1000, "")
    daemon.log("websocket close", number=2)
    with RawClient(daemon.url) as again:
        again.upgrade("/ws/echo")


def test_over_limits_per_address_is_503(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"limits": {"perAddress": 1}})
    with RawClient(daemon.url) as one:
        one.upgrade("/ws/echo")
        with RawClient(daemon.url) as two:
            response = two.read_response()
            assert (response.status, response.text) == (
                503,
                "This address has limits.perAddress connections: close one\n",
            )


def test_over_limits_header_is_431(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"limits": {"header": 1000}, "headers": {"X-Own": "yes"}})
    with RawClient(daemon.url) as client:
        response = client.handshake("/ws/echo", [("X-Long", "x" * 1000)])
        # RFC 9110 6.6.1; and the `headers` directive is for every answer.
        assert response.get("date")
        assert response.get("x-own") == "yes"
        assert (response.status, response.text) == (
            431,
            "The request header is over limits.header (RFC 6585 5): send less\n",
        )


def test_over_limits_requests_the_connection_is_closed(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"limits": {"requests": 2}})
    with RawClient(daemon.url) as client:
        assert client.request("GET", "/ws/nothing-here").get("Connection") is None
        assert client.request("GET", "/ws/nothing-here").get("Connection") == "close"
        client.finish_sending()
        assert client.read_to_end() == b""
