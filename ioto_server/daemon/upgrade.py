"""A successor takes the listening sockets over while we go on; then we drain (SPEC 9, `upgrade`).

Four words pass between the two, so that at every moment one of them is answerable, and a successor that
fails before the last changes nothing:

    successor   ready      everything is loaded and started; I could accept
    we          go         accept
    successor   serving    I accept
    we          main       the service is yours; I accept no more

Then we tell systemd, and end the channel. By default systemd listens to nobody but the main process: to us
until it has MAINPID=, from then on to the successor alone. So nothing that can fail comes after it, as we
could not take it back, and nothing that the successor says comes before.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from time import monotonic
from typing import Final

from .sockets import Sockets

_LONGEST_WORD: Final = 64

# What a successor that we give up may take to stop in order, and how often we look, in seconds.
_TO_STOP: Final = 5.0
_TICK: Final = 0.02


class UpgradeError(Exception):
    """The successor failed: why, and where to look. We go on as before."""


class Channel:
    """Words between a process and its successor, one a line."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._heard = b""

    async def say(self, word: str) -> None:
        """Send a word; raises OSError where the other is gone."""
        await asyncio.get_running_loop().sock_sendall(self._socket, word.encode() + b"\n")

    async def hear(self) -> str:
        """The next word; empty where the other is gone."""
        while b"\n" not in self._heard:
            try:
                data = await asyncio.get_running_loop().sock_recv(self._socket, _LONGEST_WORD)
            except OSError:
                data = b""
            if not data:
                return ""
            self._heard += data
        word, _, self._heard = self._heard.partition(b"\n")
        return word.decode("ascii", "replace")

    def close(self) -> None:
        """Say no more."""
        self._socket.close()


class Predecessor:
    """The process that we take the place of; without one, we have nobody to ask."""

    def __init__(self, connection: socket.socket | None) -> None:
        self._channel = None if connection is None else Channel(connection)

    async def let_us_accept(self) -> bool:
        """Say that we are ready and wait for our turn; False where the predecessor gave us up."""
        if self._channel is None:
            return True
        return await self._exchange("ready", "go")

    async def let_us_lead(self) -> bool:
        """Say that we accept, and wait until systemd knows us; False where we are to end."""
        if self._channel is None:
            return True
        leads = await self._exchange("serving", "main")
        if leads:
            await self._channel.hear()
        self._channel.close()
        return leads

    async def _exchange(self, word: str, answer: str) -> bool:
        assert self._channel is not None
        try:
            await self._channel.say(word)
        except OSError:
            return False
        return await self._channel.hear() == answer


class Successor:
    """A process of the same command line, of whatever version is installed now."""

    def __init__(self, process: subprocess.Popen[bytes], channel: Channel) -> None:
        self._process = process
        self._channel = channel
        self.pid = process.pid

    @classmethod
    async def start(cls, sockets: Sockets, environment: Mapping[str, str], patience: float) -> Successor:
        """Start one with our sockets and wait until it accepts, `patience` seconds. Raises UpgradeError."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                # In no thread: a supervisor that has had one could not fork safely. It takes a millisecond.
                process = subprocess.Popen(  # noqa: ASYNC220
                    [sys.executable, *sys.orig_argv[1:]],
                    env={**os.environ, **environment, **sockets.testament(theirs)},
                    pass_fds=[*sockets.descriptors, theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                )
            except OSError as error:
                ours.close()
                raise UpgradeError(f"The successor cannot be started: {error}; nothing was changed") from None
        successor = cls(process, Channel(ours))
        try:
            async with asyncio.timeout(patience):
                await successor._expect("ready")
                await successor._say("go")
                await successor._expect("serving")
        except BaseException as error:
            await successor.abandon()
            if isinstance(error, TimeoutError):
                raise UpgradeError(
                    f"The successor was not ready after {patience:g} seconds; nothing was changed: "
                    "see what its plugins do in io_start"
                ) from None
            raise
        return successor

    async def lead(self) -> None:
        """Leave the service to it; it is silent until `let_speak`. Raises UpgradeError, with it ended."""
        try:
            await self._say("main")
        except UpgradeError:
            await self.abandon()
            raise

    def let_speak(self) -> None:
        """Have it tell systemd from now on."""
        self._channel.close()

    async def _say(self, word: str) -> None:
        try:
            await self._channel.say(word)
        except OSError:
            raise self._gone() from None

    async def _expect(self, word: str) -> None:
        if await self._channel.hear() != word:
            raise self._gone()

    def _gone(self) -> UpgradeError:
        return UpgradeError(
            "The successor ended before it could take over; nothing was changed: its reasons are in the log, "
            "and `ioto-server check` shows what is wrong with a configuration"
        )

    async def abandon(self) -> None:
        """Have it stop in order, end it where it does not in time, and go on without it."""
        self._channel.close()
        self._process.terminate()
        end = monotonic() + _TO_STOP
        try:
            # asyncio's own way to wait for a process may take a thread.
            while self._process.poll() is None and monotonic() < end:  # noqa: ASYNC110
                await asyncio.sleep(_TICK)
        finally:
            self._process.kill()
            self._process.wait()
