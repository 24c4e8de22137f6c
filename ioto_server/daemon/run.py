"""Run a server, from a checked configuration to the exit code."""

from __future__ import annotations

import faulthandler
import gc
import os
from collections.abc import Iterator

import structlog

from ioto_server.config import Loaded
from ioto_server.plugins import PluginError, Plugins
from ioto_server.server import FileReceiver, Listener, ListenError, TlsError, make_context

from . import descriptors, logs
from .activation import ActivationError
from .engine import Engine
from .outcome import FAILED, MISUSED, OK, complain, report_plugin
from .process import Process, make_server
from .reload import Loader
from .runner import run_to_the_end
from .service import Parts, Service
from .signals import Interrupted, Signals
from .sockets import Sockets
from .systemd import Systemd

_log = structlog.get_logger("ioto_server")


def run(loaded: Loaded, load: Loader, signals: Signals, watch: bool = False) -> int:
    """Serve until told to stop; returns the exit code. `load` gives the configuration anew, for a reload.

    `signals` holds what was ordered since the process began; `watch` has it reload by itself whenever its
    file or a plugin is saved.

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
        # With workers, each of them loads the plugins: what their code holds must not be shared.
        with signals.break_off():
            plugins = Plugins.load(config.actions) if config.processes == 1 else None
        tls = make_context(config.tls) if config.tls is not None else None
    except Interrupted as by:
        _log.warning("stopped before it was ready", by=str(by), waited_for="its plugins to be imported")
        return OK
    except PluginError as error:
        report_plugin(error)
        return MISUSED
    except TlsError as error:
        complain(str(error))
        return MISUSED
    try:
        FileReceiver(config).prepare()
    except OSError as error:
        hint = "name another in `documents` of its route, or in upload.dir"
        complain(f"a folder for uploads cannot be made: {error}; {hint}")
        return MISUSED
    metrics = config.metrics.listen if config.metrics is not None else None
    try:
        sockets = Sockets(os.environ, os.getpid(), config.processes)
        sockets.open_all(config.listen, metrics, config.control)
    except ActivationError as error:
        complain(str(error))
        return MISUSED
    except (ListenError, OSError) as error:
        complain(str(error))
        return FAILED
    engine: Engine
    if plugins is None:
        # Who has one process need not load what several need.
        from .crew import Crew

        engine = Crew(config, tls, sockets, systemd.watchdog)
    else:

        def listeners() -> Iterator[Listener]:
            return (held for endpoint in server.config.listen for held in sockets.at(endpoint))

        server = make_server(config, plugins)
        engine = Process(server, tls, sockets, listeners)
    # What exists by now lives as long as the process, and next to nothing of it is garbage: no collection
    # need look at it, neither now nor later.
    gc.freeze()
    service = Service(Parts(engine, sockets, load, systemd, signals, loaded.path, watch))
    return run_to_the_end(service.run(), serves=plugins is not None)
