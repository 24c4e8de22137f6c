"""aiohttp's client: a pool of connections, ranges, streams both ways, and uploads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO

import aiohttp
import pytest

from tests.http_live.conftest import Site
from tests.tls.certificates import client_context


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_session(site: Site, scheme: str) -> None:
    asyncio.run(use(site, site.http if scheme == "http" else site.https))


async def use(site: Site, url: str) -> None:
    connector = aiohttp.TCPConnector(limit=4, ssl=client_context())
    async with aiohttp.ClientSession(url, connector=connector, raise_for_status=True) as session:
        # More at once than there are connections: they are used again.
        assert await asyncio.gather(*(whole(session) for _ in range(20))) == [site.large] * 20
        async with session.get("/large.bin", headers={"Range": "bytes=-100"}) as response:
            assert (response.status, await response.read()) == (206, site.large[-100:])
        async with session.post("/echo", data=pieces()) as response:
            assert await response.read() == b"piece" * 100
        async with session.put("/upload/aiohttp.bin", data=BytesIO(site.large)) as response:
            assert response.status == 201
        async with session.get("/upload/aiohttp.bin") as response:
            assert await response.read() == site.large
        async with session.delete("/upload/aiohttp.bin") as response:
            assert response.status == 204


async def whole(session: aiohttp.ClientSession) -> bytes:
    async with session.get("/large.bin") as response:
        return await response.read()


async def pieces() -> AsyncIterator[bytes]:
    """A body of no announced length: sent chunked."""
    for _ in range(100):
        yield b"piece"
