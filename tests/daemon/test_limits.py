"""Each limit of SPEC 5 against the real daemon: over it the peer is told which directive."""

from __future__ import annotations

import pytest

from tests.conftest import StartDaemon
from tests.support.raw import BINARY, CONTINUATION, PING, TEXT, RawClient, frame


@pytest.mark.parametrize(
    ("limits", "sent", "directive"),
    [
        ({"maxFrame": 1000}, frame(BINARY, bytes(1001)), "limits.maxFrame"),
        ({"maxMessage": 1000}, frame(TEXT, b"x" * 1001), "limits.maxMessage"),
        (
            {"maxMessage": 1000},
            frame(TEXT, b"x" * 600, fin=False) + frame(CONTINUATION, b"x" * 401),
            "limits.maxMessage",
        ),
        (
            {"maxFragments": 3},
            frame(TEXT, b"x", fin=False) + frame(CONTINUATION, b"x", fin=False) * 3,
            "limits.maxFragments",
        ),
    ],
    ids=["frame", "message", "message in fragments", "fragments"],
)
def test_over_a_limit_received_is_1009(
    start_daemon: StartDaemon, limits: dict[str, int], sent: bytes, directive: str
) -> None:
    daemon = start_daemon({"limits": limits})
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/echo")
        client.send(sent)
        close = client.read_frame()
        assert close.close_code == 1009
        assert directive in close.close_reason
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
            assert response.status == 503
            assert "limits.connections" in response.text
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
            assert response.status == 503
            assert "limits.perAddress" in response.text


def test_over_limits_header_is_431(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"limits": {"header": 1000}})
    with RawClient(daemon.url) as client:
        response = client.handshake("/ws/echo", [("X-Long", "x" * 1000)])
        assert response.status == 431


def test_over_limits_requests_the_connection_is_closed(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"limits": {"requests": 2}})
    with RawClient(daemon.url) as client:
        assert client.request("GET", "/ws/nothing-here").get("Connection") is None
        assert client.request("GET", "/ws/nothing-here").get("Connection") == "close"
        client.finish_sending()
        assert client.read_to_end() == b""
