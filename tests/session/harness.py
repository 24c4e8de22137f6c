"""A WebSocket without socket and without time: a link in memory, a clock that the test turns, a real peer.

The peer speaks through the codec in its client role, so both ends are real; only the kernel is played.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, ParamSpec

from structlog.testing import capture_logs

from ioto_server.config import Config
from ioto_server.session import Clock as TimersClock
from ioto_server.session import Core, Event, Link, WebSocket
from ioto_server.session.keepalive import KeepAlive
from ioto_server.websocket import Deflate, Opcode, Protocol, Received

Arguments = ParamSpec("Arguments")

UNLIMITED = 2**63 - 1
NEVER = float("inf")


def in_loop(
    test: Callable[Arguments, Coroutine[Any, Any, None]],
) -> Callable[Arguments, None]:
    """Run an async test in a loop of its own; nothing that it leaves behind goes unnoticed."""

    @functools.wraps(test)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        complaints: list[dict[str, Any]] = []

        async def watched() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
            await test(*args, **kwargs)
            await turns()

        asyncio.run(watched())
        assert not complaints

    return run


async def turns(count: int = 5) -> None:
    """Let everything run that is due: so many turns of the loop, and no time."""
    for _ in range(count):
        await asyncio.sleep(0)


class Clock(TimersClock):
    """A clock that stands still until the test turns it."""

    def __init__(self) -> None:
        super().__init__(1000.0)


class MemoryLink(Link):
    """The server's side of a stream whose kernel takes `room` bytes before it is full."""

    def __init__(self) -> None:
        self.websocket: WebSocket
        self.room = UNLIMITED
        self.writes: list[bytes] = []
        self.taken = bytearray()
        self.reading = True
        self.kept_back = 0
        self.finished = False
        self.lingering = False
        self.aborted = False
        self.due = NEVER
        self._waiting = bytearray()
        self._paused = False

    def write(self, parts: list[bytes], size: int) -> None:
        ended = self.finished or self.lingering or self.aborted
        assert not ended, "written after the end"
        assert sum(map(len, parts)) == size
        self.writes.append(b"".join(parts))
        self._waiting += self.writes[-1]
        self._move()
        if self._waiting and not self._paused:
            self._paused = True
            self.websocket.paused_writing()

    def take(self, count: int = UNLIMITED) -> None:
        """The peer reads: the kernel has room for `count` bytes more."""
        self.room = min(self.room + count, UNLIMITED)
        self._move()
        if not self._waiting and self._paused:
            self._paused = False
            self.websocket.resumed_writing()

    def _move(self) -> None:
        count = min(self.room, len(self._waiting))
        if self.room < UNLIMITED:
            self.room -= count
        self.taken += self._waiting[:count]
        del self._waiting[:count]

    def unsent(self) -> int:
        return len(self._waiting)

    def unread(self) -> int:
        return self.kept_back

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def finish(self) -> None:
        self.finished = True

    def linger(self) -> None:
        self.lingering = True

    def touch(self) -> None:
        self.due = self.websocket.next_at()

    def abort(self) -> None:
        self.aborted = True
        self._waiting.clear()


@dataclass
class Told:
    """What a callback was told, in order."""

    events: list[tuple[Event, Any]]

    def __call__(self, _ws: WebSocket, event: Event, data: Any, _arg: object) -> None:
        self.events.append((event, data))

    @property
    def names(self) -> list[str]:
        return [event.name for event, _ in self.events]

    @property
    def messages(self) -> list[Any]:
        return [data for event, data in self.events if event is Event.MESSAGE]


def make_host(**directives: Any) -> Core:
    """A host with a configuration of `section={directive: value}`, on a clock of its own."""
    return Core(Config.read(directives), Clock())


