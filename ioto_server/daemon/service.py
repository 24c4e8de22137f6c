"""One serving process, from the first turn of its loop to its exit code."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from ioto_server.plugins import PluginError
from ioto_server.server import Server, TlsContext
from ioto_server.session import Closed
from ioto_server.websocket import BUILD

from . import descriptors, logs
from .control import Answer, Command, CommandError, Control
from .operations import Operations
from .outcome import FAILED, MISUSED, OK, report_plugin
from .preflight import route_warnings
from .reload import Loader, Reloader
from .signals import StopOrders, on_signal
from .sockets import Sockets
from .status import Status
from .systemd import Systemd
from .upgrade import Predecessor, Successor, UpgradeError
from .watch import Watch

if TYPE_CHECKING:
    from .scrape import ScrapeServer

_log = structlog.get_logger("ioto_server")

# After an upgrade, who had connected to us before has this long to begin with a request, in seconds.
_GRACE: Final = 2.0


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that had to be made before the first connection may come."""

    server: Server
    sockets: Sockets
    tls: TlsContext | None
    load: Loader
    systemd: Systemd
    # The configuration's file, where it and the plugins are to be watched (`start --watch`).
    watched: Path | None = None


class Service:
    """Serves until it is told to stop, and does what an operator asks meanwhile."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._server = parts.server
        self._systemd = parts.systemd
        self._status = Status(parts.server)
        self._operations = Operations(parts.server, self._status)
        self._reloader = Reloader(parts.server, parts.load, parts.tls, self._status, parts.sockets)
        self._orders: StopOrders
        self._control: Control | None = None
        self._scraping: ScrapeServer | None = None
        self._successor: Successor | None = None
        self._upgrading = asyncio.Lock()

    async def run(self) -> int:
        """Start the plugins, accept until told to stop, stop; returns the exit code."""
        server, sockets = self._server, self._parts.sockets
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_log_unhandled)
        self._orders = StopOrders(loop)
        self._systemd.attend(loop, self._status.line)
        on_signal(loop, signal.SIGUSR1, logs.reopen)
        descriptors.Watch(loop)
        predecessor = Predecessor(sockets.channel)
        try:
            await server.plugins.start(server.host)
        except PluginError as error:
            sockets.close()
            report_plugin(error)
            return MISUSED
        for text in route_warnings(server.config, server.plugins):
            _log.warning("route", problem=text)
        if not await predecessor.let_us_accept():
            return await self._stand_down()
        await self._open(loop)
        if not await predecessor.let_us_lead():
            return await self._stand_down()
        sockets.own()
        self._systemd.ready(self._status.line())
        watching = self._begin_to_watch()
        code = await self._until_stopped(watching)
        await self._close_own()
        return code

    async def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Accept clients, then operators and their signals."""
        server, sockets = self._server, self._parts.sockets
        listeners = [listener for endpoint in server.config.listen for listener in sockets.at(endpoint)]
        await server.listening.open(listeners, self._parts.tls)
        await self._measure(loop)
        orders: dict[str, Command] = {"stop": self._stop, "reload": self._reload, "upgrade": self._upgrade}
        self._control = Control(
            sockets.control(server.config.control), {**self._operations.commands, **orders}
        )
        await self._control.open()
        on_signal(loop, signal.SIGHUP, lambda: server.host.create_task(_quietly(self._reload())))
        on_signal(loop, signal.SIGUSR2, lambda: server.host.create_task(_quietly(self._upgrade())))
        for listener in listeners:
            _log.info("listening", url=listener.url)
        _log.info(
            "ready",
            actions=len(server.plugins.prefixes),
            documents=str(server.config.documents),
            codec=BUILD,
            pid=os.getpid(),
        )

    async def _stand_down(self) -> int:
        """The predecessor goes on without us."""
        _log.warning("not needed", why="the predecessor gave this upgrade up, or is gone")
        await self._close_own()
        await self._server.stop(1012, "Service restart")
        self._parts.sockets.close()
        return FAILED

    async def _close_own(self) -> None:
        """Answer no operator and no scraper any more."""
        if self._control is not None:
            await self._control.close()
            self._control = None
        if self._scraping is not None:
            self._scraping.close()
            self._scraping = None

    async def _measure(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to count for Prometheus, where the configuration has metrics."""
        server = self._server
        if server.config.metrics is None:
            return
        from .metrics import MeteredServer, Metrics
        from .scrape import ScrapeServer

        metrics = Metrics(server, self._operations.roster)
        assert isinstance(server, MeteredServer)
        server.metrics = metrics
        logs.watch(metrics.watch)
        metrics.measure_lag(loop)
        listeners = self._parts.sockets.metrics(server.config.metrics.listen)
        self._scraping = ScrapeServer(listeners, server.config.metrics.path, metrics.text)
        await self._scraping.open()
        for listener in listeners:
            _log.info("metrics", url=f"{listener.url}{server.config.metrics.path}")

    def _begin_to_watch(self) -> asyncio.Task[None] | None:
        file = self._parts.watched
        if file is None:
            return None
        server = self._server
        watch = Watch(lambda: self._reloader.reload(quietly=True), lambda: server.config.actions, file)
        return server.host.create_task(watch.run())

    async def _until_stopped(self, watching: asyncio.Task[None] | None) -> int:
        server, orders = self._server, self._orders
        stopped_by = await orders.first
        if watching is not None:
            watching.cancel()
        _log.info("stopping", by=stopped_by, connections=server.connections)
        timeouts = server.config.timeouts
        if self._successor is None:
            self._systemd.stopping(timeouts.drain + 2 * timeouts.close)
            stopping = asyncio.ensure_future(server.stop(1001, "Server stopping"))
        else:
            stopping = asyncio.ensure_future(self._hand_over())
        await asyncio.wait((stopping, orders.second), return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            _log.warning("stopped at once", by=orders.second.result(), connections=server.connections)
            return FAILED
        stopping.result()
        _log.info("stopped")
        return OK

    async def _hand_over(self) -> None:
        """Accept no more, then drain: the successor has the sockets."""
        server = self._server
        server.listening.close(server.listening.endpoints)
        await self._close_own()
        # Who has just connected to us is served: a client must never see that there was an upgrade.
        await asyncio.sleep(min(server.config.timeouts.parse, _GRACE))
        await server.stop(1012, "Service restart")

    # ---- orders ---------------------------------------------------------------------------------------

    def _stop(self, _request: object) -> Answer:
        self._orders.stop("control socket")
        return {"pid": os.getpid(), "connections": self._server.connections}

    async def _reload(self, _request: object = None) -> Answer:
        self._systemd.reloading()
        try:
            return await self._reloader.reload()
        finally:
            # Refused or done, the service is ready as it was: systemd knows no other end of a reload.
            self._systemd.ready(self._status.line())

    async def _upgrade(self, _request: object = None) -> Answer:
        if self._upgrading.locked() or self._successor is not None or self._orders.first.done():
            raise CommandError("An upgrade or a stop is under way already: wait for its end")
        async with self._upgrading:
            _log.info("upgrading")
            try:
                successor = await Successor.start(self._parts.sockets, self._systemd.environment)
                if self._orders.first.done():
                    await successor.abandon()
                    raise UpgradeError("The server was told to stop meanwhile, and does: no upgrade")
                self._systemd.succeeded_by(successor.pid)
                await successor.lead()
            except UpgradeError as error:
                _log.error("upgrade failed", why=str(error))
                raise CommandError(str(error)) from None
            self._successor = successor
            self._parts.sockets.leave()
            self._systemd.retire()
            self._orders.stop("upgrade")
        return {"pid": successor.pid, "connections": self._server.connections}


async def _quietly(order: Awaitable[Answer]) -> None:
    """Carry out what a signal has ordered: the reasons of a refusal are in the log, nobody waits for them."""
    try:
        await order
    except CommandError:
        return


def _log_unhandled(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What nobody awaited or caught: into the log, where an operator looks.

    A plugin's own task may send until its WebSocket is gone: that is a quiet end there as in an action.
    """
    if isinstance(context.get("exception"), Closed):
        return
    _log.error("unhandled", what=context.get("message"), exc_info=context.get("exception"))
