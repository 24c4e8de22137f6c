"""Run a server in this process, from a checked configuration to the exit code."""

from __future__ import annotations

import faulthandler
import gc
import os

import structlog
import uvloop

from ioto_server.config import Config, Endpoint, Loaded
from ioto_server.plugins import PluginError, Plugins
from ioto_server.server import FileReceiver, Listener, ListenError, Server, TlsError, bind, make_context

from . import descriptors, logs
from .activation import Activation, ActivationError
from .control import bind_control
from .outcome import FAILED, MISUSED, complain, report_plugin
from .reload import Loader
from .service import Parts, Service, close_all
from .systemd import Systemd

_log = structlog.get_logger("ioto_server")


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
        complain(f"log.path: {error}; name a file that can be written, or 'stdout'")
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
        complain(str(error))
        return MISUSED
    try:
        FileReceiver(config).prepare()
    except OSError as error:
        complain(f"routes: the folder for uploads cannot be made: {error}; name another in `documents`")
        return MISUSED
    listeners: list[Listener] = []
    try:
        control = _bind(config, listeners)
    except ActivationError as error:
        complain(str(error))
        return MISUSED
    except (ListenError, OSError) as error:
        close_all(listeners)
        complain(str(error))
        return FAILED
    parts = Parts(Server(config, plugins), listeners, control, tls, load, systemd)
    # What exists by now lives as long as the process: no collection need look at it again.
    gc.collect()
    gc.freeze()
    return uvloop.run(Service(parts).run())


def _bind(config: Config, listeners: list[Listener]) -> Listener:
    """Take or bind a socket for every endpoint, into `listeners`; returns that for the control socket."""
    activation = Activation(os.environ, os.getpid())
    handed = [activation.take(endpoint) for endpoint in config.listen]
    controls = activation.take(Endpoint("unix", path=config.control))
    activation.check(config.listen)
    for endpoint, taken in zip(config.listen, handed, strict=True):
        listeners += taken or bind(endpoint)
    return controls[0] if controls else bind_control(config.control)
