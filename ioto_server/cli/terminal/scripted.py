"""`connect` in a pipe: lines of the input are sent, messages are printed, nothing else."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TextIO

from ioto_server.daemon.outcome import complain
from ioto_server.daemon.visible import visible
from ioto_server.websocket import Received

from .link import Link
from .text import closed, for_pipe
from .typed import Close, CommandError, Message, parse

_READ: Final = 64 * 1024
_ROUND_TRIPS: Final = 2


@dataclass(frozen=True, slots=True)
class Script:
    """How a connection is driven by its input.

    After the end of the input it is closed when `count` messages have come, or `wait` seconds have passed,
    whichever is first; with neither, when the server has answered what it answers at once.
    """

    count: int | None = None
    wait: float | None = None
    commands: bool = False
    as_json: bool = False
    timings: bool = False


class InputError(Exception):
    """The input cannot be sent."""


async def run(link: Link, script: Script, output: TextIO = sys.stdout) -> bool:
    """Drive a connection to its end; returns whether all went as it should.

    What did not is said on stderr.
    """
    runner = _Runner(link, script, output)
    sending = asyncio.create_task(runner.send_input())
    try:
        async for incoming in link:
            if incoming.kind == Received.MESSAGE:
                await runner.print_message(incoming.data, incoming.time)
            elif incoming.kind == Received.PONG:
                runner.ponged.set()
    except asyncio.CancelledError:
        # Ctrl-C: the server is told that we leave, its answer is not waited for.
        await link.close(1001, "")
        raise
    finally:
        sending.cancel()
        await asyncio.wait([sending])
    if not sending.cancelled() and (error := sending.exception()) is not None:
        raise error
    return runner.report()


class _Runner:
    def __init__(self, link: Link, script: Script, output: TextIO) -> None:
        self._link = link
        self._script = script
        self._output = output
        self._received = 0
        self._enough = asyncio.Event()
        self._complaint = ""
        #: Set when a pong has come.
        self.ponged = asyncio.Event()

    async def send_input(self) -> None:
        """Send every line, then close when the script says so."""
        link, script = self._link, self._script
        try:
            async for line in _lines(sys.stdin.fileno(), link.target.max_message):
                if link.closing:
                    return
                command = parse(line) if script.commands else Message(line)
                if isinstance(command, Close):
                    await self._await_answers()
                await command.perform(link)
        except (InputError, CommandError, ValueError) as error:
            self._complaint = str(error)
            await self._await_answers()
            await link.close()
            return
        if script.count is None and script.wait is None:
            await self._await_answers()
        else:
            with suppress(TimeoutError):
                async with asyncio.timeout(script.wait):
                    await self._enough.wait()
        await link.close()

    async def _await_answers(self) -> None:
        """Wait until the server has seen all that was sent, and its action had a turn to answer.

        A pong comes behind whatever was answered before its ping (RFC 6455, 5.5.3); an action that runs in a
        task of its own answers before a second one. Behind our Close, answers would be discarded.
        """
        link = self._link
        with suppress(TimeoutError):
            async with asyncio.timeout(link.target.timeout):
                for _ in range(_ROUND_TRIPS):
                    self.ponged.clear()
                    if link.closing:
                        return
                    await link.ping(b"")
                    await self.ponged.wait()

    async def print_message(self, data: str | bytes, time: float) -> None:
        """Print a message; the last one that was asked for is followed by our Close."""
        script = self._script
        if script.count is not None and self._received >= script.count:
            return
        self._received += 1
        text = for_pipe(data, as_json=script.as_json)
        if self._output.isatty():
            # The input is a pipe, but a person reads the output.
            text = visible(text)
        if script.timings:
            text = f"{(time - self._link.sent_at) * 1000:.1f} ms\t{text}"
        try:
            self._output.write(f"{text}\n")
            self._output.flush()
        except BrokenPipeError:
            # Whoever read this has seen enough, as `head` does.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            await self._link.close()
        if self._received == script.count:
            self._enough.set()
            await self._link.close()

    def report(self) -> bool:
        """Say what went wrong, if anything did."""
        end, count = self._link.end, self._script.count
        assert end is not None
        if not self._complaint and not end.orderly:
            self._complaint = closed(end.code, end.reason) + (f"; {end.error}" if end.error else "")
        if not self._complaint and count is not None and self._received < count:
            self._complaint = f"{self._received} of {count} messages came; {closed(end.code, end.reason)}"
        if self._complaint:
            complain(self._complaint)
        return not self._complaint


async def _lines(descriptor: int, longest: int) -> AsyncIterator[str]:
    """The lines of the input, each read when the one before was sent. Raises InputError."""
    held = bytearray()
    number = 0
    while data := await _read(descriptor):
        held += data
        if b"\n" in data:
            *complete, rest = bytes(held).split(b"\n")
            held = bytearray(rest)
            for line in complete:
                number += 1
                yield _decode(line, number)
        if len(held) > longest:
            raise InputError(f"Line {number + 1} of the input is over --max-message ({longest} bytes)")
    if held:
        yield _decode(bytes(held), number + 1)


def _decode(line: bytes, number: int) -> str:
    try:
        return line.removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        raise InputError(
            f"Line {number} of the input is not UTF-8: send bytes with --commands and /binary HEX"
        ) from None


async def _read(descriptor: int) -> bytes:
    """Some bytes of the input, none at its end."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def is_ready() -> None:
        if not ready.done():
            ready.set_result(None)

    try:
        loop.add_reader(descriptor, is_ready)
    except PermissionError:
        # A file, which never makes anybody wait.
        return os.read(descriptor, _READ)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)
    return os.read(descriptor, _READ)
