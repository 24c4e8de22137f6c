"""One of several processes that serve: it does what its supervisor says, and ends with it."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from ioto_server.config import Config, Endpoint
from ioto_server.plugins import BeingSaved, PluginError, Plugins
from ioto_server.server import Listener, ListenError, TlsContext, TlsError
from ioto_server.server.listening import Listening

from . import logs
from .control import CommandError
from .engine import StartError
from .line import Line, Message
from .outcome import FAILED, MISUSED, OK, unusable
from .process import Process, make_server
from .renewal import Opener
from .runner import run_to_the_end
from .service import log_unhandled

_log = structlog.get_logger("ioto_server.worker")


@dataclass(frozen=True, slots=True)
class Adopted(Listener):
    """A listener that the supervisor keeps open: we accept at it, its file is not ours to remove."""

    def remove(self) -> None:
        """Leave the file of a unix socket where it is."""


@dataclass(frozen=True, slots=True)
class Post:
    """What a worker is forked with. `place` counts from 1; `serial` is never given to another worker."""

    place: int
    serial: int
    config: Config
    tls: TlsContext | None
    listeners: Sequence[Listener]


@dataclass(slots=True)
class _Order:
    """A request of the supervisor's."""

    message: Message
    config: Config | None
    listeners: list[Listener]


class _Passed(Opener):
    """The sockets of new endpoints, which came along with an order."""

    def __init__(self) -> None:
        self.listeners: Sequence[Listener] = ()

    def open(self, endpoint: Endpoint) -> Sequence[Listener]:
        return [one for one in self.listeners if one.endpoint == endpoint]

    def forget(self, endpoints: Iterable[Endpoint]) -> None:
        pass


def pack(config: Config) -> bytes:
    """A configuration for `Line.send`."""
    return pickle.dumps(config)


def work(post: Post, connection: socket.socket) -> int:
    """Be a worker until the supervisor says otherwise; returns the exit code."""
    logs.watch(lambda _logger, _method, line: {**line, "worker": post.place})
    return run_to_the_end(Worker(post, connection).run())


