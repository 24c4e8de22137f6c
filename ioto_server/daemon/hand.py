"""A worker as its supervisor sees it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from time import monotonic
from typing import Any

from .engine import StartError
from .line import Asker, Message, Refused


class Hand:
    """One worker process: asked over its line, watched by its descriptor (pidfd_open(2)).

    `place` counts from 1 and passes from a worker to the one that follows it; `serial` does not.
    """

    def __init__(self, place: int, serial: int, pid: int, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self.place = place
        self.serial = serial
        self.pid = pid
        self.serves = False
        self.stuck = False
        self.born = self.answered = monotonic()
        self.connections = self.websockets = 0
        # What it has last written of its metrics.
        self.families: list[dict[str, Any]] = []
        self._gone: asyncio.Future[str] = loop.create_future()
        self._asker = Asker(connection)
        self._descriptor = os.pidfd_open(pid)
        self._pulse: asyncio.Task[None] | None = None
        loop.add_reader(self._descriptor, self._bury)

    def _bury(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self.serves = False
        self._asker.close()
        self._gone.set_result(f"exit code {code}" if code >= 0 else signal.Signals(-code).name)

    @property
    def lives(self) -> bool:
        """Whether the process has not ended."""
        return not self._gone.done()

    async def gone(self) -> str:
        """Wait for the end of the process; returns its exit code or the signal that ended it."""
        return await asyncio.shield(self._gone)

    async def ask(self, command: str, **arguments: Any) -> Message:
        """Have it carry out a command. Raises Refused, and ConnectionError where it is gone."""
        return await self._asker.ask(command, **arguments)

    async def start(self, *, warn: bool) -> None:
        """Have it load everything; it accepts nobody yet. Raises StartError."""
        try:
            await self.ask("start", warn=warn)
        except Refused as error:
            self.kill(signal.SIGKILL)
            await self.gone()
            raise StartError(str(error), error.trace, error.code) from None
        except ConnectionError:
            how = await self.gone()
            raise StartError(
                f"a worker ended while it started ({how}): see what its plugins do in io_start"
            ) from None

    async def accept(self) -> None:
        """Have it accept clients. Raises StartError."""
        try:
            await self.ask("accept")
        except (Refused, ConnectionError) as error:
            self.kill(signal.SIGKILL)
            await self.gone()
            raise StartError(f"a worker cannot accept: {error}") from None
        self.serves = True
        self.answered = monotonic()

    def pulse(self) -> None:
        """Ask how it is, unless the question before is still open."""
        if self.serves and self._pulse is None:
            self._pulse = asyncio.get_running_loop().create_task(self._feel())

    async def _feel(self) -> None:
        try:
            found = await self.ask("pulse")
        except (Refused, ConnectionError):
            return
        finally:
            self._pulse = None
        self.answered = monotonic()
        self.connections, self.websockets = found["connections"], found["websockets"]

    @property
    def silent_for(self) -> float:
        """Seconds since it last answered."""
        return monotonic() - self.answered

    def kill(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.lives:
            os.kill(self.pid, number)
