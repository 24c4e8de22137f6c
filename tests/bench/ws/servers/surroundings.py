"""What the servers of Python have in common: `python SERVER.py PORT [CERTIFICATE KEY]`, on 127.0.0.1."""

from __future__ import annotations

import asyncio
import gc
import ssl
import sys
from collections.abc import Awaitable, Callable

import uvloop

HOST = "127.0.0.1"
PORT = int(sys.argv[1])
LARGEST = 1 << 24
"""The largest message that any of them takes, in bytes."""


def tls() -> ssl.SSLContext | None:
    """The context for the certificate on the command line, TLS 1.2 or newer, or None without one."""
    if len(sys.argv) < 4:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    return context


def serve(start: Callable[[], Awaitable[object]]) -> None:
    """Run `start` in uvloop, and what it started until the process is ended."""

    async def run() -> None:
        kept = await start()
        gc.collect()
        gc.freeze()
        await asyncio.Event().wait()
        del kept

    uvloop.run(run())
