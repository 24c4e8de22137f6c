"""Handshakes that are alike are decided once: for their words, their address and one configuration."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ioto_server import Web
from ioto_server.config import Config
from ioto_server.plugins import Plugins
from ioto_server.server import Server
from tests.server.harness import Client, make_server

KEYS = {
    "dGhlIHNhbXBsZSBub25jZQ==": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    "x3JJHMbDL1EzLkh9GBhXDw==": "HSmrc0sMlYUkAGmm5OPpG2HaGWk=",
}
"""Two keys and their answers: RFC 6455, 1.3, and a known example."""


async def take(web: Web) -> None:
    await web.wait()


def handshake(key: str, *fields: str, path: str = "/take") -> bytes:
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        *fields,
    ]
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


async def answer(server: Server, data: bytes, address: str = "192.0.2.1", local: str = "127.0.0.1") -> str:
    """What a client that sends `data` gets at first."""
    client = Client(server, address)
    client.transport._extra["sockname"] = (local, 4100)  # type: ignore[attr-defined]
    client.send(data)
    await asyncio.sleep(0.01)
    received = client.received()
    client.reset()
    await asyncio.sleep(0)
    return received


def in_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(test())

    run.__name__ = test.__name__
    return run


@in_loop
async def test_each_key_is_answered_and_all_else_is_the_same() -> None:
    server = make_server({"/take": take})
    heads = []
    for key, accept in list(KEYS.items()) * 2:
        got = await answer(server, handshake(key))
        assert got.startswith("HTTP/1.1 101 "), got
        assert f"\r\nSec-WebSocket-Accept: {accept}\r\n" in got
        heads.append(got.replace(accept, ""))
    assert len(set(heads)) == 1


@in_loop
async def test_the_request_is_the_clients_own() -> None:
    seen: list[tuple[str | None, str | None, str, str]] = []

    async def look(web: Web) -> None:
        before = web.headers.get("sec-websocket-key")
        web.accept()
        seen.append((before, web.headers.get("sec-websocket-key"), web.path, web.peer))
        await web.wait()

    server = make_server({"/take": look})
    for key in KEYS:
        await answer(server, handshake(key, "User-Agent: Sec-WebSocket-Key", path="/take/rest"))
    assert seen == [(key, key, "/take/rest", "192.0.2.1:50000") for key in KEYS]


@in_loop
async def test_an_origin_that_is_refused_stays_refused_and_harms_no_other() -> None:
    server = make_server({"/take": take})
    for key in KEYS:
        assert " 403 " in await answer(server, handshake(key, "Origin: http://elsewhere"))
        assert " 101 " in await answer(server, handshake(key, "Origin: http://localhost"))
        assert " 403 " in await answer(server, handshake(key, "Origin: http://elsewhere"))


@in_loop
async def test_a_host_that_is_right_at_one_address_is_not_at_another() -> None:
    server = make_server({"/take": take})
    for key in KEYS:
        data = handshake(key).replace(b"localhost", b"rebound.example")
        assert " 101 " in await answer(server, data, local="192.0.2.7")
        assert " 403 " in await answer(server, data, local="127.0.0.1")


@in_loop
async def test_another_configuration_decides_anew() -> None:
    server = make_server({"/take": take})
    key, other = KEYS
    offer = "Sec-WebSocket-Protocol: chat, other"
    assert "\r\nSec-WebSocket-Protocol: chat\r\n" in await answer(server, handshake(key, offer))
    changed = Config.read({"webSockets": {"protocol": "other"}})
    server.apply(changed, server.plugins)
    assert "\r\nSec-WebSocket-Protocol: other\r\n" in await answer(server, handshake(other, offer))
    server.apply(Config.read({"webSockets": {"enable": False}}), server.plugins)
    assert " 426 " in await answer(server, handshake(key, offer))
    server.apply(changed, Plugins(()))
    assert " 404 " in await answer(server, handshake(other, offer))


@in_loop
async def test_behind_a_proxy_each_client_is_counted_by_itself() -> None:
    server = make_server({"/take": take}, trustedProxies=["192.0.2.1"], limits={"perAddress": 1})
    clients = [Client(server) for _ in range(3)]
    for client, name in zip(clients, ("198.51.100.1", "198.51.100.2", "198.51.100.1"), strict=True):
        client.send(handshake(next(iter(KEYS)), f"X-Forwarded-For: {name}"))
    await asyncio.sleep(0.01)
    assert [client.status for client in clients] == [101, 101, 503]


@pytest.mark.parametrize("key", ["dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ!!", ""])
def test_what_is_no_key_is_refused_whatever_came_before(key: str) -> None:
    async def run() -> None:
        server = make_server({"/take": take})
        assert " 101 " in await answer(server, handshake(next(iter(KEYS))))
        assert " 400 " in await answer(server, handshake(key))

    asyncio.run(run())
