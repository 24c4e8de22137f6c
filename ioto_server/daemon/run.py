"""Run a server in this process, from a checked configuration to the exit code."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import ssl
import sys
from collections.abc import Sequence
from typing import Any

import structlog
import uvloop

from ioto_server.config import Loaded
from ioto_server.plugins import PluginError, Plugins
from ioto_server.server import Listener, ListenError, Server, TlsError, bind, make_context
from ioto_server.websocket import BUILD

from . import logs
from .control import Control, bind_control
from .status import Status

_log = structlog.get_logger("ioto_server")

OK = 0
FAILED = 1
MISUSED = 2


def run(loaded: Loaded) -> int:
    """Serve until a signal says to stop; returns the exit code.

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
    except ListenError as error:
        _close(listeners)
        _complain(str(error))
        return FAILED
    try:
        control = bind_control(config.control)
    except (ListenError, OSError) as error:
        _close(listeners)
        _complain(f"control: {error}")
        return FAILED
    server = Server(config, plugins)
    # What exists by now lives as long as the process: no collection need look at it again.
    gc.collect()
    gc.freeze()
    return uvloop.run(_serve(server, listeners, tls, control))


def _close(listeners: Sequence[Listener]) -> None:
    for listener in listeners:
        listener.socket.close()
        listener.remove()


async def _serve(
    server: Server, listeners: Sequence[Listener], tls: ssl.SSLContext | None, control_socket: Listener
) -> int:
    """Start the plugins, accept until told to stop, stop."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_log_unhandled)
    signals = _Signals(loop)
    status = Status(server)

    def stop(_request: object) -> dict[str, object]:
        signals.stop("control socket")
        return {"pid": os.getpid(), "connections": server.connections}

    control = Control(control_socket, {"status": lambda _request: status.report(), "stop": stop})
    try:
        await server.plugins.start(server.host)
    except PluginError as error:
        await server.plugins.stop(server.host)
        await control.close()
        _close(listeners)
        report_plugin(error)
        return MISUSED
    await server.listening.open(listeners, tls)
    await control.open()
    for listener in listeners:
        _log.info("listening", url=listener.url)
    _log.info(
        "ready",
        actions=len(server.plugins.prefixes),
        documents=str(server.config.documents),
        codec=BUILD,
        pid=os.getpid(),
    )
    stopped_by = await signals.first
    _log.info("stopping", by=stopped_by, connections=server.connections)
    stopping = asyncio.ensure_future(server.stop(1001, "Server stopping"))
    await asyncio.wait((stopping, signals.second), return_when=asyncio.FIRST_COMPLETED)
    await control.close()
    if not stopping.done():
        _log.warning("stopped at once", by=signals.second.result(), connections=server.connections)
        return FAILED
    stopping.result()
    _log.info("stopped")
    return OK


class _Signals:
    """The first and the second order to stop, as futures of what each came by."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.first: asyncio.Future[str] = loop.create_future()
        self.second: asyncio.Future[str] = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop, number.name)

    def stop(self, by: str) -> None:
        """Begin to stop, or, the second time, end at once."""
        for future in (self.first, self.second):
            if not future.done():
                future.set_result(by)
                return


def _log_unhandled(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What nobody awaited or caught: into the log, where an operator looks."""
    error = context.get("exception")
    _log.error("unhandled", what=context.get("message"), exc_info=error)


def report_plugin(error: PluginError) -> None:
    """Say on stderr what is wrong with a plugin, its own traceback first."""
    if error.trace:
        print(error.trace.rstrip(), file=sys.stderr)
    _complain(f"{error}\nThe server was not started: mend the plugin, or rename it to begin with '_'")


def _complain(text: str) -> None:
    print(f"ioto-server: {text}", file=sys.stderr)
