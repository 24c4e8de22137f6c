"""The floor: uvloop sends back the bytes of a TCP (or TLS) connection, and nothing else is done."""

from __future__ import annotations

import asyncio

from surroundings import HOST, PORT, serve, tls


class Echo(asyncio.Protocol):
    """Send back what comes."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


async def start() -> object:
    loop = asyncio.get_running_loop()
    return await loop.create_server(Echo, HOST, PORT, ssl=tls(), backlog=1024)


serve(start)
