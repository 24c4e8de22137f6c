"""The endpoint that Prometheus asks: one path, one answer a connection, nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import time
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST

from ioto_server.config import Config
from ioto_server.http import HttpError, Request, RequestParser, encode_head, http_date
from ioto_server.server import Listener, check_host, peer_of

# What a scraper has to send its request, and to take the answer, in seconds.
_PATIENCE: Final = 10.0
_LONGEST_HEADER: Final = 8192
# Who opens more at once is no scraper, and takes descriptors that clients need.
_MOST_AT_ONCE: Final = 32


class ScrapeServer:
    """Answers GET `path` with `text()`; `config()` is the configuration in force."""

    def __init__(
        self,
        listeners: Sequence[Listener],
        path: str,
        text: Callable[[], Awaitable[bytes]],
        config: Callable[[], Config],
    ) -> None:
        self._listeners = listeners
        self._path = path
        self._text = text
        self._config = config
        self._servers: list[asyncio.Server] = []
        self._open = 0

    async def open(self) -> None:
        """Begin to answer."""
        for listener in self._listeners:
            start = asyncio.start_unix_server if listener.endpoint.path else asyncio.start_server
            self._servers.append(await start(self._serve, sock=listener.socket, limit=_LONGEST_HEADER))

    def close(self) -> None:
        """Answer no more."""
        for server, listener in zip(self._servers, self._listeners, strict=True):
            server.close()
            listener.remove()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open > _MOST_AT_ONCE:
                return
            async with asyncio.timeout(_PATIENCE):
                answer = await self._answer(reader, writer)
                if answer:
                    writer.write(answer)
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
        except (TimeoutError, ConnectionError):
            writer.transport.abort()
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        parser = RequestParser(_LONGEST_HEADER, 0)
        try:
            while (event := parser.next_event()) is None:
                data = await reader.read(_LONGEST_HEADER)
                if not data:
                    return b""
                parser.feed(data)
            assert isinstance(event, Request)
            self._check_host(event, writer)
        except HttpError as error:
            return _response(error.status, error.text)
        if event.method not in ("GET", "HEAD"):
            return _response(405, "Metrics are read with GET", [("Allow", "GET, HEAD")])
        if event.path != self._path:
            return _response(404, f"Metrics are at {self._path} (metrics.path in web.json5)")
        body = await self._text()
        head = [("Content-Type", CONTENT_TYPE_LATEST), ("Content-Length", str(len(body)))]
        return _head(200, head) + (body if event.method == "GET" else b"")

    def _check_host(self, request: Request, writer: asyncio.StreamWriter) -> None:
        name = writer.get_extra_info("sockname")
        local = str(name[0]) if isinstance(name, tuple) else ""
        check_host(request, self._config(), local, peer_of(writer.get_extra_info("peername")))


def _head(status: int, headers: list[tuple[str, str]]) -> bytes:
    return encode_head(status, [("Date", http_date(time())), *headers, ("Connection", "close")])


def _response(status: int, text: str, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    body = text.encode() + b"\n"
    return (
        _head(
            status,
            [
                ("Content-Type", "text/plain; charset=utf-8"),
                ("Content-Length", str(len(body))),
                *headers,
            ],
        )
        + body
    )
