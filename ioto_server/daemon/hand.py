"""A worker as its supervisor sees it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Final

import structlog

from .engine import StartError
from .line import Asker, Message, Refused

_log = structlog.get_logger("ioto_server.workers")

# From the signal that makes a worker say where it is stuck to the one that ends it, in seconds.
LAST_WORDS: Final = 2.0
# From the signal that makes a worker write what it has gathered for the log to that one, in seconds.
_TO_WRITE: Final = 0.2
# What a worker may take to accept, in seconds: there is nothing to wait for.
_TO_ACCEPT: Final = 30.0


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
        # It has left a question without an answer for too long, and answered none since.
        self.stuck = False
        self.born = self.answered = monotonic()
        # What it has last said of itself (Process.report), and of what its start or a reload waits for.
        self.figures: Message = {}
        self.waits_for = ""
        # What it has last written of its metrics.
        self.families: list[dict[str, Any]] = []
        self._gone: asyncio.Future[str] = loop.create_future()
        self._asker = Asker(connection, self._note)
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

    def _note(self, message: Message) -> None:
        self.waits_for = message["waits_for"]

    # ---- life -----------------------------------------------------------------------------------------

    @property
    def lives(self) -> bool:
        """Whether the process has not ended."""
        return not self._gone.done()

    async def gone(self) -> str:
        """Wait for the end of the process; returns its exit code or the signal that ended it."""
        return await asyncio.shield(self._gone)

    async def start(self, *, warn: bool, patience: float) -> None:
        """Have it load everything, in `patience` seconds; it accepts nobody yet. Raises StartError."""
        try:
            async with asyncio.timeout(patience):
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
        except TimeoutError:
            await self.end()
            raise StartError(
                f"a worker was not ready after {patience:g} seconds and was ended: "
                f"it waited for {self.waits_for or 'its plugins to be imported'}"
            ) from None

    async def accept(self) -> None:
        """Have it accept clients. Raises StartError."""
        try:
            async with asyncio.timeout(_TO_ACCEPT):
                self.figures = await self.ask("accept")
        except (Refused, ConnectionError, TimeoutError) as error:
            self.kill(signal.SIGKILL)
            await self.gone()
            raise StartError(f"a worker cannot accept: {error or 'it does not answer'}") from None
        self.serves = True
        self.answered = monotonic()

    def kill(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.lives:
            os.kill(self.pid, number)

    async def end(self) -> None:
        """End it; its last words are lines of the log, and a traceback that names what holds it."""
        for number, patience in ((signal.SIGTERM, _TO_WRITE), (signal.SIGABRT, LAST_WORDS)):
            self.kill(number)
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self.gone()
        self.kill(signal.SIGKILL)
        await self.gone()

    # ---- questions ------------------------------------------------------------------------------------

    async def ask(self, command: str, **arguments: Any) -> Message:
        """Have it carry out a command. Raises Refused, and ConnectionError where it is gone."""
        return await self._asker.ask(command, **arguments)

    def pulse(self) -> asyncio.Task[None] | None:
        """Ask how it is, unless the question before is still open; what is waited for, if anything."""
        if self.serves and self._pulse is None:
            self._pulse = asyncio.get_running_loop().create_task(self._feel())
        return self._pulse

    async def _feel(self) -> None:
        try:
            found = await self.ask("pulse")
        except (Refused, ConnectionError):
            return
        finally:
            self._pulse = None
        self.answered = monotonic()
        self.figures = found

    def judge(self, *, stuck: bool) -> None:
        """Take it for stuck, or not any more."""
        if stuck != self.stuck:
            self.stuck = stuck
            report = _log.warning if stuck else _log.info
            event = "worker does not answer" if stuck else "worker answers again"
            report(event, worker=self.place, pid=self.pid)

    @property
    def connections(self) -> int:
        """How many connections it has, as last told."""
        return int(self.figures.get("connections", 0))

    @property
    def websockets(self) -> int:
        """How many WebSockets it has, as last told."""
        return int(self.figures.get("websockets", 0))

    @property
    def silent_for(self) -> float:
        """Seconds since it last answered."""
        return monotonic() - self.answered

    @property
    def silent_since(self) -> str:
        """When it last answered."""
        return (datetime.now(UTC) - timedelta(seconds=self.silent_for)).isoformat(timespec="seconds")
