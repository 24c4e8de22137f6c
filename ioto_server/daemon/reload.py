"""Reload: take up a changed configuration and changed plugins whole, or go on as before (SPEC 2, 7).

Everything that can fail is done first, beside the running server: reading, checking, importing, the TLS
context, binding new endpoints, the new plugins' io_start. Only then is anything exchanged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import structlog

from ioto_server.config import Config, ConfigError, Endpoint, Loaded
from ioto_server.config.diff import diff
from ioto_server.plugins import BeingSaved, PluginError, Plugins
from ioto_server.server import (
    FileReceiver,
    Listener,
    ListenError,
    Server,
    TlsContext,
    TlsError,
    make_context,
)

from . import descriptors, logs
from .control import CommandError
from .preflight import route_warnings
from .sockets import Sockets
from .status import Status

_log = structlog.get_logger("ioto_server.reload")

Loader = Callable[[], Loaded]


@dataclass(slots=True)
class _Next:
    """All that the new configuration needs, made and ready to be put in."""

    config: Config
    plugins: Plugins
    tls: TlsContext | None
    listeners: list[Listener]


class Reloader:
    """Reloads one server; orders that come meanwhile wait for their turn."""

    def __init__(
        self,
        server: Server,
        load: Loader,
        tls: TlsContext | None,
        status: Status,
        sockets: Sockets,
    ) -> None:
        """Reload `server` from what `load()` gives; `tls` and `sockets` are those its endpoints use."""
        self._sockets = sockets
        self._server = server
        self._load = load
        self._tls = tls
        self._status = status
        self._turn = asyncio.Lock()
        self._booted = server.config

    async def reload(self, quietly: bool = False) -> dict[str, Any]:
        """Reload, log the outcome and return it; raises CommandError with every reason for a refusal.

        `quietly` is for who only supposes that something has changed: then nothing is said if it has not,
        and nothing done while a file is being saved.
        """
        async with self._turn:
            try:
                answer = await self._reload(quietly)
            except BeingSaved as error:
                _log.info("not reloaded", why=str(error))
                return {"changed": [], "restart": [], "warnings": []}
            except (ConfigError, PluginError, TlsError, ListenError, OSError) as error:
                self._status.last_reload = f"refused: {error}"
                _log.error("reload refused", why=str(error))
                trace = getattr(error, "trace", "")
                raise CommandError(f"{trace}{error}\nNothing was changed.") from None
        if quietly and not answer["changed"] and not answer["restart"]:
            return answer
        self._status.reloads += 1
        self._status.last_reload = "done"
        _log.info("reloaded", changed=answer["changed"], restart=answer["restart"])
        return answer

    async def _reload(self, while_saving: bool) -> dict[str, Any]:
        # Reading takes its time (the json5 package parses some 40 KB a second): not in the loop.
        loaded = await asyncio.to_thread(self._load)
        old, old_plugins = self._server.config, self._server.plugins
        with ExitStack() as undo:
            following = await self._prepare(loaded.config, undo, while_saving)
            undo.pop_all()
        await self._exchange(following)
        exchanged = _exchanged(old_plugins, following.plugins)
        return {
            "changed": [str(change) for change in diff(old, loaded.config).live] + exchanged,
            "restart": [str(change) for change in diff(self._booted, loaded.config).restart],
            "warnings": [
                *(str(warning) for warning in loaded.warnings),
                *filter(None, [descriptors.shortage(loaded.config)]),
                *route_warnings(loaded.config, following.plugins),
            ],
        }

    async def _prepare(self, config: Config, undo: ExitStack, while_saving: bool) -> _Next:
        """Make everything new; `undo` takes it back should a later step fail."""
        server = self._server
        tls = make_context(config.tls) if config.tls is not None else None
        listeners: list[Listener] = []
        for endpoint in set(config.listen) - server.listening.endpoints:
            bound = self._sockets.open(endpoint)
            listeners += bound
            undo.callback(self._unbind, endpoint, bound)
        await asyncio.to_thread(FileReceiver(config).prepare)
        plugins = await asyncio.to_thread(server.plugins.follow, config.actions, while_saving)
        await plugins.start(server.host)
        return _Next(config, plugins, tls, listeners)

    async def _exchange(self, following: _Next) -> None:
        """Put the new in place of the old; nothing here can fail for a reason of the configuration."""
        config = following.config
        server = self._server
        if self._tls is not None and following.tls is not None:
            # Endpoints stay open with this very context.
            self._tls.follow(following.tls)
        else:
            self._tls = following.tls
        server.apply(config, following.plugins)
        gone = server.listening.endpoints - set(config.listen)
        server.listening.close(gone)
        self._sockets.forget(gone)
        await server.listening.open(following.listeners, self._tls)
        logs.set_level(config.log.level)

    def _unbind(self, endpoint: Endpoint, bound: Sequence[Listener]) -> None:
        self._sockets.forget([endpoint])
        for listener in bound:
            listener.socket.close()
            listener.remove()


def _exchanged(old: Plugins, new: Plugins) -> list[str]:
    """A line for every plugin that has changed."""
    before = {plugin.source: plugin for plugin in old.plugins}
    after = {plugin.source: plugin for plugin in new.plugins}
    lines = []
    for source in sorted(before.keys() | after.keys(), key=lambda source: source.file):
        if source not in after:
            lines.append(f"{source.name}: removed")
        elif source not in before:
            lines.append(f"{source.name}: added")
        elif before[source] is not after[source]:
            lines.append(f"{source.name}: loaded anew")
    return lines
