"""aiohttp's client against the real daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from tests.clients.samples import SIZES, binary, text
from tests.support.daemon import Daemon


def converse(url: str, scene: Callable[[Any], Awaitable[Any]], **options: Any) -> Any:
    """Play a scene on one connection; the whole of it has a deadline."""

    async def play() -> Any:
        async with (
            asyncio.timeout(30),
            aiohttp.ClientSession() as session,
            session.ws_connect(url, max_msg_size=0, **options) as connection,
        ):
            return await scene(connection)

    return asyncio.run(play())


@pytest.mark.parametrize("size", SIZES)
def test_echo_of_text(roomy_daemon: Daemon, size: int) -> None:
    async def scene(connection: Any) -> str:
        await connection.send_str(text(size))
        return str(await connection.receive_str())

    assert converse(roomy_daemon.ws_url("/ws/echo"), scene) == text(size)


@pytest.mark.parametrize("size", SIZES)
def test_echo_of_bytes(roomy_daemon: Daemon, size: int) -> None:
    async def scene(connection: Any) -> bytes:
        await connection.send_bytes(binary(size))
        return bytes(await connection.receive_bytes())

    assert converse(roomy_daemon.ws_url("/ws/echo"), scene) == binary(size)


def test_the_sub_protocol_chat_is_chosen(daemon: Daemon) -> None:
    async def scene(connection: Any) -> str | None:
        chosen: str | None = connection.protocol
        return chosen

    assert converse(daemon.ws_url("/ws/chat"), scene, protocols=("superchat", "chat")) == "chat"


def test_a_ping_is_answered_with_its_payload(daemon: Daemon) -> None:
    async def scene(connection: Any) -> bytes:
        await connection.ping(b"are you there?")
        answer = await connection.receive()
        assert answer.type is aiohttp.WSMsgType.PONG
        return bytes(answer.data)

    assert converse(daemon.ws_url("/ws/echo"), scene, autoping=False) == b"are you there?"


@pytest.mark.parametrize("code", [1000, 3000, 4999])
def test_the_clients_close_code_is_echoed(daemon: Daemon, code: int) -> None:
    async def scene(connection: Any) -> int:
        await connection.close(code=code, message=b"bye")
        return int(connection.close_code)

    assert converse(daemon.ws_url("/ws/echo"), scene) == code


def test_a_refusal_carries_the_status(daemon: Daemon) -> None:
    async def scene(connection: Any) -> None:
        raise AssertionError("the connection was opened")

    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        converse(daemon.ws_url("/ws/nothing-here"), scene)
    assert refusal.value.status == 404


def test_the_site_is_served_beside_the_websockets(daemon: Daemon) -> None:
    async def fetch() -> tuple[int, str, str]:
        async with (
            asyncio.timeout(30),
            aiohttp.ClientSession() as session,
            session.get(daemon.url + "/") as answer,
        ):
            return answer.status, answer.content_type, await answer.text()

    status, kind, page = asyncio.run(fetch())
    assert (status, kind) == (200, "text/html")
    assert "</html>" in page
