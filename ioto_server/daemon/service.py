"""One serving program, from the first turn of its loop to its exit code."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import structlog

from ioto_server.session import Closed
from ioto_server.websocket import BUILD

from .control import Answer, Command, CommandError, Control
from .engine import Engine, StartError
from .outcome import FAILED, OK, report
from .reload import Loader, Reloader
from .signals import Signals
from .sockets import Sockets
from .systemd import Systemd
from .upgrade import Predecessor, Successor, UpgradeError
from .watch import Watch

if TYPE_CHECKING:
    from .scrape import ScrapeServer

_log = structlog.get_logger("ioto_server")

T = TypeVar("T")

# After an upgrade, who had connected to us before has this long to begin with a request, in seconds.
_GRACE: Final = 2.0


# A start that takes longer is named in the log, with what it waits for, in seconds.
_LONG_START: Final = 5.0

# What a successor gets beyond what a start may take here, in seconds: it may be another version.
_FOR_SUCCESSOR: Final = 30.0


class _StoppedEarly(Exception):
    """Told to stop before anybody was served; `at_once` is by a second order."""

    def __init__(self, *, at_once: bool) -> None:
        super().__init__()
        self.at_once = at_once


class Parts(NamedTuple):
    """Everything that had to be made before the first connection may come."""

    engine: Engine
    sockets: Sockets
    load: Loader
    systemd: Systemd
    signals: Signals
    # The configuration's file, and whether it and the plugins are to be watched (`start --watch`).
    file: Path
    watched: bool = False


class Service:
    """Has an engine serve until it is told to stop, and does what an operator asks meanwhile."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._engine = parts.engine
        self._systemd = parts.systemd
        self._file = os.path.realpath(parts.file)
        self._reloader = Reloader(parts.engine, parts.load)
        self._signals = parts.signals
        self._tasks: set[asyncio.Task[None]] = set()
        self._control: Control | None = None
        self._scraping: ScrapeServer | None = None
        self._successor: Successor | None = None
        self._upgrading = asyncio.Lock()
        # How many were ordered and are not done.
        self._reloads = 0

    async def run(self) -> int:
        """Start what serves, accept until told to stop, stop; returns the exit code."""
        engine, sockets = self._engine, self._parts.sockets
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(log_unhandled)
        self._signals.attend(loop)
        self._systemd.attend(loop, engine.line, engine.healthy)
        if sockets.channel is None:
            # A successor is no service yet, and systemd listens to none but that.
            self._systemd.starting(engine.longest_start)
        predecessor = Predecessor(sockets.channel)
        started = False
        try:
            await self._unless_stopped(engine.start())
            started = True
            may_accept = await self._unless_stopped(predecessor.let_us_accept())
        except StartError as error:
            sockets.close()
            report(str(error), error.trace)
            return error.code
        except _StoppedEarly as early:
            if started:
                await self._give_up_and_stop()
            sockets.close()
            return FAILED if early.at_once else OK
        if not may_accept:
            return await self._stand_down()
        try:
            await self._open()
        except StartError as error:
            await self._close_own()
            sockets.close()
            report(str(error), error.trace)
            return error.code
        if not await predecessor.let_us_lead():
            return await self._stand_down()
        sockets.own()
        self._systemd.ready(engine.line())
        self._obey()
        watching = self._begin_to_watch()
        code = await self._until_stopped(watching)
        await self._close_own()
        return code

    async def _unless_stopped(self, step: Coroutine[Any, Any, T]) -> T:
        """Do a step of the start. Raises _StoppedEarly where we are told to stop: that is not waited with."""
        first = self._signals.first
        doing = asyncio.ensure_future(step)
        await asyncio.wait((doing, first), timeout=_LONG_START, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done() and not first.done():
            _log.warning("still starting", waits_for=self._waits_for)
            await asyncio.wait((doing, first), return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        _log.warning("stopped before it was ready", by=first.result(), waited_for=self._waits_for)
        if self._parts.sockets.channel is None:
            self._systemd.stopping(self._engine.longest_stop)
        doing.cancel()
        ended, _ = await asyncio.wait((doing, self._signals.second), return_when=asyncio.FIRST_COMPLETED)
        if doing.done() and not doing.cancelled():
            doing.exception()
        raise _StoppedEarly(at_once=doing not in ended)

    @property
    def _waits_for(self) -> str:
        return self._engine.waits_for or "the predecessor"

    async def _open(self) -> None:
        """Accept clients, then operators. Raises StartError."""
        engine, sockets = self._engine, self._parts.sockets
        config = engine.config
        await engine.accept()
        await self._measure()
        orders: dict[str, Command] = {
            "status": self._status,
            "stop": self._stop,
            "reload": self._reload,
            "upgrade": self._upgrade,
        }
        self._control = Control(sockets.control(config.control), {**engine.commands, **orders})
        await self._control.open()
        found = await engine.report()
        for url in found["listening"]:
            _log.info("listening", url=url)
        _log.info(
            "ready",
            actions=found["actions"],
            documents=str(config.documents),
            codec=BUILD,
            pid=os.getpid(),
        )

    def _obey(self) -> None:
        """Carry out what signals order."""
        self._signals.obey(
            {
                signal.SIGHUP: lambda: self._carry_out(self._reload()),
                signal.SIGUSR1: self._engine.reopen_log,
                signal.SIGUSR2: lambda: self._carry_out(self._upgrade()),
            }
        )

    def _carry_out(self, order: Awaitable[Answer]) -> None:
        """Do what a signal has ordered."""
        task = asyncio.get_running_loop().create_task(_quietly(order))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stand_down(self) -> int:
        """The predecessor goes on without us."""
        _log.warning("not needed", why="the predecessor gave this upgrade up, or is gone")
        await self._close_own()
        await self._engine.stop(1012, "Service restart")
        self._parts.sockets.close()
        return FAILED

    async def _close_own(self) -> None:
        """Answer no operator and no scraper any more, and do nothing more for either."""
        if self._control is not None:
            await self._control.close()
            self._control = None
        if self._scraping is not None:
            self._scraping.close()
            self._scraping = None

    async def _measure(self) -> None:
        """Begin to count for Prometheus, where the configuration has metrics."""
        settings = self._engine.config.metrics
        if settings is None:
            return
        from .scrape import ScrapeServer

        self._engine.measure()
        listeners = self._parts.sockets.metrics(settings.listen)
        self._scraping = ScrapeServer(
            listeners, settings.path, self._engine.metrics, lambda: self._engine.config
        )
        await self._scraping.open()
        for listener in listeners:
            _log.info("metrics", url=f"{listener.url}{settings.path}")

    def _begin_to_watch(self) -> asyncio.Task[None] | None:
        if not self._parts.watched:
            return None
        engine, file = self._engine, self._parts.file
        watch = Watch(lambda: self._reloader.reload(quietly=True), lambda: engine.config.actions, file)
        return asyncio.get_running_loop().create_task(watch.run())

    async def _until_stopped(self, watching: asyncio.Task[None] | None) -> int:
        engine, orders = self._engine, self._signals
        stopped_by = await orders.first
        if watching is not None:
            watching.cancel()
            await asyncio.wait((watching,))
        _log.info("stopping", by=stopped_by, connections=engine.connections)
        if self._successor is None:
            self._systemd.stopping(engine.longest_stop)
            stopping = asyncio.ensure_future(self._give_up_and_stop())
        else:
            stopping = asyncio.ensure_future(self._hand_over())
        await asyncio.wait((stopping, orders.second), return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            _log.warning("stopped at once", by=orders.second.result(), connections=engine.connections)
            await engine.break_off()
            return FAILED
        stopping.result()
        await self._let_go_of_orders()
        _log.info("stopped")
        return OK

    async def _give_up_and_stop(self) -> None:
        await self._reloader.give_up()
        await self._engine.stop(1001, "Server stopping")
        # A successor that had begun to start has been told to stop, too.
        async with self._upgrading:
            pass

    async def _let_go_of_orders(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _hand_over(self) -> None:
        """Accept no more, then drain: the successor has the sockets."""
        await self._engine.leave()
        await self._close_own()
        # Who has just connected to us is served: a client must never see that there was an upgrade.
        await asyncio.sleep(min(self._engine.config.timeouts.parse, _GRACE))
        await self._engine.stop(1012, "Service restart")

    # ---- orders ---------------------------------------------------------------------------------------

    async def _status(self, _request: object) -> Answer:
        found = await self._engine.report()
        return {
            **found,
            "config": self._file,
            "reloads": self._reloader.reloads,
            "last_reload": self._reloader.last,
        }

    def _stop(self, _request: object) -> Answer:
        self._signals.stop("control socket")
        return {"pid": os.getpid(), "connections": self._engine.connections}

    async def _reload(self, _request: object = None) -> Answer:
        if self._upgrading.locked() or self._successor is not None:
            raise self._reloader.refuse(
                "An upgrade is under way, and the successor reads everything anew: reload it when it serves"
            )
        if self._signals.first.done():
            raise self._reloader.refuse(
                "The server is stopping: what has changed is taken up by its next start"
            )
        self._systemd.reloading()
        self._reloads += 1
        try:
            return await self._reloader.reload()
        finally:
            self._reloads -= 1
            if not self._reloads:
                # Refused or done, the service is ready as it was: systemd knows no other end of a reload.
                self._systemd.ready(self._engine.line())

    async def _upgrade(self, _request: object = None) -> Answer:
        if self._upgrading.locked() or self._successor is not None:
            raise _no_upgrade("An upgrade is under way already: wait for its end")
        if self._signals.first.done():
            raise _no_upgrade("The server is stopping: start it again instead")
        if self._reloader.busy:
            raise _no_upgrade("A reload is under way: wait for its end, then upgrade")
        async with self._upgrading:
            _log.info("upgrading")
            try:
                successor = await self._start_successor()
                await successor.lead()
            except UpgradeError as error:
                _log.error("upgrade failed", why=str(error))
                raise CommandError(str(error)) from None
            self._successor = successor
            self._parts.sockets.leave()
            self._systemd.retire(successor.pid)
            successor.let_speak()
            self._signals.succeed()
        return {"pid": successor.pid, "connections": self._engine.connections}

    async def _start_successor(self) -> Successor:
        """Start one, unless we are told to stop meanwhile. Raises UpgradeError."""
        patience = self._engine.longest_start + _FOR_SUCCESSOR
        first = self._signals.first
        starting = asyncio.ensure_future(
            Successor.start(self._parts.sockets, self._systemd.environment, patience)
        )
        try:
            await asyncio.wait((starting, first), return_when=asyncio.FIRST_COMPLETED)
        finally:
            starting.cancel()
        if not first.done():
            return starting.result()
        await asyncio.wait((starting,))
        if not starting.cancelled() and starting.exception() is None:
            await starting.result().abandon()
        raise UpgradeError("The server was told to stop meanwhile, and does: no upgrade")


def _no_upgrade(why: str) -> CommandError:
    _log.error("upgrade refused", why=why)
    return CommandError(why)


async def _quietly(order: Awaitable[Answer]) -> None:
    """Carry out what a signal has ordered: the reasons of a refusal are in the log, nobody waits for them."""
    try:
        await order
    except CommandError:
        return


def log_unhandled(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What nobody awaited or caught: into the log, where an operator looks.

    A plugin's own task may send until its WebSocket is gone: that is a quiet end there as in an action.
    """
    if isinstance(context.get("exception"), Closed):
        return
    _log.error("unhandled", what=context.get("message"), exc_info=context.get("exception"))
