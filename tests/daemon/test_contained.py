"""Plugins that misbehave, clients that leave meanwhile: the server goes on, and ends when it is told."""

from __future__ import annotations

import signal
import socket
import struct

import pytest

from tests.conftest import StartDaemon
from tests.support.daemon import DEADLINE, Daemon
from tests.support.raw import TEXT, RawClient

ACTIONS = """\
import asyncio
import sys

from ioto_server import Event, Web, action


@action("/echo")
async def echo(web: Web) -> None:
    async for message in web.websocket:
        await web.websocket.send(message)


@action("/flood")
async def flood(web: Web) -> None:
    while True:
        await web.websocket.send(bytes(60000))


@action("/http/flood")
async def http_flood(web: Web) -> None:
    while True:
        await web.write(bytes(60000))


@action("/exit")
async def exit_(web: Web) -> None:
    await web.websocket.receive()
    sys.exit(0)


@action("/exit/callback")
async def exit_callback(web: Web) -> None:
    web.on_event(lambda ws, event, data, arg: sys.exit(0) if data else None)
    await web.wait()


@action("/exit/plain")
def exit_plain(web: Web) -> None:
    sys.exit(0)


class Panic(BaseException):
    pass  # As extensions in Rust raise it.


@action("/panic")
async def panic(web: Web) -> None:
    web.on_event(panics)
    await web.wait()


def panics(ws, event, data, arg):
    if event is Event.CLOSE:
        raise Panic("at the end of this one")


@action("/panic/plain")
def panic_plain(web: Web) -> None:
    raise Panic("in the request")


@action("/swallow")
async def swallow(web: Web) -> None:
    web.accept()
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass


@action("/late")
async def late(web: Web) -> None:
    ws = web.accept()
    while ws.messages_in < 12:
        await asyncio.sleep(0)
    heard = []
    web.on_event(lambda ws, event, data, arg: heard.append(data) if data else None)
    assert await web.wait() == 0
    print('{"event": "heard", "messages": %d}' % len(heard), flush=True)


@action("/swap")
async def swap(web: Web) -> None:
    async def first(ws, event, data, arg):
        pass

    web.on_event(first)
    web.accept()
    web.on_event(lambda ws, event, data, arg: None)
    assert await web.wait() == 0
    print('{"event": "swapped"}', flush=True)


@action("/bad/header")
async def bad_header(web: Web) -> None:
    web.set_header("X-A", "a\\r\\nb")


@action("/bad/length")
async def bad_length(web: Web) -> None:
    web.set_header("Content-Length", "5")


@action("/bad/status")
async def bad_status(web: Web) -> None:
    web.status(7)


@action("/bad/protocol")
async def bad_protocol(web: Web) -> None:
    web.accept(protocol="never offered")
"""

SLOW_STOP = """\
import asyncio

async def io_stop(host):
    await asyncio.sleep(3600)
"""


@pytest.fixture
def contained(start_daemon: StartDaemon) -> Daemon:
    return start_daemon({"timeouts": {"close": 1, "drain": 2}}, {"contained.py": ACTIONS})


def still_serves(daemon: Daemon) -> None:
    with RawClient(daemon.url) as client:
        client.upgrade("/echo")
        client.send_frame(TEXT, b"still there")
        assert client.read_message() == (TEXT, b"still there")


@pytest.mark.parametrize("path", ["/flood", "/http/flood"])
def test_a_client_that_resets_while_it_is_flooded(contained: Daemon, path: str) -> None:
    for _ in range(5):
        client = RawClient(contained.url)
        if path == "/flood":
            client.upgrade(path)
        else:
            client.send(client.head("GET", path))
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sock.close()
        still_serves(contained)


def test_a_client_that_reads_a_flood_keeps_nobody_waiting(contained: Daemon) -> None:
    with RawClient(contained.url) as reader:
        reader.upgrade("/flood")
        for _ in range(50):
            reader.read_message()
        still_serves(contained)


@pytest.mark.parametrize("path", ["/exit", "/exit/callback"])
def test_sys_exit_ends_that_connection_only(contained: Daemon, path: str) -> None:
    with RawClient(contained.url) as client:
        client.upgrade(path)
        client.send_frame(TEXT, b"go")
        assert client.read_close()[0] == 1011
    still_serves(contained)


def test_sys_exit_in_a_plain_action_is_answered(contained: Daemon) -> None:
    with RawClient(contained.url) as client:
        assert client.request("GET", "/exit/plain").status == 500
    still_serves(contained)


