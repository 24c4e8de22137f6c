"""The control socket: an operator's questions and orders, one JSON line each way (SPEC 2, `control`)."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import structlog

from ioto_server.config import Endpoint
from ioto_server.server import Listener, bind

_log = structlog.get_logger("ioto_server.control")

Answer = dict[str, Any]
Command = Callable[[Mapping[str, Any]], "Answer | Awaitable[Answer]"]

# Bytes of one request line: orders are short, and whoever sends more is no client of ours.
_LONGEST: Final = 65536

# Commands that change nothing.
_LOOKS: Final = ("status", "connections")


def bind_control(path: Path) -> Listener:
    """Bind the socket, readable for its owner only, in a folder that is made where it is missing.

    Raises ListenError where somebody answers there, OSError where the folder cannot be made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Made by bind(2) with the mask's mode: there is no moment in which others could connect.
    mask = os.umask(0o177)
    try:
        (listener,) = bind(Endpoint("unix", path=path), directive="control")
    finally:
        os.umask(mask)
    return listener


class Control:
    """Answers requests such as `{"command": "status"}` with one line each; a client may send several."""

    def __init__(self, listener: Listener, commands: Mapping[str, Command]) -> None:
        """Answer `commands` on a socket of `bind_control`."""
        self._listener = listener
        self._commands = commands
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Begin to answer."""
        self._server = await asyncio.start_unix_server(
            self._serve, sock=self._listener.socket, limit=_LONGEST
        )

    async def close(self) -> None:
        """Answer no more, and remove the socket's file."""
        if self._server is not None:
            self._server.close()
        self._listener.remove()
        for client in self._clients:
            client.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        try:
            while line := await reader.readline():
                answer = await self._answer(line)
                writer.write(json.dumps(answer, separators=(",", ":")).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            # The client has gone, or sent a line without end.
            pass
        finally:
            self._clients.discard(writer)
            writer.close()

    async def _answer(self, line: bytes) -> Answer:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            request = None
        name = request.get("command") if isinstance(request, dict) else None
        command = self._commands.get(name) if isinstance(name, str) else None
        if command is None:
            known = ", ".join(sorted(self._commands))
            return {"ok": False, "error": f'send {{"command": NAME}} with one of: {known}'}
        # Who looks at the status every second shall not fill the log; who changes something is in it.
        (_log.debug if name in _LOOKS else _log.info)("control", command=name)
        try:
            result = command(request)
            return {"ok": True, **(await result if isinstance(result, Awaitable) else result)}
        except CommandError as error:
            return {"ok": False, "error": str(error)}
        except Exception:
            # Whoever asked is told, whatever went wrong.
            _log.exception("control failed", command=name)
            return {"ok": False, "error": f"{name} failed: the server's log has the traceback"}


class CommandError(Exception):
    """An order that cannot be carried out; the text goes to the operator."""
