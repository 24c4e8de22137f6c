"""The body of an answer that is a file: sent piece by piece, and the loop never waits for the disk."""

from __future__ import annotations

import os
from functools import partial
from typing import Final

import structlog

from ioto_server.http import FileResponse, Range, fault_of

from .exchange import Exchange
from .off_the_loop import off_the_loop

_log = structlog.get_logger("ioto_server.http")

# Bytes of a large file in memory at once, for each connection that is being sent one.
_PIECE: Final = 128 * 1024


async def send_parts(exchange: Exchange, response: FileResponse, path: str) -> None:
    """Send a body piece by piece, each when the one before has left; `path` is for the log."""
    exchange.unhurry()
    with response:
        try:
            for part in response.parts:
                if isinstance(part, bytes):
                    await exchange.write(part)
                else:
                    await _send_range(exchange, response, part)
        except (EOFError, OSError) as error:
            # The file was cut short or its disk failed: the length that was announced cannot be kept.
            problem = fault_of(error) if isinstance(error, OSError) else str(error)
            _log.error("file not sent whole", path=path, problem=problem)
            exchange.abandon()
            return
    exchange.end()


async def _send_range(exchange: Exchange, response: FileResponse, part: Range) -> None:
    offset, left = part
    while left and not exchange.done:
        size = min(left, _PIECE)
        data = _cached(response.descriptor, offset, size)
        if data is None:
            data = await off_the_loop(partial(response.read, offset, size))
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