def test_a_panic_when_a_timeout_has_come_does_not_stop_the_time(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"inactivity": "500 ms", "close": 1}}, {"contained.py": ACTIONS})
    with RawClient(daemon.url) as client:
        client.upgrade("/panic")
        assert client.read_close() == (1001, "Inactivity timeout")
        with RawClient(daemon.url) as other:
            other.upgrade("/echo")
            # Nobody answers the Close, so a second deadline ends the first one: in its CLOSE.
            assert "Panic: at the end of this one" in daemon.log("action failed")["exception"]
            other.send_frame(TEXT, b"hello")
            assert other.read_message() == (TEXT, b"hello")
            assert other.read_close() == (1001, "Inactivity timeout")


def test_a_panic_in_a_plain_action_is_answered(contained: Daemon) -> None:
    with RawClient(contained.url) as client:
        assert client.request("GET", "/panic/plain").status == 500
    still_serves(contained)


def test_a_task_that_swallows_its_cancellation_does_not_keep_the_server(contained: Daemon) -> None:
    with RawClient(contained.url) as client:
        client.upgrade("/swallow")
        contained.signal(signal.SIGTERM)
        assert contained.wait() == 0
    contained.log("task ignores its cancellation")


def test_an_io_stop_without_end_does_not_keep_the_server(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"close": 1}}, {"slow.py": SLOW_STOP})
    assert daemon.stop() == 0
    assert daemon.log("io_stop takes longer than timeouts.close")["plugin"].endswith("slow.py")


def test_all_io_stops_have_one_time_together(start_daemon: StartDaemon) -> None:
    """Which systemd was told; each gets its turn, also after others have used it up."""
    count = 21
    close = DEADLINE / (count - 1)
    last = "async def io_stop(host):\n    open('reached', 'w').close()\n"
    actions = {"a_last.py": last, **{f"slow{number}.py": SLOW_STOP for number in range(count)}}
    daemon = start_daemon({"timeouts": {"close": close}}, actions)
    # One time of its own for each would be longer than this waits.
    assert daemon.stop() == 0
    assert daemon.output.count("io_stop takes longer than timeouts.close") == count
    assert (daemon.folder / "reached").exists()


def test_a_callback_that_comes_late_hears_what_was_read_ahead(contained: Daemon) -> None:
    with RawClient(contained.url) as client:
        client.upgrade("/late")
        for number in range(40):
            client.send_frame(TEXT, b"%d" % number)
        client.send_close(1000)
        assert client.read_close()[0] == 1000
    assert contained.log("heard")["messages"] == 40


def test_a_callback_may_be_exchanged_at_once(contained: Daemon) -> None:
    with RawClient(contained.url) as client:
        client.upgrade("/swap")
        client.send_close(1000)
        assert client.read_close()[0] == 1000
    contained.log("swapped")


@pytest.mark.parametrize("path", ["/bad/header", "/bad/length", "/bad/status"])
def test_what_an_action_cannot_answer_with_is_a_failure_at_once(contained: Daemon, path: str) -> None:
    with RawClient(contained.url) as client:
        assert client.request("GET", path).status == 500
    contained.log("action failed", path=path)


def test_a_sub_protocol_that_was_not_offered_cannot_be_chosen(contained: Daemon) -> None:
    with RawClient(contained.url) as client:
        assert client.handshake("/bad/protocol").status == 500


def test_a_client_that_shuts_its_side_before_it_is_accepted(start_daemon: StartDaemon) -> None:
    wait = "    await asyncio.sleep(0.2)\n    await web.wait()\n    return\n"
    source = ACTIONS.replace("    ws = web.accept()\n", wait)
    daemon = start_daemon({}, {"contained.py": source})
    with RawClient(daemon.url) as client:
        client.send(client.upgrade_head("/late"))
        client.finish_sending()
        client.read_to_end()
    daemon.log("websocket close", cause="peer left without a Close")


@pytest.mark.parametrize(("origin", "status"), [("https://example.com", 101), ("http://example.com", 403)])
def test_an_origin_is_compared_with_what_a_trusted_proxy_says(
    start_daemon: StartDaemon, origin: str, status: int
) -> None:
    daemon = start_daemon({"trustedProxies": "127.0.0.1"})
    fields = [
        ("Origin", origin),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "example.com"),
    ]
    with RawClient(daemon.url) as client:
        assert client.handshake("/ws/echo", fields).status == status
    if status == 403:
        assert "webSockets.origins" in daemon.log("request", status=403)["why"]
