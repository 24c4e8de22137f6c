"""The server: connections of all listeners, where each request goes, and how it all stops."""

from __future__ import annotations

import asyncio
import gc
from asyncio import BaseProtocol
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import Any, Final, cast

import structlog
from structlog.typing import FilteringBoundLogger

from ioto_server.config import Config, Location, authority
from ioto_server.http import HttpError, Match, Request, Router
from ioto_server.plugins import Plugin, Plugins, stop_all
from ioto_server.session import Action, Cause, Upgrade
from ioto_server.session.core import Core
from ioto_server.session.run import run_action
from ioto_server.session.web import Web
from ioto_server.websocket import deflate, handshake

from .connections import Arrival, Connections
from .exchange import Exchange
from .files import FileSender
from .gate import asked_at, check_host, check_origin, own_host
from .heap import Heap, keep_freed
from .http_connection import HttpConnection
from .leftover import Leftover
from .listening import Listening
from .openings import Opening, Openings
from .overstay import Outlived, Tasks
from .peer import Peer, forwarded, is_trusted, peer_of
from .settings import READ_BUFFER
from .trace import Trace
from .uploads import METHODS, FileReceiver
from .wheel import TICK, Wheel

# A stop tells this many peers in one turn of the loop, so that the others' Closes are read in between.
_STOP_BATCH: Final = 256

# So many deadlines are seen to in one turn of the loop: a thousand may come at once, and some have a line in
# the log and an answer each.
_EXPIRE_BATCH: Final = 64

# Seconds after the end of a replaced plugin.
_COLLECT_AFTER: Final = 0.1

_log = structlog.get_logger("ioto_server.server")


