"""The host: what all actions of a process share."""

from __future__ import annotations

import asyncio
import os
import typing
from collections.abc import Callable, Coroutine
from math import inf
from random import random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ioto_server.config import Config, Limits
from ioto_server.websocket import Protocol

from .keepalive import KeepAlive
from .memory import Memory
from .publication import Publication
from .topics import Topics
from .turn import Turn

if TYPE_CHECKING:
    from .action import ActionFunction
    from .conversation import Conversation

# How an action gets bound by hand; the plugin registry listens here while io_start runs.
Binder = Callable[[str, "ActionFunction"], None]


class Clock(typing.Protocol):
    """What tells the time of the timers."""

    now: float


class Host:
    """One virtual host: its configuration, its topics, its open WebSockets and what actions share.

    `data` is a namespace of the authors' own. `clock.now` is the time of the timers, in seconds: it stands
    still while the loop is blocked, so that no peer is blamed for it.
    """

    def __init__(self, config: Config, clock: Clock) -> None:
        self.clock = clock
        self.memory = Memory(config.limits.memory)
        self.turn = Turn()
        self.configure(config)
        self.topics = Topics()
        self.websockets: set[Conversation] = set()
        self.data = SimpleNamespace()
        self.binder: Binder | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._actions: set[asyncio.Task[Any]] = set()
        self._pings = 0
        self._numbers = 0

    def configure(self, config: Config) -> None:
        """Take up a configuration; WebSockets that are open keep the limits and timeouts they began with."""
        limits = config.limits
        self.config = config
        self.memory.limit = limits.memory
        # Stands in for the codec of a connection that is gone, so that nothing of that one is kept.
        self.spent_codec = _codec(limits)
        self.spent_codec.send_close(None, "", [])

    def add_action(self, prefix: str, function: ActionFunction, role: str | None = None) -> None:
        """Bind `function` to the URLs below `prefix` (webAddAction); only while a plugin's `io_start` runs.

        Raises ValueError for a role other than 'public': authentication does not exist yet, and nothing is
        served less protected than its author asked for.
        """
        if role not in (None, "public"):
            raise ValueError(
                f"add_action({prefix!r}, role={role!r}): roles need authentication, which is not there yet; "
                "leave role out or make it 'public'"
            )
        if self.binder is None:
            raise RuntimeError(f"add_action({prefix!r}) was called outside io_start(host): call it there")
        self.binder(prefix, function)

    def publish(self, topic: str, message: str | bytes) -> int:
        """Send `message` to every subscriber of `topic`, framed once for all; returns how many there are.

        Raises RuntimeError with `workers` over 1 and no `topics.broker`: the other processes would not hear.
        """
        self.check_topics()
        subscribers = self.topics.subscribers(topic)
        publication = Publication(message, self.config.limits)
        count = 0
        for subscriber in subscribers:
            subscriber.deliver(publication)
            count += 1
        return count

    def check_topics(self) -> None:
        """Raise RuntimeError where a topic would silently reach one worker of several."""
        if self.config.workers != 1 and self.config.topics.broker is None:
            raise RuntimeError(
                f"Topics reach one process only, and workers is {self.config.workers!r}: "
                "set topics.broker in web.json5, or workers: 1"
            )

    def create_task(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine in a task that is kept until it ends, and cancelled when the server stops."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def start_action(
        self, coroutine: Coroutine[Any, Any, None], name: str, done: Callable[[asyncio.Task[None]], None]
    ) -> asyncio.Task[None]:
        """Run an action in a task; `done` is called with it at its end and passes it to `action_done`."""
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._actions.add(task)
        task.add_done_callback(done)
        return task

    def action_done(self, task: asyncio.Task[None]) -> None:
        """The task of an action has ended."""
        self._actions.discard(task)

    async def actions_done(self) -> None:
        """Wait until no action runs any more."""
        while self._actions:
            await asyncio.wait(self._actions)

    def cancel_tasks(self) -> list[asyncio.Task[Any]]:
        """Cancel what still runs; returns those tasks, for the caller to await."""
        tasks = [*self._actions, *self._tasks]
        for task in tasks:
            task.cancel()
        return tasks

    def next_number(self) -> int:
        """A number for a WebSocket that no other of this process ever has."""
        self._numbers += 1
        return self._numbers

    def ping_payload(self) -> bytes:
        """A payload that no peer can guess ahead: a pong that carries it answers our ping."""
        self._pings += 1
        return self._pings.to_bytes(4, "big") + os.urandom(4)

    def keepalive(self) -> KeepAlive:
        """Deadlines and pings for a WebSocket that opens now."""
        timeouts = self.config.timeouts
        return KeepAlive(
            inactivity=timeouts.inactivity,
            request=inf if timeouts.request is None else timeouts.request,
            ping=self.config.web_sockets.ping,
            pong=timeouts.pong,
            now=self.clock.now,
            # Connections that open together (after a restart, say) must not ping together for ever.
            phase=0.5 + random() / 2,
        )


def _codec(limits: Limits) -> Protocol:
    return Protocol(
        max_message=limits.max_message, max_frame=limits.max_frame, max_fragments=limits.max_fragments
    )
