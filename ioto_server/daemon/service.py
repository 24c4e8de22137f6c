"""One serving process, from the first turn of its loop to its exit code."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from ioto_server.plugins import PluginError
from ioto_server.server import Listener, Server, TlsContext
from ioto_server.websocket import BUILD

from . import descriptors, logs
from .control import Answer, CommandError, Control
from .operations import Operations
from .outcome import FAILED, MISUSED, OK, report_plugin
from .preflight import route_warnings
from .reload import Loader, Reloader
from .signals import StopOrders, on_hangup, on_user_signal
from .status import Status
from .systemd import Systemd

if TYPE_CHECKING:
    from .scrape import ScrapeServer

_log = structlog.get_logger("ioto_server")


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that had to be made before the first connection may come."""

    server: Server
    listeners: Sequence[Listener]
    scraped: Sequence[Listener]
    control: Listener
    tls: TlsContext | None
    load: Loader
    systemd: Systemd


def close_all(listeners: Sequence[Listener]) -> None:
    """Close sockets that nobody serves, and remove their files."""
    for listener in listeners:
        listener.socket.close()
        listener.remove()


class Service:
    """Serves until it is told to stop, and does what an operator asks meanwhile."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._server = parts.server
        self._systemd = parts.systemd
        self._status = Status(parts.server)
        self._operations = Operations(parts.server, self._status)
        self._reloader = Reloader(parts.server, parts.load, parts.tls, self._status)
        self._orders: StopOrders

    async def run(self) -> int:
        """Start the plugins, accept until told to stop, stop; returns the exit code."""
        server, parts = self._server, self._parts
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_log_unhandled)
        self._orders = StopOrders(loop)
        self._systemd.attend(loop, self._status.line)
        descriptors.Watch(loop)
        try:
            await server.plugins.start(server.host)
        except PluginError as error:
            await server.plugins.stop(server.host)
            close_all([*parts.listeners, *parts.scraped, parts.control])
            report_plugin(error)
            return MISUSED
        for text in route_warnings(server.config, server.plugins):
            _log.warning("route", problem=text)
        control = Control(
            parts.control, {**self._operations.commands, "stop": self._stop, "reload": self._reload}
        )
        on_user_signal(loop, logs.reopen)
        on_hangup(loop, lambda: server.host.create_task(self._reload_quietly()))
        await server.listening.open(parts.listeners, parts.tls)
        scraping = await self._measure(loop)
        await control.open()
        self._announce()
        code = await self._until_stopped()
        await control.close()
        if scraping is not None:
            scraping.close()
        return code

    async def _measure(self, loop: asyncio.AbstractEventLoop) -> ScrapeServer | None:
        """Begin to count for Prometheus, where the configuration has metrics."""
        server = self._server
        if server.config.metrics is None:
            return None
        from .metrics import MeteredServer, Metrics
        from .scrape import ScrapeServer

        metrics = Metrics(server, self._operations.roster)
        assert isinstance(server, MeteredServer)
        server.metrics = metrics
        logs.watch(metrics.watch)
        metrics.measure_lag(loop)
        scraping = ScrapeServer(self._parts.scraped, server.config.metrics.path, metrics.text)
        await scraping.open()
        for listener in self._parts.scraped:
            _log.info("metrics", url=f"{listener.url}{server.config.metrics.path}")
        return scraping

    def _announce(self) -> None:
        server = self._server
        for listener in self._parts.listeners:
            _log.info("listening", url=listener.url)
        _log.info(
            "ready",
            actions=len(server.plugins.prefixes),
            documents=str(server.config.documents),
            codec=BUILD,
            pid=os.getpid(),
        )
        self._systemd.ready(self._status.line())

    async def _until_stopped(self) -> int:
        server, orders = self._server, self._orders
        stopped_by = await orders.first
        _log.info("stopping", by=stopped_by, connections=server.connections)
        timeouts = server.config.timeouts
        self._systemd.stopping(timeouts.drain + 2 * timeouts.close)
        stopping = asyncio.ensure_future(server.stop(1001, "Server stopping"))
        await asyncio.wait((stopping, orders.second), return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            _log.warning("stopped at once", by=orders.second.result(), connections=server.connections)
            return FAILED
        stopping.result()
        _log.info("stopped")
        return OK

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

    async def _reload_quietly(self) -> None:
        try:
            await self._reload()
        except CommandError:
            # The reasons are in the log; a signal has nobody to answer to.
            return


def _log_unhandled(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What nobody awaited or caught: into the log, where an operator looks."""
    _log.error("unhandled", what=context.get("message"), exc_info=context.get("exception"))