class Server:
    """Everything of one process that has to do with clients."""

    __slots__ = (
        "_catching_up",
        "_deflate",
        "_files",
        "_heap",
        "_leftover",
        "_openings",
        "_outlived",
        "_retired",
        "_router",
        "_stopping",
        "_ticking",
        "_uploads",
        "buffer",
        "clients",
        "config",
        "host",
        "listening",
        "plugins",
        "request_log",
        "stopping",
        "wheel",
    )

    def __init__(self, config: Config, plugins: Plugins, wheel: Wheel | None = None) -> None:
        """Serve as `config` says; nothing is accepted before `listening.open`. `wheel` is for tests."""
        self.config = config
        self.plugins = plugins
        if wheel is None:
            wheel = Wheel(monotonic())
            wheel.most = _EXPIRE_BATCH
        self.wheel = wheel
        self.host = Core(config, self.wheel)
        # One for all: a read is used up before the next one begins, so no idle connection holds a buffer.
        self.buffer = bytearray(READ_BUFFER)
        # With what WebSockets are closed while the server stops; None before.
        self.stopping: tuple[int, str] | None = None
        # Bound once: a module's logger finds out anew each time how it is configured.
        self.request_log: FilteringBoundLogger = structlog.get_logger("ioto_server.http").bind()
        # Plugins that newer ones have replaced, until their last action has returned; and their ends.
        self._retired: list[Plugin] = []
        self._stopping: set[asyncio.Task[None]] = set()
        self.listening = Listening(
            cast(Callable[[str], BaseProtocol], partial(HttpConnection, self)),
            lambda: self.config.timeouts.parse,
            self._arrive,
        )
        self._router = _make_router(config, plugins)
        self._files = FileSender(config)
        self._uploads = FileReceiver(config)
        self._deflate = _deflate_settings(config)
        self._openings = Openings()
        self.clients = Connections(config.limits, self.host.websockets)
        self._ticking: asyncio.TimerHandle | None = None
        # One turn after another is asked for, however many ticks they last.
        self._catching_up = False
        keep_freed()
        self._heap = Heap(self.host.memory)
        self._leftover = Leftover(self.host)
        self._outlived = Outlived(self.wheel)

    # ---- life -----------------------------------------------------------------------------------------

    def apply(self, config: Config, plugins: Plugins) -> None:
        """Serve as `config` says from now on: new connections and requests follow it, open ones live on."""
        self.config = config
        self.clients.limits = config.limits
        self.host.configure(config)
        self._router = _make_router(config, plugins)
        self._files = FileSender(config)
        self._uploads = FileReceiver(config)
        self._deflate = _deflate_settings(config)
        self._openings = Openings()
        old, self.plugins = self.plugins, plugins
        for plugin in old.plugins:
            if plugin not in plugins.plugins:
                self._retired.append(plugin)
                self._begin(self._retire(plugin))

    async def _retire(self, plugin: Plugin) -> None:
        """End a plugin that is replaced: its background tasks now, the rest when its last action returns."""
        await plugin.stop_tasks(self.config.timeouts.close)
        plugin.when_idle(lambda: self._begin(self._part_with(plugin)))

    async def _part_with(self, plugin: Plugin) -> None:
        await stop_all([plugin], self.config.timeouts.close)
        if plugin in self._retired:
            self._retired.remove(plugin)
        # A module and its functions refer to each other: only a collection lets go of what they held. It
        # comes when this task, which knows the plugin too, is gone.
        asyncio.get_running_loop().call_later(_COLLECT_AFTER, gc.collect)

    def _begin(self, ending: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(ending)
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)

    async def stop(self, code: int, reason: str) -> None:
        """Accept no more, tell every WebSocket, let requests finish for at most `timeouts.drain`.

        TLS handshakes have `timeouts.close` of it, and what comes of them as long for a request.
        """
        self.stopping = (code, reason)
        self.listening.close(self.listening.endpoints)
        drain = self.config.timeouts.drain
        # What had arrived before the stop is read first: our Close would have it discarded.
        await asyncio.sleep(0)
        # Outside of the drain, which is for what depends on the peers: everybody is told, however busy it is.
        await self._tell(code, reason)
        try:
            async with asyncio.timeout(drain):
                await self._settle()
                await self.clients.gone()
                await self.host.actions_done()
        except TimeoutError:
            _log.warning("drain timeout", connections=self.connections, seconds=drain)
        await self._end()

    async def _settle(self) -> None:
        """Let TLS handshakes under way come to their end: what is asked for behind them is still answered."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.config.timeouts.close):
                await self.clients.settled()

    async def _tell(self, code: int, reason: str) -> None:
        clients = self.clients.all()
        for begin in range(0, len(clients), _STOP_BATCH):
            for client in clients[begin : begin + _STOP_BATCH]:
                client.stop(code, reason)
            await asyncio.sleep(0)

    async def _end(self) -> None:
        for client in self.clients.all():
            client.drop(Cause.SERVER_STOPPING)
        close = self.config.timeouts.close
        end = monotonic() + close
        tasks = self.host.cancel_tasks()
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=close)
            for task in left:
                _log.error("task ignores its cancellation", task=repr(task.get_coro()))
        # What a reload has begun to stop has had the same time.
        if self._stopping:
            _, late = await asyncio.wait(self._stopping, timeout=max(end - monotonic(), 0))
            if late:
                _log.error("replaced plugins do not stop", count=len(late))
        await self.plugins.stop(self.host, self._retired)
        if self._ticking is not None:
            self._ticking.cancel()

    # ---- connections ----------------------------------------------------------------------------------

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self.clients)

    def _arrive(self, peername: object) -> Arrival | None:
        """A client begins its TLS handshake; None where it is to be closed without a word."""
        peer = peer_of(peername)
        return self.clients.arrive("" if is_trusted(peer, self.config.trusted_proxies) else peer.address)

    def admit(self, connection: HttpConnection) -> HttpError | None:
        """Count a new connection in; returns the refusal where a limit is reached."""
        if self._ticking is None:
            self.wheel.resume(monotonic())
            self._ticking = asyncio.get_running_loop().call_later(TICK, self._tick)
        return self.clients.admit(connection)

    def outlived(self, tasks: Tasks, action: Action | None) -> None:
        """A connection is gone: its action has `timeouts.close` to notice, in all its tasks."""
        if action is not None:
            self._outlived.add(tasks, action, self.config.timeouts.close)

    def _tick(self) -> None:
        self._ticking = None
        try:
            self.wheel.turn(monotonic())
            self._catch_up()
            self._heap.turn()
            self._leftover.turn(self.wheel.now)
            if self.wheel.stalled:
                _log.warning("loop blocked", milliseconds=round(self.wheel.stalled * 1000))
        finally:
            # Whatever went wrong: without the next tick no deadline of anybody would ever come.
            if self.wheel.late or len(self.wheel) or self._heap.waits:
                self._ticking = asyncio.get_running_loop().call_later(TICK, self._tick)

    def _catch_up(self) -> None:
        """See to the deadlines that are left, in as many turns as it takes: sockets are read in between."""
        if self.wheel.late and not self._catching_up:
            self._catching_up = True
            asyncio.get_running_loop().call_soon(self._see_to_rest)

    def _see_to_rest(self) -> None:
        self._catching_up = False
        self.wheel.go_on()
        self._catch_up()

    # ---- requests -------------------------------------------------------------------------------------

    def handle(self, connection: HttpConnection, exchange: Exchange) -> None:
        """Send a request where it belongs."""
        request = exchange.request
        if self.config.log.show:
            exchange.trace = Trace(self.config.log.show, connection.peer_name(request), request)
        try:
            if request.model is not None:
                known = self._openings.find(connection, request.model)
                if known is not None:
                    self._call(connection, exchange, known, connection.peer.name)
                    return
            check_host(request, self.config, connection.local, connection.peer)
            match = self._match(connection, request)
            if match.kind == "action":
                self._act(connection, exchange, match)
            elif match.kind == "file":
                handler = self._uploads.receive if request.method in METHODS else self._files.send
                handler(exchange, match, self.host)
            elif match.kind == "redirect":
                self._redirect(exchange, match)
            else:
                exchange.start(204, [("Allow", ", ".join(match.allow))], None)
                exchange.end()
        except HttpError as error:
            exchange.refuse(error)
        except Exception as error:
            exchange.fail(error)

    def _act(self, connection: HttpConnection, exchange: Exchange, match: Match) -> None:
        request = exchange.request
        found = self.plugins.find(match.path)
        if found is None:
            raise HttpError(404, "No action is bound to this path: `ioto-server routes` shows those that are")
        plugin, action, rest = found
        if match.route is not None and match.route.stream:
            action = replace(action, stream=True)
        config = self.config
        upgrade = None
        if request.upgrade and config.web_sockets.enable:
            upgrade = self._check_upgrade(connection, request, action)
        if (request.headers.get("content-type") or "").lower().startswith("multipart/form-data"):
            exchange.allow_body(config.limits.upload)
        elif action.own is not None and action.own.max_body is not None:
            exchange.allow_body(action.own.max_body)
        peer = forwarded(connection.peer, request.headers, config.trusted_proxies)
        if upgrade is not None and peer is not connection.peer:
            self.clients.claim(connection, peer.address)
        opening = Opening(plugin, action, rest, upgrade)
        # What a proxy says of its clients is another thing each time.
        if upgrade is not None and request.model is not None and not config.trusted_proxies:
            self._openings.remember(connection, request.model, opening)
        self._call(connection, exchange, opening, peer.name)

    def _check_upgrade(self, connection: HttpConnection, request: Request, action: Action) -> Upgrade:
        """What is agreed of a WebSocket. Raises HttpError where its handshake breaks a rule."""
        config = self.config
        try:
            handshake.check_request(request.method, request.version, request.headers, request.has_body)
            check_origin(request, config, connection.scheme, connection.peer)
            ours = config.web_sockets.protocol if action.protocols is None else action.protocols
            protocol = handshake.choose_protocol(handshake.offered_protocols(request.headers), ours)
            return Upgrade(protocol, deflate.negotiate(request.headers, self._deflate))
        except handshake.HandshakeError as error:
            raise HttpError(error.status, error.text, error.headers) from error

    def _call(self, connection: HttpConnection, exchange: Exchange, opening: Opening, peer: str) -> None:
        plugin, action = opening.plugin, opening.action
        # Nothing is accepted before the plugins have been started.
        assert plugin.host is not None
        if action.own is not None and (action.own.inactivity or action.own.request):
            exchange.update_deadline(action.own.inactivity, action.own.request)
        web = Web(
            exchange.request.own(),
            plugin.host,
            action,
            exchange,
            opening.path_rest,
            peer,
            connection.tls,
            opening.upgrade,
            plugin.ended,
        )
        plugin.enter()
        exchange.action = action
        exchange.task = run_action(web)

    def _match(self, connection: HttpConnection, request: Request) -> Match:
        if not self._router.redirects:
            return self._router.match(request.method, request.path)
        scheme, host = asked_at(request, self.config, connection.scheme, connection.peer)
        at = Location(scheme, authority(scheme, host), "")
        return self._router.match(request.method, request.path, at, "" if host else connection.local)

    def _redirect(self, exchange: Exchange, match: Match) -> None:
        query = exchange.request.query
        location = match.location
        if query and "?" not in location:
            location = f"{location}?{query}"
        exchange.start(match.status, [("Location", location)], 0)
        exchange.end()

    def log_refusal(self, peer: Peer, error: HttpError) -> None:
        """One line for bytes that never became a request."""
        _log.info("refused", peer=peer.name, status=error.status, why=error.text)


def _make_router(config: Config, plugins: Plugins) -> Router:
    return Router(config.routes, config.redirect, plugins.prefixes, partial(own_host, config))


def _deflate_settings(config: Config) -> deflate.DeflateSettings | None:
    compress = config.web_sockets.compress
    if compress is None:
        return None
    return deflate.DeflateSettings(
        compress.level,
        compress.window_bits,
        compress.mem_level,
        compress.context_takeover,
        compress.threshold,
    )
