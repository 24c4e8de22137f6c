"""The two steps of a reload in one process: make everything new, then put it in place or let go of it.

Everything that can fail is done first, beside the running server: the TLS context, new endpoints, the new
plugins and their io_start. Only then is anything exchanged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from math import isfinite
from typing import Any, Protocol

from ioto_server.config import Config, Endpoint
from ioto_server.plugins import PluginError, Plugins, stop_all
from ioto_server.server import FileReceiver, Listener, Server, TlsContext, make_context

from . import logs
from .engine import TO_IMPORT
from .preflight import route_warnings


class Opener(Protocol):
    """Where the sockets of new endpoints come from: bound here, or by a supervisor."""

    def open(self, endpoint: Endpoint) -> Sequence[Listener]:
        """The sockets of an endpoint that is new. Raises ListenError."""

    def forget(self, endpoints: Iterable[Endpoint]) -> None:
        """These endpoints are closed."""


@dataclass(slots=True)
class _Next:
    """All that the new configuration needs, made and ready to be put in."""

    config: Config
    plugins: Plugins
    tls: TlsContext | None
    listeners: list[Listener]
    undo: AsyncExitStack


class Renewal:
    """Prepares and exchanges what one server serves by."""

    def __init__(
        self, server: Server, tls: TlsContext | None, sockets: Opener, wait_for: Callable[[str], None]
    ) -> None:
        """`tls` is what the server's endpoints are open with, `sockets` gives those of new ones.

        `wait_for` is told what takes its time.
        """
        self.tls = tls
        self._server = server
        self._sockets = sockets
        self._wait_for = wait_for
        self._next: _Next | None = None

    async def prepare(self, config: Config, while_saving: bool = False) -> dict[str, Any]:
        """As Engine.prepare."""
        async with AsyncExitStack() as undo:
            following = await self._make(config, undo, while_saving)
            following.undo = undo.pop_all()
        self._next = following
        return {
            "plugins": _exchanged(self._server.plugins, following.plugins),
            "warnings": list(route_warnings(config, following.plugins)),
        }

    async def _make(self, config: Config, undo: AsyncExitStack, while_saving: bool) -> _Next:
        """Make everything new; `undo` takes it back."""
        server = self._server
        tls = make_context(config.tls) if config.tls is not None else None
        listeners: list[Listener] = []
        for endpoint in set(config.listen) - server.listening.endpoints:
            bound = self._sockets.open(endpoint)
            listeners += bound
            undo.callback(self._unbind, endpoint, bound)
        await asyncio.to_thread(FileReceiver(config).prepare)
        self._wait_for("changed plugins to be imported")
        plugins = await self._follow(config, while_saving)
        patience = config.timeouts.start
        await plugins.start(server.host, patience, lambda file: self._wait_for(f"io_start of {file}"))
        undo.push_async_callback(self._let_go, plugins)
        self._wait_for("")
        return _Next(config, plugins, tls, listeners, undo)

    async def _follow(self, config: Config, while_saving: bool) -> Plugins:
        """The plugins of a configuration, imported in a thread, which cannot be ended: it is left behind."""
        patience = config.timeouts.start + TO_IMPORT
        following = asyncio.to_thread(self._server.plugins.follow, config.actions, while_saving)
        try:
            return await asyncio.wait_for(following, patience if isfinite(patience) else None)
        except TimeoutError:
            raise PluginError(
                config.actions[0],
                None,
                f"changed plugins were not imported after {patience:g} seconds: see what they wait for at "
                "their top level; what takes its time belongs into io_start",
            ) from None

    async def commit(self) -> None:
        """Put the new in place of the old; nothing here can fail for a reason of the configuration."""
        following, self._next = self._next, None
        assert following is not None, "prepare comes first"
        following.undo.pop_all()
        config = following.config
        server = self._server
        if self.tls is not None and following.tls is not None:
            # Endpoints stay open with this very context.
            self.tls.follow(following.tls)
        else:
            self.tls = following.tls
        server.apply(config, following.plugins)
        gone = server.listening.endpoints - set(config.listen)
        server.listening.close(gone)
        self._sockets.forget(gone)
        await server.listening.open(following.listeners, self.tls)
        logs.set_level(config.log.level)

    async def abort(self) -> None:
        """Let go of what was prepared."""
        following, self._next = self._next, None
        if following is not None:
            await following.undo.aclose()

    def _unbind(self, endpoint: Endpoint, bound: Sequence[Listener]) -> None:
        self._sockets.forget([endpoint])
        for listener in bound:
            listener.socket.close()
            listener.remove()

    async def _let_go(self, plugins: Plugins) -> None:
        """Stop those plugins that are not in force."""
        server = self._server
        fresh = [plugin for plugin in plugins.plugins if plugin not in server.plugins.plugins]
        await stop_all(fresh, server.config.timeouts.close)


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