class Connection:
    """One open WebSocket, its link and its peer."""

    def __init__(
        self,
        host: Core | None = None,
        *,
        callback: Callable[..., Any] | None = None,
        keepalive: KeepAlive | None = None,
        stream: bool = False,
        drop_when_slow: bool = False,
        link: MemoryLink | None = None,
        deflate: Deflate | None = None,
        begin: bool = True,
    ) -> None:
        self.host = host or make_host()
        limits = self.host.config.limits
        self.link = link or MemoryLink()
        self.peer = Protocol(True, max_message=1 << 30, max_frame=1 << 30, max_fragments=1 << 30)
        self.ws = WebSocket(
            host=self.host,
            link=self.link,
            codec=Protocol(
                max_message=limits.max_message,
                max_frame=limits.max_frame,
                max_fragments=limits.max_fragments,
                stream=stream,
                deflate=deflate,
            ),
            keepalive=keepalive or self.host.keepalive(),
            protocol=None,
            path="/test",
            peer="192.0.2.1:50000",
            drop_when_slow=drop_when_slow,
        )
        self.link.websocket = self.ws
        self._seen = 0
        if callback is not None:
            self.ws.on_event(callback)
        if begin:
            self.ws.opened()
            self.link.touch()

    @property
    def clock(self) -> Clock:
        clock = self.host.clock
        assert isinstance(clock, Clock)
        return clock

    # What the peer does

    def frames(self, *messages: str | bytes) -> bytes:
        """Messages as the peer sends them."""
        out: list[bytes] = []
        for message in messages:
            opcode = Opcode.TEXT if isinstance(message, str) else Opcode.BINARY
            self.peer.send_message(opcode, message, out)
        return b"".join(out)

    def ping(self, payload: bytes = b"") -> bytes:
        out: list[bytes] = []
        self.peer.send_ping(payload, out)
        return b"".join(out)

    def pong(self, payload: bytes = b"") -> bytes:
        out: list[bytes] = []
        self.peer.send_pong(payload, out)
        return b"".join(out)

    def close(self, code: int | None = 1000, reason: str = "") -> bytes:
        out: list[bytes] = []
        self.peer.send_close(code, reason, out)
        return b"".join(out)

    def receive(self, *pieces: bytes) -> None:
        """The pieces arrive, in one read."""
        data = bytearray(b"".join(pieces))
        self.ws.received(data, len(data))
        # The server lends one buffer to everybody: nothing may be read from it later.
        data[:] = b"\xff" * len(data)

    # What the peer sees

    def seen(self) -> list[tuple[Any, ...]]:
        """What has arrived at the peer since the last time."""
        taken = bytes(self.link.taken)
        self.peer.receive(taken[self._seen :])
        self._seen = len(taken)
        events: list[tuple[Any, ...]] = []
        while (kind := self.peer.next_event()) != Received.NEED_DATA:
            if kind == Received.CLOSE:
                events.append(("close", self.peer.close_code, self.peer.close_reason))
            elif kind == Received.FAILED:
                events.append(("failed", str(self.peer.error)))
            else:
                events.append((kind.name.lower(), self.peer.data))
        return events

    # What the server does

    def turn(self, seconds: float) -> None:
        """Turn the clock in steps of a tenth; what is due is done, and what that sends leaves."""
        for _ in range(round(seconds * 10)):
            self.clock.now += 0.1
            if self.link.due <= self.clock.now:
                self.link.due = self.ws.expire(self.clock.now)
                if self.ws._outbox.corked:
                    self.ws.uncork()

    @property
    def outcome(self) -> tuple[str, int, str, bool]:
        """Cause, code, reason and whether the closing handshake was completed."""
        ending = self.ws.ending
        assert ending is not None
        return ending.cause.words, ending.code, ending.reason, ending.clean


async def result(awaitable: Awaitable[Any]) -> Any:
    """The result of what must not have to wait for anything but the loop."""
    task = asyncio.ensure_future(awaitable)
    await turns()
    assert task.done(), "it still waits"
    return task.result()


__all__ = ["NEVER", "UNLIMITED", "Clock", "Connection", "MemoryLink", "Told", "capture_logs", "in_loop"]
