"""Each timeout of SPEC 5 against the real daemon: that it comes, and what it says; not how long it takes."""

from __future__ import annotations

from tests.conftest import StartDaemon
from tests.support.daemon import Daemon
from tests.support.raw import PING, PONG, TEXT, RawClient

SOON = "100 ms"


def open_echo(daemon: Daemon) -> RawClient:
    client = RawClient(daemon.url)
    client.upgrade("/ws/echo")
    return client


def test_inactivity_closes_with_1001(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"inactivity": SOON}})
    with open_echo(daemon) as client:
        close = client.read_frame()
        assert (close.close_code, close.close_reason) == (1001, "Inactivity timeout")
        client.send_close(1001)
        assert client.read_to_end() == b""
    line = daemon.log("websocket close")
    assert (line["close"], line["cause"], line["by"]) == ("1001 going away", "inactivity timeout", "server")


def test_any_byte_read_restarts_inactivity(start_daemon: StartDaemon) -> None:
    """A pong that nobody asked for is answered by nothing, so it is what is read that counts here."""
    daemon = start_daemon({"timeouts": {"inactivity": "2500 ms"}})
    with open_echo(daemon) as client, RawClient(daemon.url) as clock:
        clock.upgrade("/ws/feed")
        for _ in range(5):
            clock.read_message()
            client.send_frame(PONG, b"still here")
        client.send_frame(TEXT, b"hello")
        assert client.read_message() == (TEXT, b"hello")


def test_the_request_timeout_closes_with_1001(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"request": SOON}})
    with open_echo(daemon) as client:
        close = client.read_frame()
        assert (close.close_code, close.close_reason) == (1001, "Request timeout")


def test_a_ping_comes_again_and_again(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"webSockets": {"ping": SOON}})
    with open_echo(daemon) as client:
        payloads = []
        for _ in range(3):
            ping = client.read_frame()
            assert ping.opcode == PING
            payloads.append(ping.payload)
            client.send_frame(PONG, ping.payload)
        assert len(set(payloads)) == 3, "a pong must tell which ping it answers"
        client.send_frame(TEXT, b"still open")
        frames = iter(client.read_frame, None)
        assert next(one.payload for one in frames if one.opcode != PING) == b"still open"


def test_silence_after_a_ping_closes_with_1011(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"webSockets": {"ping": SOON}, "timeouts": {"pong": "300 ms"}})
    with open_echo(daemon) as client:
        assert client.read_frame().opcode == PING
        frames = iter(client.read_frame, None)
        close = next(one for one in frames if one.opcode != PING)
        assert (close.close_code, close.close_reason) == (1011, "Keep-alive timeout")


def test_any_byte_after_a_ping_is_a_sign_of_life(start_daemon: StartDaemon) -> None:
    """SPEC 5: no byte received since our ping, so a message does as well as a pong."""
    daemon = start_daemon({"webSockets": {"ping": "300 ms"}, "timeouts": {"pong": "200 ms"}})
    with open_echo(daemon) as client:
        for _ in range(4):
            assert client.read_frame().opcode == PING
            client.send_frame(TEXT, b"I am here")
            assert client.read_message() == (TEXT, b"I am here")


def test_a_close_without_an_answer_ends_in_a_tcp_close(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"inactivity": SOON, "close": SOON}})
    with open_echo(daemon) as client:
        assert client.read_close() == (1001, "Inactivity timeout")


def test_a_client_that_says_nothing_is_closed_in_silence(start_daemon: StartDaemon) -> None:
    """Browsers open connections that they may never use."""
    daemon = start_daemon({"timeouts": {"parse": SOON}})
    with RawClient(daemon.url) as client:
        assert client.read_to_end() == b""


def test_half_a_header_is_answered_408(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"parse": SOON}})
    with RawClient(daemon.url) as client:
        client.send(b"GET /ws/echo HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        response = client.read_response()
        assert (response.status, response.text) == (
            408,
            "The request header did not arrive within timeouts.parse: send it at once\n",
        )
        client.finish_sending()
        assert client.read_to_end() == b""


def test_an_idle_http_connection_is_closed(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"inactivity": SOON}})
    with RawClient(daemon.url) as client:
        assert client.request("GET", "/ws/nothing-here").status == 404
        assert client.read_to_end() == b""


def test_the_peers_time_stands_still_while_an_action_blocks_the_loop(start_daemon: StartDaemon) -> None:
    """A server that was itself late never blames the peer for it, and names who was late."""
    blocks = """\
import time

from ioto_server import Event, Web, action


@action("/ws/blocks")
async def blocks(web: Web) -> None:
    web.on_event(on_event)
    await web.wait()


def on_event(ws, event, data, arg):
    if event is Event.MESSAGE:
        time.sleep(3)
        ws.send("done")
"""
    daemon = start_daemon({"timeouts": {"inactivity": "2 secs"}}, {"blocks.py": blocks})
    with RawClient(daemon.url) as client, RawClient(daemon.url) as bystander:
        for one in (client, bystander):
            one.upgrade("/ws/blocks")
        client.send_frame(TEXT, b"block")
        assert client.read_message() == (TEXT, b"done")
        bystander.send_frame(TEXT, b"block")
        assert bystander.read_message() == (TEXT, b"done")
    warning = daemon.log("callback held the loop")
    assert "blocks.py" in warning["where"]
    assert warning["milliseconds"] >= 1000
