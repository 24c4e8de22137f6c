"""The `websockets` library, its asyncio and its threaded client, against the real daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Close
from websockets.sync.client import connect as connect_sync

from tests.clients.samples import SIZES, binary, text
from tests.conftest import StartDaemon
from tests.support.daemon import Daemon, write_project

CLOSER = """\
from ioto_server import Web, action


@action("/ws/close")
async def close(web: Web) -> None:
    async for message in web.websocket:
        code, _, reason = message.partition(" ")
        web.websocket.send_close(int(code), reason)
"""


def converse(url: str, scene: Callable[[ClientConnection], Awaitable[Any]], **options: Any) -> Any:
    """Play a scene on one connection; the whole of it has a deadline."""

    async def play() -> Any:
        async with asyncio.timeout(30), connect(url, max_size=None, **options) as connection:
            return await scene(connection)

    return asyncio.run(play())


@pytest.fixture(scope="module")
def closer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon whose action closes with the code and reason that it is told."""
    running = Daemon(write_project(tmp_path_factory.mktemp("closer"), {}, {"close.py": CLOSER}))
    try:
        yield running
    finally:
        running.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sample", [text, binary])
def test_echo(roomy_daemon: Daemon, sample: Callable[[int], str | bytes], size: int) -> None:
    message = sample(size)

    async def scene(connection: ClientConnection) -> str | bytes:
        await connection.send(message)
        return await connection.recv()

    assert converse(roomy_daemon.ws_url("/ws/echo"), scene) == message


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sample", [text, binary])
def test_echo_to_the_threaded_client(
    roomy_daemon: Daemon, sample: Callable[[int], str | bytes], size: int
) -> None:
    message = sample(size)
    with connect_sync(roomy_daemon.ws_url("/ws/echo"), max_size=None) as connection:
        connection.send(message)
        assert connection.recv(timeout=30) == message


def test_many_messages_come_back_in_order(daemon: Daemon) -> None:
    async def scene(connection: ClientConnection) -> list[str | bytes]:
        for number in range(500):
            await connection.send(str(number))
        return [await connection.recv() for _ in range(500)]

    assert converse(daemon.ws_url("/ws/echo"), scene) == [str(number) for number in range(500)]


def test_a_message_in_fragments_comes_back_whole(daemon: Daemon) -> None:
    parts = ["The ", "", "quick ", "brøwn ", "fox"]

    async def scene(connection: ClientConnection) -> str | bytes:
        await connection.send(parts)
        return await connection.recv()

    assert converse(daemon.ws_url("/ws/echo"), scene) == "".join(parts)


def test_a_ping_is_answered(daemon: Daemon) -> None:
    async def scene(connection: ClientConnection) -> float:
        return await (await connection.ping(b"are you there?"))

    assert converse(daemon.ws_url("/ws/echo"), scene) >= 0


def test_the_sub_protocol_chat_is_chosen(daemon: Daemon) -> None:
    async def scene(connection: ClientConnection) -> str | None:
        return connection.subprotocol

    url = daemon.ws_url("/ws/chat")
    assert converse(url, scene, subprotocols=["superchat", "chat"]) == "chat"
    assert converse(url, scene) is None


def test_another_sub_protocol_is_refused(daemon: Daemon) -> None:
    async def scene(connection: ClientConnection) -> None:
        raise AssertionError("the connection was opened")

    with pytest.raises(InvalidStatus) as refusal:
        converse(daemon.ws_url("/ws/chat"), scene, subprotocols=["superchat"])
    assert refusal.value.response.status_code == 400
    assert b"Unsupported Sec-WebSocket-Protocol" in refusal.value.response.body


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1008, 1011, 3000, 4000, 4999])
def test_the_clients_close_code_is_echoed(daemon: Daemon, code: int) -> None:
    async def scene(connection: ClientConnection) -> Close | None:
        await connection.close(code, "bye")
        return connection.protocol.close_rcvd

    close = converse(daemon.ws_url("/ws/echo"), scene)
    assert close is not None
    assert close.code == code


@pytest.mark.parametrize(
    ("code", "reason"), [(1000, ""), (1000, "done"), (1011, "it broke"), (4000, "é" * 61), (4999, "")]
)
def test_the_actions_close_code_and_reason_arrive(closer: Daemon, code: int, reason: str) -> None:
    async def scene(connection: ClientConnection) -> Close | None:
        await connection.send(f"{code} {reason}")
        with pytest.raises(ConnectionClosed):
            await connection.recv()
        return connection.protocol.close_rcvd

    assert converse(closer.ws_url("/ws/close"), scene) == Close(code, reason)


def test_an_action_that_returns_closes_with_1000(start_daemon: StartDaemon) -> None:
    once = """\
from ioto_server import Web, action


@action("/ws/once")
async def once(web: Web) -> None:
    await web.websocket.send(await web.websocket.receive())
"""
    daemon = start_daemon({}, {"once.py": once})

    async def scene(connection: ClientConnection) -> tuple[str | bytes, Close | None]:
        await connection.send("one")
        answer = await connection.recv()
        with pytest.raises(ConnectionClosed):
            await connection.recv()
        return answer, connection.protocol.close_rcvd

    assert converse(daemon.ws_url("/ws/once"), scene) == ("one", Close(1000, ""))


def test_an_exception_in_an_action_closes_that_connection_alone(start_daemon: StartDaemon) -> None:
    fails = """\
from ioto_server import Web, action


@action("/ws/fails")
async def fails(web: Web) -> None:
    async for message in web.websocket:
        if message == "fail":
            raise LookupError("no such thing")
        await web.websocket.send(message)
"""
    daemon = start_daemon({}, {"fails.py": fails})

    async def scene(connection: ClientConnection) -> Close | None:
        async with connect(daemon.ws_url("/ws/fails")) as other:
            await connection.send("fail")
            with pytest.raises(ConnectionClosed):
                await connection.recv()
            await other.send("still here")
            assert await other.recv() == "still here"
        return connection.protocol.close_rcvd

    close = converse(daemon.ws_url("/ws/fails?secret=1"), scene)
    assert close is not None
    assert close.code == 1011
    assert "no such thing" not in close.reason, "the peer is told nothing of the server's inside"
    assert "LookupError: no such thing" in daemon.output
    assert "/ws/fails" in daemon.output
    assert "secret" not in daemon.output, "query strings are never logged"
