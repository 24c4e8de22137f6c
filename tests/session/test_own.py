"""What an action has of its own: limits and timeouts, a policy for slow peers, background tasks (SPEC 6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ioto_server import Host, Web, action
from ioto_server.testing import ActionFailed, Client, Closed, Server

# ---- limits and timeouts --------------------------------------------------------------------------------


@action("/small", max_message="1KB")
@action("/large", max_message="2MB")
@action("/plain")
async def echo(web: Web) -> None:
    async for message in web.websocket:
        await web.websocket.send(message)


@action("/quick", inactivity="10 secs")
@action("/short", request=20, inactivity="never")
@action("/pinged", ping="5 secs")
async def wait(web: Web) -> None:
    await web.wait()


@action("/body", max_body="1KB")
async def body(web: Web) -> None:
    await web.write(str(len(await web.read())))


def test_an_action_s_own_largest_message_is_in_place_of_the_configuration_s() -> None:
    with Server(echo, settings={"limits.maxMessage": "100KB"}) as server:
        for path, size, fits in (
            ("/small", 1024, True),
            ("/small", 1025, False),
            ("/plain", 102401, False),
            ("/large", 2**21, True),
        ):
            client = server.connect(path)
            client.send("x" * size)
            if fits:
                assert client.receive() == "x" * size
            else:
                assert client.wait_closed().code == 1009


def test_an_action_s_own_timeouts() -> None:
    with Server(wait, echo, settings={"timeouts.inactivity": "5 mins"}) as server:
        quick, short, plain = (server.connect(path) for path in ("/quick", "/short", "/plain"))
        assert quick.response.headers.get("x-inactivity-timeout") == "10"
        assert short.response.headers.get("x-request-timeout") == "20"
        assert short.response.headers.get("x-inactivity-timeout") is None
        server.advance(15)
        assert quick.closed == (1001, "Inactivity timeout")
        assert short.closed is None
        server.advance(10)
        assert short.closed == (1001, "Request timeout")
        assert plain.closed is None
        pinged = server.connect("/pinged")
        server.advance(26)
        assert len(pinged.pings) == 5


def test_an_action_s_own_largest_body() -> None:
    with Server(body) as server:
        assert server.request("POST", "/body", body="x" * 1024).text == "1024"
        assert server.request("POST", "/body", body="x" * 1025).status == 413


def test_a_configuration_that_is_reloaded_reaches_actions_with_limits_of_their_own() -> None:
    with Server(wait, settings={"webSockets.ping": "7 secs"}) as server:
        core = server.host.core
        own = server.connect("/quick")
        assert own.response.headers.get("x-request-timeout") is None
        changed = core.config.timeouts.replace(request=30.0)
        core.configure(core.config.replace(timeouts=changed))
        assert server.connect("/quick").response.headers.get("x-request-timeout") == "30"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_message": "12 bananas"}, r"@action\('/x', max_message='12 bananas' is not a size.*write"),
        ({"inactivity": 0}, r"inactivity=0 is not more than 0"),
        ({"ping": "soon"}, r"ping='soon' is not a duration"),
    ],
)
def test_a_wrong_value_is_refused_where_it_stands(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        action("/x", **wrong)


@action("/dropping", max_backlog="1KB", drop_when_slow=True)
@action("/closing", max_backlog="1KB")
async def flood(web: Web) -> None:
    ws = web.websocket
    async for _ in ws:
        for _ in range(100):
            ws.send("x" * 1024)
        ws.send_json({"dropped": ws.dropped > 90})


def test_a_slow_peer_by_the_action_s_own_policy() -> None:
    with Server(flood) as server:
        client = server.connect("/closing")
        client.pause_reading()
        client.send("go")
        client.resume_reading()
        assert client.wait_closed() == (1008, "Slow consumer")
        client = server.connect("/dropping")
        client.pause_reading()
        client.send("go")
        client.resume_reading()
        assert client.closed is None
        assert 0 < len(client.messages) < 90


# ---- an async iterator as one message -------------------------------------------------------------------


async def pieces(*parts: str | bytes | Exception) -> AsyncIterator[Any]:
    for part in parts:
        await asyncio.sleep(1)
        if isinstance(part, Exception):
            raise part
        yield part


def test_an_async_iterator_is_sent_as_one_message_piece_by_piece() -> None:
    async def tell(web: Web) -> None:
        await web.websocket.send(pieces("a", "bc", "d"))
        await web.websocket.send(pieces(b"1", b"2"))
        await web.websocket.send(pieces())
        await web.websocket.send("end")

    with Client(tell) as client:
        client.advance(100)
        assert list(client) == ["abcd", b"12", "end"]


def test_a_piece_leaves_as_soon_as_it_is_there() -> None:
    async def tell(web: Web) -> None:
        await web.websocket.send(pieces("first", "second"))

    with Client(tell) as client:
        client.advance(1.5)
        [websocket] = client.host.websockets
        assert websocket.bytes_out == 2 + len("first")
        client.advance(2)
        assert client.receive() == "firstsecond"


def test_what_is_published_meanwhile_waits_for_the_end_of_the_message() -> None:
    async def tell(web: Web) -> None:
        web.websocket.subscribe("news")
        await web.websocket.send(pieces("a", "b"))
        await web.wait()

    with Client(tell) as client:
        client.advance(1.5)
        client.server.call(client.host.publish, "news", "published")
        client.advance(2)
        assert client.messages == ("ab", "published")


@pytest.mark.parametrize("broken", [LookupError("gone"), b"bytes"])
def test_a_message_that_breaks_off_ends_the_connection(broken: Exception | bytes) -> None:
    async def tell(web: Web) -> None:
        with pytest.raises((LookupError, TypeError)):
            await web.websocket.send(pieces("a", broken, "c"))
        with pytest.raises(Closed):
            web.websocket.send("too late")

    with Client(tell) as client:
        client.advance(10)
        assert client.wait_closed() == (1011, "Internal error")


def test_an_iterator_that_raises_first_breaks_nothing() -> None:
    async def tell(web: Web) -> None:
        with pytest.raises(LookupError):
            await web.websocket.send(pieces(LookupError("gone")))
        await web.websocket.send("still there")

    with Client(tell) as client:
        client.advance(10)
        assert client.receive() == "still there"


# ---- background tasks -----------------------------------------------------------------------------------


BACKGROUND = """\
import asyncio