class Worker:
    """Carries out the supervisor's orders, each in a task of its own."""

    def __init__(self, post: Post, connection: socket.socket) -> None:
        self._post = post
        self._connection = connection
        self._passed = _Passed()
        self._line: Line
        self._process: Process | None = None
        # A start or a preparation that is under way.
        self._begun: asyncio.Task[Any] | None = None
        # The sockets of workers that are down, at which we accept as well, by the place of each.
        self._deputised: dict[int, Listening] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: asyncio.Future[int]
        self._orders: dict[str, Callable[[_Order], Awaitable[Message | None]]] = {
            "start": self._start,
            "accept": self._accept,
            "pulse": self._report,
            "reopen": self._reopen,
            "level": self._level,
            "metrics": self._metrics,
            "prepare": self._prepare,
            "commit": self._commit,
            "abort": self._abort,
            "deputise": self._deputise,
            "relieve": self._relieve,
            "leave": self._leave,
            "stop": self._stop,
        }

    async def run(self) -> int:
        """Listen to the supervisor until it says stop; returns the exit code."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(log_unhandled)
        # Before it ends us, where the loop does not turn (Hand.end).
        signal.signal(signal.SIGTERM, lambda _number, _frame: logs.flush())
        self._ended = loop.create_future()
        self._line = Line(self._connection, self._hear, self._orphaned)
        return await self._ended

    def _orphaned(self) -> None:
        """The supervisor is gone: nobody could stop us any more, or take our place."""
        _log.error("supervisor gone", pid=os.getpid())
        sys.stdout.flush()
        os._exit(FAILED)

    def _hear(self, message: Message, data: bytes, sockets: list[socket.socket]) -> None:
        # It comes from our own supervisor, over a socket that no one else has.
        config: Config | None = pickle.loads(data) if data else None  # noqa: S301
        endpoints = (self.process.config if config is None else config).listen if sockets else ()
        places = message.get("endpoints", ())
        order = _Order(
            message,
            config,
            [Adopted(endpoints[place], one) for place, one in zip(places, sockets, strict=True)],
        )
        task = asyncio.get_running_loop().create_task(self._carry_out(order))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, order: _Order) -> None:
        command = order.message["command"]
        try:
            if command in self._orders:
                answer = await self._orders[command](order) or {}
            else:
                told = self.process.commands[command](order.message)
                answer = await told if isinstance(told, Awaitable) else told
        except (StartError, PluginError, TlsError, ListenError, CommandError, OSError) as error:
            answer = {
                "refused": str(error),
                "trace": getattr(error, "trace", ""),
                "code": getattr(error, "code", FAILED),
            }
        except BeingSaved as error:
            answer = {"refused": str(error), "saving": str(error.file)}
        self._line.send({"number": order.message["number"], **answer})

    @property
    def process(self) -> Process:
        """What serves here, from the order to start on."""
        assert self._process is not None
        return self._process

    # ---- life -----------------------------------------------------------------------------------------

    async def _start(self, order: _Order) -> None:
        post = self._post
        try:
            plugins = Plugins.load(post.config.actions)
        except PluginError as error:
            raise StartError(unusable(error), error.trace, MISUSED) from error
        server = make_server(post.config, plugins)
        self._process = process = Process(
            server, post.tls, self._passed, lambda: post.listeners, f"{post.serial}-", self._note
        )
        if post.config.metrics is not None:
            process.measure()
        with self._can_be_given_up():
            await process.start()
        if order.message["warn"]:
            process.warn_of_routes()

    def _note(self, what: str) -> None:
        self._line.send({"waits_for": what})

    @contextmanager
    def _can_be_given_up(self) -> Iterator[None]:
        """Let `_give_up` cancel what is done in here."""
        self._begun = asyncio.current_task()
        try:
            yield
        finally:
            self._begun = None

    async def _give_up(self) -> None:
        if self._begun is not None:
            begun = self._begun
            begun.cancel()
            await asyncio.wait((begun,))

    async def _accept(self, order: _Order) -> Message:
        await self.process.accept()
        return await self._report(order)

    async def _leave(self, _order: _Order) -> None:
        for place in list(self._deputised):
            self._close(place)
        await self.process.leave()

    async def _stop(self, order: _Order) -> None:
        await self._give_up()
        if self._process is not None:
            await self._leave(order)
            await self._process.stop(order.message["code"], order.message["reason"])
        # The answer is this process's end.
        self._ended.set_result(OK)

    async def _deputise(self, order: _Order) -> None:
        place = order.message["place"]
        if place not in self._deputised:
            self._deputised[place] = self.process.server.listening.beside()
            await self._deputised[place].open(order.listeners, self.process.tls)

    async def _relieve(self, order: _Order) -> None:
        self._close(order.message["place"])

    def _close(self, place: int) -> None:
        listening = self._deputised.pop(place, None)
        if listening is not None:
            listening.close(listening.endpoints)

    # ---- questions ------------------------------------------------------------------------------------

    async def _report(self, _order: _Order) -> Message:
        return await self.process.report()

    async def _metrics(self, _order: _Order) -> Message:
        return {"families": self.process.families()}

    async def _reopen(self, _order: _Order) -> None:
        self.process.reopen_log()

    async def _level(self, order: _Order) -> None:
        # The supervisor has logged it.
        logs.set_level(order.message["level"])

    # ---- reload ---------------------------------------------------------------------------------------

    async def _prepare(self, order: _Order) -> Message:
        assert order.config is not None
        self._passed.listeners = order.listeners
        with self._can_be_given_up():
            return await self.process.prepare(order.config, order.message["while_saving"])

    async def _commit(self, _order: _Order) -> None:
        await self.process.commit()

    async def _abort(self, _order: _Order) -> None:
        await self._give_up()
        await self.process.abort()
