"""`connect` at a terminal: the main thread reads what is typed, a second one runs the connection."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from types import FrameType
from typing import Any, Final, TypeVar

from ioto_server.daemon.visible import visible
from ioto_server.websocket import Received

from .history import History
from .link import Incoming, Link, Target
from .screen import PROMPT, Screen
from .text import closed, for_terminal
from .typed import CommandError, Help, Message, Ping, parse

Result = TypeVar("Result")

# Seconds until a signal that has not ended the reading is sent again.
_AGAIN: Final = 0.05


class _Interrupted(Exception):
    """The connection has ended while a line was being typed."""


@dataclass(frozen=True, slots=True)
class Look:
    """How things are shown."""

    as_json: bool = False
    timings: bool = False
    verbose: bool = False


def run(target: Target, look: Look, opened: Callable[[Link, Screen], None]) -> bool:
    """Connect, and talk until one side closes; returns whether it ended in order.

    `opened` shows what was agreed. Raises ConnectError or Refused when no WebSocket comes about.
    """
    typing = _Typing()
    with typing.interruptible(), _Loop() as loop, History() as history:
        link = loop.call(Link.open(target))
        session = _Session(loop, link, typing, history, look)
        opened(link, session.screen)
        loop.begin(typing.watch())
        ended = loop.begin(session.receive())
        try:
            session.read_lines()
            ended.result()
        except BaseException:
            loop.call_soon(link.abort)
            raise
    assert link.end is not None
    return link.end.orderly


class _Typing:
    """The line that the main thread reads, and how the reading is ended: by Ctrl-C, or by another thread.

    `input` ends for a signal only, and misses one that comes just before it waits (as when a key is pressed
    while the one before is shown). So the thread of the connection sends SIGUSR1 until it has ended.
    """

    def __init__(self) -> None:
        self.is_going_on = False
        self.is_over = False
        self._main = threading.get_ident()
        self._signals, self._wakeup = socket.socketpair()
        self._signals.setblocking(False)
        self._wakeup.setblocking(False)

    def read(self) -> str:
        """Read a line; raises _Interrupted when `end` is called before it is entered."""
        self.is_going_on = True
        try:
            if self.is_over:
                raise _Interrupted
            return input(PROMPT)
        finally:
            self.is_going_on = False

    async def end(self) -> None:
        """Let no more be read: nothing can be sent any more."""
        self.is_over = True
        await self._interrupt()

    async def watch(self) -> None:
        """See to it that Ctrl-C ends the reading."""
        loop = asyncio.get_running_loop()
        while True:
            # A byte for each signal, written as it comes (signal.set_wakeup_fd).
            if signal.SIGINT in await loop.sock_recv(self._signals, 64):
                await self._interrupt()

    async def _interrupt(self) -> None:
        while self.is_going_on:
            signal.pthread_kill(self._main, signal.SIGUSR1)
            await asyncio.sleep(_AGAIN)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Have signals end the reading; this has to outlive every thread that sends one."""

        def stop_reading(_signal: int, _frame: FrameType | None) -> None:
            if self.is_going_on and self.is_over:
                raise _Interrupted

        before = signal.signal(signal.SIGUSR1, stop_reading)
        wakeup_before = signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup_before)
            signal.signal(signal.SIGUSR1, before)
            self._signals.close()
            self._wakeup.close()


class _Session:
    """One connection and the person who talks over it."""

    def __init__(self, loop: _Loop, link: Link, typing: _Typing, history: History, look: Look) -> None:
        self.screen = Screen(typing=lambda: history.typed if typing.is_going_on else None)
        self._loop = loop
        self._link = link
        self._history = history
        self._look = look
        self._typing = typing
        self._pings: dict[bytes, float] = {}

    # ---- in the thread of the connection --------------------------------------------------------------

    async def receive(self) -> None:
        """Show what comes, until the end; then end the reading too."""
        try:
            async for incoming in self._link:
                self._show(incoming)
            end = self._link.end
            assert end is not None
            text = closed(end.code, end.reason) + (f"; {end.error}" if end.error else "")
            self.screen.show("x", visible(text), "grey" if end.orderly else "red")
        finally:
            await self._typing.end()

    def _show(self, incoming: Incoming) -> None:
        screen = self.screen
        if incoming.kind == Received.MESSAGE:
            text = for_terminal(incoming.data, as_json=self._look.as_json)
            if self._look.timings:
                text = f"[{(incoming.time - self._link.sent_at) * 1000:.1f} ms] {text}"
            screen.show(screen.came, text, "green")
        elif incoming.kind == Received.PONG and isinstance(incoming.data, bytes):
            sent = self._pings.pop(incoming.data, None)
            took = f" after {(incoming.time - sent) * 1000:.1f} ms" if sent is not None else ""
            screen.show(screen.came, f"pong{took}")
        elif self._look.verbose:
            screen.show(screen.came, "ping, answered")

    # ---- in the main thread ---------------------------------------------------------------------------

    def read_lines(self) -> None:
        """Do what is typed, until the end; Ctrl-D and Ctrl-C close in order."""
        try:
            while not self._typing.is_over and not self._link.closing:
                self._do(self._typing.read())
        except (EOFError, KeyboardInterrupt):
            self.screen.say("")
            self._loop.call(self._link.close())
        except _Interrupted:
            self.screen.wipe()

    def _do(self, line: str) -> None:
        if not line:
            return
        screen = self.screen
        self._history.add(line)
        screen.wipe_typed(line)
        try:
            command = parse(line)
            if isinstance(command, Message):
                screen.show(screen.went, for_terminal(command.data, as_json=False), "cyan")
            elif isinstance(command, Ping):
                self._pings[command.payload] = monotonic()
            shown = self._loop.call(command.perform(self._link))
        except (CommandError, ValueError) as error:
            screen.show("!", visible(str(error)), "red")
            return
        if isinstance(command, Help):
            screen.say(shown)
        elif shown:
            screen.show(screen.went, visible(shown), "cyan")


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def begin(self, coroutine: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Run a coroutine there."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def call(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine there and wait for it."""
        return self.begin(coroutine).result()

    def call_soon(self, function: Callable[[], None]) -> None:
        """Call a function there."""
        self._loop.call_soon_threadsafe(function)

    def __enter__(self) -> _Loop:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.call(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others)
