"""Run a server in this process, from a checked configuration to the exit code."""

from __future__ import annotations

import asyncio
import gc
import os
import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
import uvloop

from ioto_server.config import Loaded
from ioto_server.plugins import PluginError, Plugins
from ioto_server.server import Listener, ListenError, Server, TlsError, bind, make_context
from ioto_server.websocket import BUILD

from . import logs
from .control import CommandError, Control, bind_control
from .preflight import route_warnings
from .reload import Loader, Reloader
from .signals import StopOrders, on_hangup
from .status import Status

_log = structlog.get_logger("ioto_server")

OK = 0
FAILED = 1
MISUSED = 2


@dataclass(frozen=True, slots=True)
class _Ready:
    """Everything that had to be made before the first connection may come."""

    server: Server
    listeners: Sequence[Listener]
    control: Listener
    tls: ssl.SSLContext | None
    load: Loader


def run(loaded: Loaded, load: Loader) -> int:
    """Serve until told to stop; returns the exit code. `load` gives the configuration anew, for a reload.

    0 after an orderly stop, 1 when an endpoint cannot be bound or a second signal cut the stop short, 2 when
    the configuration or a plugin cannot be used. Nothing is accepted before everything is ready.
    """
    config = loaded.config
    try:
        logs.configure(config.log)
    except OSError as error:
        _complain(f"log.path: {error}; name a file that can be written, or 'stdout'")
        return MISUSED
    for warning in loaded.warnings:
        _log.warning("configuration", problem=str(warning))
    try:
        plugins = Plugins.load(config.actions)
        tls = make_context(config.tls) if config.tls is not None else None
    except PluginError as error:
        report_plugin(error)
        return MISUSED
    except TlsError as error:
        _complain(str(error))
        return MISUSED
    listeners: list[Listener] = []
    try:
        for endpoint in config.listen:
            listeners += bind(endpoint)
        control = bind_control(config.control)
    except (ListenError, OSError) as error:
        _close(listeners)
        _complain(str(error))
        return FAILED
    ready = _Ready(Server(config, plugins), listeners, control, tls, load)
    # What exists by now lives as long as the process: no collection need look at it again.
    gc.collect()
    gc.freeze()
    return uvloop.run(_serve(ready))


def _close(listeners: Sequence[Listener]) -> None:
    for listener in listeners:
        listener.socket.close()
        listener.remove()


async def _serve(ready: _Ready) -> int:
    """Start the plugins, accept until told to stop, stop."""
    server = ready.server
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_log_unhandled)
    orders = StopOrders(loop)
    try:
        await server.plugins.start(server.host)
    except PluginError as error:
        await server.plugins.stop(server.host)
        _close([*ready.listeners, ready.control])
        report_plugin(error)
        return MISUSED
    for text in route_warnings(server.config, server.plugins):
        _log.warning("route", problem=text)
    control = _control(ready, orders, loop)
    await server.listening.open(ready.listeners, ready.tls)
    await control.open()
    for listener in ready.listeners:
        _log.info("listening", url=listener.url)
    _log.info(
        "ready",
        actions=len(server.plugins.prefixes),
        documents=str(server.config.documents),
        codec=BUILD,
        pid=os.getpid(),
    )
    stopped_by = await orders.first
    _log.info("stopping", by=stopped_by, connections=server.connections)
    stopping = asyncio.ensure_future(server.stop(1001, "Server stopping"))
    await asyncio.wait((stopping, orders.second), return_when=asyncio.FIRST_COMPLETED)
    await control.close()
    if not stopping.done():
        _log.warning("stopped at once", by=orders.second.result(), connections=server.connections)
        return FAILED
    stopping.result()
    _log.info("stopped")
    return OK


def _control(ready: _Ready, orders: StopOrders, loop: asyncio.AbstractEventLoop) -> Control:
    """What an operator may ask for, by the control socket or, for a reload, by SIGHUP."""
    server = ready.server
    status = Status(server)
    reloader = Reloader(server, ready.load, ready.tls, status)

    def stop(_request: object) -> dict[str, object]:
        orders.stop("control socket")
        return {"pid": os.getpid(), "connections": server.connections}

    async def reload_quietly() -> None:
        try:
            await reloader.reload()
        except CommandError:
            # The reasons are in the log; a signal has nobody to answer to.
            return

    on_hangup(loop, lambda: server.host.create_task(reload_quietly()))
    return Control(
        ready.control,
        {"status": lambda _request: status.report(), "stop": stop, "reload": reloader.reload},
    )


def _log_unhandled(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What nobody awaited or caught: into the log, where an operator looks."""
    _log.error("unhandled", what=context.get("message"), exc_info=context.get("exception"))


def report_plugin(error: PluginError) -> None:
    """Say on stderr what is wrong with a plugin, its own traceback first."""
    if error.trace:
        print(error.trace.rstrip(), file=sys.stderr)
    _complain(f"{error}\nThe server was not started: mend the plugin, or rename it to begin with '_'")


def _complain(text: str) -> None:
    print(f"ioto-server: {text}", file=sys.stderr)
