"""Run a server in this process, from a checked configuration to the exit code."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import os
import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
import uvloop

from ioto_server.config import Endpoint, Loaded
from ioto_server.plugins import PluginError, Plugins
from ioto_server.server import FileReceiver, Listener, ListenError, Server, TlsError, bind, make_context
from ioto_server.websocket import BUILD

from . import descriptors, logs
from .activation import Activation, ActivationError
from .control import CommandError, Control, bind_control
from .preflight import route_warnings
from .reload import Loader, Reloader
from .signals import StopOrders, on_hangup
from .status import Status
from .systemd import Systemd

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
    systemd: Systemd


def run(loaded: Loaded, load: Loader) -> int:
    """Serve until told to stop; returns the exit code. `load` gives the configuration anew, for a reload.

    0 after an orderly stop, 1 when an endpoint cannot be bound or a second signal cut the stop short, 2 when
    the configuration or a plugin cannot be used. Nothing is accepted before everything is ready.
    """
    # systemd's watchdog ends a stuck process with SIGABRT: its traceback names the action that was at fault.
    faulthandler.enable()
    systemd = Systemd.from_environment(os.environ, os.getpid())
    config = loaded.config
    try:
        logs.configure(config.log)
    except OSError as error:
        _complain(f"log.path: {error}; name a file that can be written, or 'stdout'")
        return MISUSED
    for warning in loaded.warnings:
        _log.warning("configuration", problem=str(warning))
    descriptors.raise_limit()
    short = descriptors.shortage(config)
    if short is not None:
        _log.warning("descriptors", problem=short)
    try:
        plugins = Plugins.load(config.actions)
        tls = make_context(config.tls) if config.tls is not None else None
    except PluginError as error:
        report_plugin(error)
        return MISUSED
    except TlsError as error:
        _complain(str(error))
        return MISUSED
    try:
        FileReceiver(config).prepare()
    except OSError as error:
        _complain(f"routes: the folder for uploads cannot be made: {error}; name another in `documents`")
        return MISUSED
    listeners: list[Listener] = []
    try:
        activation = Activation(os.environ, os.getpid())
        handed = [activation.take(endpoint) for endpoint in config.listen]
        controls = activation.take(Endpoint("unix", path=config.control))
        activation.check(config.listen)
        for endpoint, taken in zip(config.listen, handed, strict=True):
            listeners += taken or bind(endpoint)
        control = controls[0] if controls else bind_control(config.control)
    except ActivationError as error:
        _close(listeners)
        _complain(str(error))
        return MISUSED
    except (ListenError, OSError) as error:
        _close(listeners)
        _complain(str(error))
        return FAILED
    ready = _Ready(Server(config, plugins), listeners, control, tls, load, systemd)
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
    systemd = ready.systemd
    status = Status(server)
    systemd.attend(loop, status.line)
    descriptors.Watch(loop)
    try:
        await server.plugins.start(server.host)
    except PluginError as error:
        await server.plugins.stop(server.host)
        _close([*ready.listeners, ready.control])
        report_plugin(error)
        return MISUSED
    for text in route_warnings(server.config, server.plugins):
        _log.warning("route", problem=text)
    control = _control(ready, status, orders, loop)
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
    systemd.ready(status.line())
    stopped_by = await orders.first
    _log.info("stopping", by=stopped_by, connections=server.connections)
    timeouts = server.config.timeouts
    systemd.stopping(timeouts.drain + 2 * timeouts.close)
    stopping = asyncio.ensure_future(server.stop(1001, "Server stopping"))
    await asyncio.wait((stopping, orders.second), return_when=asyncio.FIRST_COMPLETED)
    await control.close()
    if not stopping.done():
        _log.warning("stopped at once", by=orders.second.result(), connections=server.connections)
        return FAILED
    stopping.result()
    _log.info("stopped")
    return OK


def _control(ready: _Ready, status: Status, orders: StopOrders, loop: asyncio.AbstractEventLoop) -> Control:
    """What an operator may ask for, by the control socket or, for a reload, by SIGHUP."""
    server = ready.server
    reloader = Reloader(server, ready.load, ready.tls, status)

    def stop(_request: object) -> dict[str, object]:
        orders.stop("control socket")
        return {"pid": os.getpid(), "connections": server.connections}

    async def reload(_request: object = None) -> dict[str, object]:
        ready.systemd.reloading()
        try:
            return await reloader.reload()
        finally:
            # Refused or done, the service is ready as it was: systemd knows no other end of a reload.
            ready.systemd.ready(status.line())

    async def reload_quietly() -> None:
        try:
            await reload()
        except CommandError:
            # The reasons are in the log; a signal has nobody to answer to.
            return

    on_hangup(loop, lambda: server.host.create_task(reload_quietly()))
    return Control(
        ready.control,
        {"status": lambda _request: status.report(), "stop": stop, "reload": reload},
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
