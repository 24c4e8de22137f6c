"""The real server on a loop of its own, with connections in memory instead of sockets."""

from __future__ import annotations

import asyncio
from asyncio import BufferedProtocol
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar, cast

from ioto_server.config import Config
from ioto_server.plugins import Plugins
from ioto_server.server import Server as RealServer
from ioto_server.server.exchange import Exchange
from ioto_server.server.http_connection import HttpConnection
from ioto_server.server.wheel import Wheel
from ioto_server.session import Host

from .failures import Leaked, TimedOut, describe_task
from .journal import Journal
from .loop import Loop
from .peer import Peer
from .transport import MemoryTransport

Result = TypeVar("Result")

# Seconds that a stop may take, when all clients have gone.
_STOP: Final = 5.0

# Seconds of the test's clock that actions have to end in a stop, if timeouts.drain is not shorter.
_DRAIN: Final = 3600.0

_PORT: Final = 4100
_FIRST_CLIENT_PORT: Final = 50_000

#: What a client in memory names as Host.
AUTHORITY: Final = f"localhost:{_PORT}"


class _Wheel(Wheel):
    """The server's timers, on the clock of the test."""

    def __init__(self, loop: Loop) -> None:
        super().__init__(loop.time)
        self._loop = loop

    def resume(self, clock: float) -> None:
        super().resume(self._loop.time)

    def turn(self, clock: float) -> None:
        super().turn(self._loop.time)


class _Server(RealServer):
    """The server, which also remembers what each connection asked for."""

    def __init__(self, config: Config, plugins: Plugins, loop: Loop) -> None:
        super().__init__(config, plugins, _Wheel(loop))
        self.exchanges: dict[HttpConnection, Exchange] = {}

    def handle(self, connection: HttpConnection, exchange: Exchange) -> None:
        self.exchanges[connection] = exchange
        super().handle(connection, exchange)


class Connection:
    """One connection in memory: the client's `peer`, and what the server does for it."""

    def __init__(self, server: _Server, peer: Peer, served: HttpConnection) -> None:
        self.peer = peer
        self._server = server
        self._served = served

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The task of the action that was called, if one was."""
        exchange = self._server.exchanges.get(self._served)
        return exchange.task if exchange is not None else None

    def where(self) -> str:
        """Where the action stands, for a message about what it did not do."""
        exchange = self._server.exchanges.get(self._served)
        if exchange is None:
            return "the request did not reach an action"
        found = self._server.plugins.find(exchange.request.path)
        action = (
            f"the action at {found[1].where}" if found is not None else "no action is bound there, and it"
        )
        if exchange.task is None or exchange.task.done():
            return f"{action} has returned"
        return f"{action} waits in {describe_task(exchange.task)}"


class Engine:
    """A server that is running whenever the test waits for it."""

    def __init__(self, config: Config, plugins: Plugins, timeout: float) -> None:
        self.loop = Loop()
        self.journal = Journal(self.loop)
        self.timeout = timeout
        self._config = config
        self._plugins = plugins
        self._server: _Server
        self._clients = 0

    @property
    def server(self) -> RealServer:
        """The server itself."""
        return self._server

    def start(self) -> None:
        """Start the plugins. Raises PluginError where an `io_start` fails."""
        self.journal.open()
        try:
            self._server = _Server(self._config, self._plugins, self.loop)
            #: The host, as the test sees it: what it begins there is the test's own.
            self.host = Host(self._server.host, "the test")
            self.run(self._plugins.start(self._server.host), "io_start did not return")
        except BaseException:
            self.journal.close()
            self.loop.close()
            raise

    def connect(self, peer: Peer) -> Connection:
        """Open a connection."""
        served = HttpConnection(self._server, "http")
        self._clients += 1
        addresses = {
            "peername": ("127.0.0.1", _FIRST_CLIENT_PORT + self._clients),
            "sockname": ("127.0.0.1", _PORT),
        }
        loop = self.loop.asyncio_loop
        peer.transport = MemoryTransport(loop, cast(BufferedProtocol, served), peer, addresses)
        loop.call_soon(peer.transport.open)
        return Connection(self._server, peer, served)

    def run(
        self,
        awaitable: Awaitable[Result],
        late: str,
        *,
        timeout: float | None = None,
        where: Callable[[], str] | None = None,
    ) -> Result:
        """Run until something is done; raises TimedOut, saying `late`, when that takes too long."""
        __tracebackhide__ = True
        limit = self.timeout if timeout is None else timeout
        try:
            return self.loop.run(awaitable, limit)
        except TimeoutError:
            # What an action raised says more than what did not come because of it.
            self.raise_failures()
            reason = f"; {where()}" if where is not None else ""
            raise TimedOut(f"{late} within {limit:g} s{reason}") from None

    def settle(self) -> None:
        """Let everything happen that can happen now; then raise what actions have raised."""
        __tracebackhide__ = True
        try:
            self.loop.settle(self.timeout)
        except TimeoutError:
            raise TimedOut(
                f"The actions did not come to rest within {self.timeout:g} s: one of them never waits"
            ) from None
        self.raise_failures()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        __tracebackhide__ = True
        try:
            self.loop.advance(seconds, self.timeout)
        except TimeoutError:
            raise TimedOut(
                f"{seconds:g} seconds of the server's time took over {self.timeout:g} s: advance by less, "
                "or give a longer timeout"
            ) from None
        self.raise_failures()

    def raise_failures(self) -> None:
        """Raise what actions have raised since the last time; the test is told of each once."""
        __tracebackhide__ = True
        failures = self.journal.take_failures()
        if failures:
            first, *others = failures
            for other in others:
                first.add_note(str(other))
            raise first

    def stop(self) -> None:
        """Stop everything, in order. Raises ActionFailed, TimedOut or Leaked for what is not."""
        __tracebackhide__ = True
        try:
            self._stop_server()
            self.raise_failures()
            self._check_tasks()
        finally:
            self.journal.close()
            self.loop.close()

    def _stop_server(self) -> None:
        """Stop the server; what it would wait for, it waits for on the clock of the test."""
        __tracebackhide__ = True
        # However short a test's own waits are: this one is for the server.
        limit = max(self.timeout, _STOP)
        stopping = self.loop.begin(self._stop_all())
        self.loop.settle(limit)
        if not stopping.done():
            timeouts = self._config.timeouts
            self.loop.advance(min(timeouts.drain, _DRAIN) + timeouts.close, limit)
        self.run(stopping, "The server did not stop", timeout=limit)
        self.loop.settle(limit)

    async def _stop_all(self) -> None:
        await self.host.stop_tasks(self._config.timeouts.close)
        await self._server.stop(1001, "Server stopping")

    def _check_tasks(self) -> None:
        __tracebackhide__ = True
        left = asyncio.all_tasks(self.loop.asyncio_loop)
        if left:
            begun = self.loop.begun
            tasks = "\n".join(f"  {describe_task(task)}, begun at {begun[task]}" for task in left)
            raise Leaked(
                f"{len(left)} task(s) were left behind when the server had stopped:\n{tasks}\n"
                "  begin them with web.host.spawn(), which ends them, or cancel them yourself"
            )