from ioto_server import Host, Web, action

@action("/")
async def act(web: Web) -> None:
    web.host.spawn(background(web.host, "of an action"))
    await web.wait()

async def background(host: Host, which: str) -> None:
    try:
        await asyncio.sleep(1000)
    except asyncio.CancelledError:
        await asyncio.sleep(0)
        host.data.told.append(which)
        raise

def io_start(host: Host) -> None:
    host.data.told = []
    host.spawn(background(host, "of io_start"))

def io_stop(host: Host) -> None:
    host.data.told.append("io_stop")
"""


def test_background_tasks_are_cancelled_and_awaited_before_io_stop(tmp_path: Path) -> None:
    plugin = tmp_path / "background.py"
    plugin.write_text(BACKGROUND)
    with Client(plugin) as client:
        told = client.host.data.told
        client.close()
        client.server.advance(10)
        assert told == [], "they outlive the connection"
    assert sorted(told[:2]) == ["of an action", "of io_start"]
    assert told[2:] == ["io_stop"]


def test_a_failed_background_task_is_told_of_with_its_plugin() -> None:
    async def fail() -> None:
        raise LookupError("in the background")

    async def act(web: Web) -> None:
        web.host.spawn(fail(), name="failing")
        await web.wait()

    with pytest.raises(ActionFailed, match="in the background"), Client(act) as client:
        client.server.settle()


def test_after_the_stop_nothing_can_be_begun() -> None:
    kept: list[Host] = []

    async def act(web: Web) -> None:
        kept.append(web.host)
        await web.wait()

    with Client(act):
        pass
    with pytest.raises(RuntimeError, match="were stopped"):
        kept[0].spawn(asyncio.sleep(0))
