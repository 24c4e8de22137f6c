"""The core of a process: its configuration, its open WebSockets, all that is there once for everybody."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Coroutine
from contextvars import copy_context
from math import inf
from random import random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from typing import Protocol as TypingProtocol

import structlog
from structlog.typing import FilteringBoundLogger

from ioto_server.config import Config, Limits
from ioto_server.websocket.protocol import Protocol

from .clock import Clock
from .keepalive import KeepAlive
from .memory import Memory
from .own import Own
from .publication import Publication
from .topics import Topics, check_topic
from .turn import Turn

if TYPE_CHECKING:
    from .conversation import Conversation
    from .delivery import Delivery


class Owner(TypingProtocol):
    """Who runs an action in a task."""

    def task_done(self, task: asyncio.Task[None]) -> None:
        """The task has ended."""


class Core:
    """What the connections of a process have in common; plugins see it through a `Host` of their own.

    `clock.now` is the time of the timers, in seconds: it stands still while the loop is blocked, so that no
    peer is blamed for it.
    """

    def __init__(self, config: Config, clock: Clock) -> None:
        self.clock = clock
        # Bound once: a module's logger finds out anew each time how it is configured.
        self.log: FilteringBoundLogger = structlog.get_logger("ioto_server.websocket").bind()
        # The daemon's take fields as a dict; those of others as arguments, each of which is matched again.
        self._note = getattr(type(self.log), "note", None)
        self.memory = Memory(config.limits.memory)
        self.turn = Turn()
        self.configure(config)
        # Only a restart changes it, whatever a reload brings.
        self._divided = config.processes != 1
        self.topics = Topics()
        # A dict: a set takes up to four times the memory when it has just grown.
        self.websockets: dict[Conversation, None] = {}
        self.data = SimpleNamespace()
        self._tasks: set[asyncio.Task[Any]] = set()
        # Tasks of actions, each with who hears of its end. One callback for all, as a connection has one.
        self._actions: dict[asyncio.Task[Any], Owner] = {}
        self._action_done = self.action_done
        # Who has ended and was not told yet, and whether somebody is being told.
        self._ends: deque[Delivery] = deque()
        self._telling = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pings = 0
        self._numbers = 0

    def configure(self, config: Config) -> None:
        """Take up a configuration; WebSockets that are open keep the limits and timeouts they began with."""
        limits = config.limits
        self.config = config
        self._own: dict[Own, Config] = {}
        self.memory.limit = limits.memory
        # Stands in for the codec of a connection that is gone, so that nothing of that one is kept.
        self.spent_codec = _codec(limits)
        self.spent_codec.send_close(None, "", [])

    def note(self, event: str, fields: dict[str, Any]) -> None:
        """Write a line about a WebSocket to the log. `fields` are given away."""
        if self._note is None:
            self.log.info(event, **fields)
        else:
            self._note(self.log, event, fields)

    # ---- topics ---------------------------------------------------------------------------------------

    def publish(self, topic: str, message: str | bytes, retain: bool = False) -> int:
        """Send `message` to every subscriber of `topic`; see `Host.publish`."""
        self.check_topics()
        carrier = self.topics.carrier
        heard = self.hear(topic, message, retain)
        if carrier is not None:
            carrier.publish(topic, message, retain)
        return heard

    def forget(self, topic: str) -> None:
        """Retain nothing on `topic` any more."""
        self.check_topics()
        check_topic(topic)
        self.topics.retained.forget(topic)
        if self.topics.carrier is not None:
            self.topics.carrier.forget(topic)

    def hear(self, topic: str, message: str | bytes, retain: bool) -> int:
        """Deliver what was published, here or, as a carrier brings it, elsewhere; returns to how many."""
        subscribers = self.topics.subscribers(topic)
        publication = Publication(message, self.config.limits)
        if retain:
            self.topics.retained.keep(topic, publication, self.config.limits.memory)
        count = 0
        # Who is too slow for it hears so afterwards: what its callback publishes comes behind this message.
        telling, self._telling = self._telling, True
        try:
            for subscriber in subscribers:
                if subscriber.deliver(publication):
                    count += 1
        finally:
            self._telling = telling
        if self._ends and not telling:
            self._tell_ends()
        return count

    def hear_forget(self, topic: str) -> None:
        """Another process has had forgotten what is retained on `topic`."""
        self.topics.retained.forget(topic)

    def check_topics(self) -> None:
        """Raise RuntimeError where a topic would silently reach one worker of several."""
        if self._divided and self.topics.carrier is None:
            raise RuntimeError(
                f"Topics reach one process only, and workers is {self.config.workers!r}: set topics.broker, "
                "which carries them to all, or workers: 1"
            )

    # ---- ends -----------------------------------------------------------------------------------------

    def tell_end(self, one: Delivery) -> None:
        """Have the action of `one` told of its end: at once, or behind the ends that are being told.

        A callback that hears of one end may cause the next, by a message to whoever is too slow for it. Told
        from within, a thousand slow peers would be a thousand calls deep.
        """
        self._ends.append(one)
        if not self._telling:
            self._tell_ends()

    def _tell_ends(self) -> None:
        self._telling = True
        try:
            while self._ends:
                self._ends.popleft().tell_end()
        finally:
            self._telling = False

    # ---- the loop, and tasks ---------------------------------------------------------------------------

    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop of this process, which runs already: to ask asyncio costs a system call each time."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def create_task(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine in a task that is kept until it ends, and cancelled when the server stops."""
        task = self.loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def start_action(
        self, coroutine: Coroutine[Any, Any, None], name: str, owner: Owner
    ) -> asyncio.Task[None]:
        """Run an action in a task; `owner` hears of its end."""
        loop = self.loop()
        context = None
        if loop.get_task_factory() is None:
            # What the loop would do, but for a name that it makes up first, and a second context for the
            # callback.
            context = copy_context()
            task = asyncio.Task(coroutine, loop=loop, name=name, context=context)
        else:
            task = loop.create_task(coroutine, name=name)
        self._actions[task] = owner
        task.add_done_callback(self._action_done, context=context)
        return task

    def action_done(self, task: asyncio.Task[None]) -> None:
        """The task of an action has ended."""
        self._actions.pop(task).task_done(task)

    async def actions_done(self) -> None:
        """Wait until no action runs any more."""
        while self._actions:
            await asyncio.wait(self._actions)

    def is_own(self, task: asyncio.Task[Any]) -> bool:
        """Whether a task is an action's, or one that the server itself has begun."""
        return task in self._actions or task in self._tasks

    def cancel_tasks(self) -> list[asyncio.Task[Any]]:
        """Cancel what still runs; returns those tasks, for the caller to await."""
        tasks = [*self._actions, *self._tasks]
        for task in tasks:
            task.cancel()
        return tasks

    # ---- for connections ------------------------------------------------------------------------------

    def next_number(self) -> int:
        """A number for a WebSocket that no other of this process ever has."""
        self._numbers += 1
        return self._numbers

    def ping_payload(self) -> bytes:
        """A payload that no peer can guess ahead: a pong that carries it answers our ping."""
        self._pings += 1
        return self._pings.to_bytes(4, "big") + os.urandom(4)

    def config_of(self, own: Own | None) -> Config:
        """The configuration for the connections of an action that has `own` limits and timeouts."""
        if own is None:
            return self.config
        config = self._own.get(own)
        if config is None:
            config = self._own[own] = own.over(self.config)
        return config

    def keepalive(self, config: Config | None = None) -> KeepAlive:
        """Deadlines and pings for a WebSocket that opens now, by `config` where that is not everybody's."""
        config = config or self.config
        timeouts = config.timeouts
        return KeepAlive(
            inactivity=timeouts.inactivity,
            request=inf if timeouts.request is None else timeouts.request,
            ping=config.web_sockets.ping,
            pong=timeouts.pong,
            now=self.clock.now,
            phase=first_phase(),
        )


def first_phase() -> float:
    """When a connection pings first, as a part of `webSockets.ping`.

    Connections that open together (after a restart, say) must not ping together for ever.
    """
    return 0.5 + random() / 2


def _codec(limits: Limits) -> Protocol:
    return Protocol(
        max_message=limits.max_message, max_frame=limits.max_frame, max_fragments=limits.max_fragments
    )
