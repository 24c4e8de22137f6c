"""Send files: what `http.files` decides, driven on a connection; the loop never waits for the disk."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

from ioto_server.config import Config
from ioto_server.http import FileResponse, Match, Range, StaticFiles
from ioto_server.session import Core

from .exchange import Exchange

# Bytes of a large file in memory at once, for each connection that is being sent one.
_PIECE: Final = 128 * 1024

# What separates the settings under which the same folder may be served.
_Settings = tuple[Path, bool, str | None]


class FileSender:
    """Answers the requests that go to files."""

    def __init__(self, config: Config) -> None:
        """Serve from `documents`, and from the folders of the routes that have one of their own."""
        self._config = config
        self._folders: dict[_Settings, StaticFiles] = {}

    def send(self, exchange: Exchange, match: Match, host: Core) -> None:
        """Answer with the file at `match.path`; raises HttpError for what cannot be had.

        Names are looked up here and now: they are in the kernel's cache or soon will be. A body that is not
        in memory is sent by a task.
        """
        response = self._folder(match).respond(exchange.request, match.path)
        if response.descriptor < 0:
            exchange.respond(response.status, response.headers, response.content)
            return
        exchange.start(response.status, response.headers, response.length)
        if exchange.request.method == "HEAD":
            response.close()
            exchange.end()
            return
        exchange.task = host.create_task(_send_parts(exchange, response))

    def _folder(self, match: Match) -> StaticFiles:
        config = self._config
        route = match.route
        settings: _Settings = (
            (config.documents, True, None)
            if route is None
            else (route.documents or config.documents, route.compressed, route.cache)
        )
        files = self._folders.get(settings)
        if files is None:
            documents, compressed, cache = settings
            files = StaticFiles(documents, config.index, config.mime, compressed=compressed, cache=cache)
            self._folders[settings] = files
        return files


async def _send_parts(exchange: Exchange, response: FileResponse) -> None:
    """Send a body piece by piece, each when the one before has left."""
    with response:
        try:
            for part in response.parts:
                if isinstance(part, bytes):
                    await exchange.write(part)
                else:
                    await _send_range(exchange, response, part)
        except (EOFError, OSError):
            # The file was cut short or its disk failed: the length that was announced cannot be kept.
            exchange.abandon()
            return
    exchange.end()


async def _send_range(exchange: Exchange, response: FileResponse, part: Range) -> None:
    offset, left = part
    loop = asyncio.get_running_loop()
    while left and not exchange.done:
        size = min(left, _PIECE)
        data = _cached(response.descriptor, offset, size)
        if data is None:
            data = await loop.run_in_executor(None, response.read, offset, size)
        await exchange.write(data)
        offset += len(data)
        left -= len(data)


def _cached(descriptor: int, offset: int, size: int) -> bytes | None:
    """A piece of a file that is in the kernel's cache; None where reading would wait for the disk."""
    buffer = bytearray(size)
    try:
        count = os.preadv(descriptor, [buffer], offset, os.RWF_NOWAIT)
    except OSError:
        # EAGAIN: not in the cache; EOPNOTSUPP: this file system cannot say.
        return None
    return bytes(memoryview(buffer)[:count]) if count else None
