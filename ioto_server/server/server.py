"""The server: connections of all listeners, where each request goes, and how it all stops."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from time import monotonic
from typing import Final

import structlog

from ioto_server.config import Config
from ioto_server.http import HttpError, Match, Router
from ioto_server.plugins import Plugins
from ioto_server.session import Host, Upgrade, Web, run_action
from ioto_server.websocket import handshake

from .exchange import Exchange
from .files import FileSender
from .gate import check_host, check_origin
from .http_connection import HttpConnection
from .listening import Listening
from .peer import Peer, forwarded
from .settings import READ_BUFFER, WRITE_HIGH, WRITE_LOW
from .websocket_connection import WebSocketConnection
from .wheel import TICK, Wheel

Connection = HttpConnection | WebSocketConnection

# A stop tells this many peers in one turn of the loop, so that the others' Closes are read in between.
_STOP_BATCH: Final = 256

_log = structlog.get_logger("ioto_server.server")


class Server:
    """Everything of one process that has to do with clients."""

    def __init__(self, config: Config, plugins: Plugins) -> None:
        """Serve as `config` says; nothing is accepted before `listening.open`."""
        self.config = config
        self.plugins = plugins
        self.wheel = Wheel(monotonic())
        self.host = Host(config, lambda: self.wheel.now)
        # One for all: a read is used up before the next one begins, so no idle connection holds a buffer.
        self.buffer = bytearray(READ_BUFFER)
        self.stopping = False
        self._retired: list[Plugins] = []
        self.listening = Listening(lambda scheme: HttpConnection(self, scheme))
        self._router = Router(config.routes, config.redirect, plugins.prefixes)
        self._files = FileSender(config)
        self._connections: set[Connection] = set()
        self._addresses: Counter[str] = Counter()
        self._drained: asyncio.Event = asyncio.Event()
        self._ticking: asyncio.TimerHandle | None = None
        self._write_high = min(WRITE_HIGH, config.limits.max_backlog)

    # ---- life -----------------------------------------------------------------------------------------

    def apply(self, config: Config, plugins: Plugins) -> None:
        """Serve as `config` says from now on: new connections and requests follow it, open ones live on."""
        self.config = config
        self.host.configure(config)
        self._router = Router(config.routes, config.redirect, plugins.prefixes)
        self._files = FileSender(config)
        self._write_high = min(WRITE_HIGH, config.limits.max_backlog)
        if plugins is not self.plugins:
            old, self.plugins = self.plugins, plugins
            self._retired.append(old)
            self._retire(old)

    def _retire(self, plugins: Plugins) -> None:
        """Stop a generation of plugins once it is replaced and its last action has returned."""
        if plugins in self._retired and plugins.users == 0:
            self._retired.remove(plugins)
            self.host.create_task(plugins.stop(self.host))

    async def stop(self, code: int, reason: str) -> None:
        """Accept no more, tell every WebSocket, let requests finish, for at most `timeouts.drain`."""
        self.stopping = True
        self.listening.close(self.listening.endpoints)
        deadline = self.config.timeouts.drain
        try:
            async with asyncio.timeout(deadline):
                await self._tell(code, reason)
                while self._connections:
                    self._drained.clear()
                    await self._drained.wait()
        except TimeoutError:
            _log.warning("drain timeout", connections=len(self._connections), seconds=deadline)
        await self._end()

    async def _tell(self, code: int, reason: str) -> None:
        connections = list(self._connections)
        for begin in range(0, len(connections), _STOP_BATCH):
            for connection in connections[begin : begin + _STOP_BATCH]:
                connection.stop(code, reason)
            await asyncio.sleep(0)

    async def _end(self) -> None:
        for connection in list(self._connections):
            connection.abort()
        tasks = self.host.cancel_tasks()
        if tasks:
            await asyncio.wait(tasks, timeout=self.config.timeouts.close)
        for plugins in (*self._retired, self.plugins):
            await plugins.stop(self.host)
        if self._ticking is not None:
            self._ticking.cancel()

    # ---- connections ----------------------------------------------------------------------------------

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    def prepare(self, transport: asyncio.WriteTransport) -> None:
        """Set what every transport of ours has."""
        transport.set_write_buffer_limits(high=self._write_high, low=min(WRITE_LOW, self._write_high))

    def admit(self, connection: HttpConnection) -> HttpError | None:
        """Count a new connection in; returns the refusal where a limit is reached."""
        limits = self.config.limits
        full = len(self._connections) >= limits.connections
        crowded = self._addresses[connection.address] >= limits.per_address
        self._connections.add(connection)
        self._addresses[connection.address] += 1
        if self._ticking is None:
            self.wheel.resume(monotonic())
            self._ticking = asyncio.get_running_loop().call_later(TICK, self._tick)
        if full:
            return HttpError(
                503, "The server has limits.connections connections: try again later", close=True
            )
        if crowded:
            return HttpError(503, "This address has limits.perAddress connections: close one", close=True)
        return None

    def replace(self, old: HttpConnection, new: WebSocketConnection) -> None:
        """A connection has changed its protocol."""
        self._connections.remove(old)
        self._connections.add(new)

    def forget(self, connection: Connection) -> None:
        """A connection is closed."""
        self._connections.discard(connection)
        address = connection.address
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._addresses[address]
        if not self._connections:
            self._drained.set()

    def _tick(self) -> None:
        self._ticking = None
        self.wheel.turn(monotonic())
        if self.wheel.stalled:
            _log.warning("loop blocked", milliseconds=round(self.wheel.stalled * 1000))
        if len(self.wheel):
            self._ticking = asyncio.get_running_loop().call_later(TICK, self._tick)

    # ---- requests -------------------------------------------------------------------------------------

    def handle(self, connection: HttpConnection, exchange: Exchange) -> None:
        """Send a request where it belongs."""
        request = exchange.request
        try:
            check_host(request, self.config, connection.local, connection.peer)
            match = self._router.match(request.method, request.path)
            if match.kind == "action":
                self._act(connection, exchange, match)
            elif match.kind == "file":
                self._files.send(exchange, match, self.host)
            elif match.kind == "redirect":
                self._redirect(exchange, match)
            else:
                exchange.start(204, [("Allow", ", ".join(match.allow))], None)
                exchange.end()
        except HttpError as error:
            refuse(exchange, error)

    def _act(self, connection: HttpConnection, exchange: Exchange, match: Match) -> None:
        request = exchange.request
        found = self.plugins.find(match.path)
        if found is None:
            raise HttpError(404, "No action is bound to this path: `ioto-server routes` shows those that are")
        action, rest = found
        if match.route is not None and match.route.stream:
            action = replace(action, stream=True)
        config = self.config
        upgrade = None
        if request.upgrade and config.web_sockets.enable:
            try:
                key = handshake.check_request(
                    request.method, request.version, request.headers, request.has_body
                )
                check_origin(request, config, connection.scheme)
                ours = config.web_sockets.protocol if action.protocols is None else action.protocols
                protocol = handshake.choose_protocol(handshake.offered_protocols(request.headers), ours)
            except handshake.HandshakeError as error:
                raise HttpError(error.status, error.text, error.headers) from error
            upgrade = Upgrade(key, protocol)
        web = Web(
            request=request,
            host=self.host,
            action=action,
            exchange=exchange,
            path_rest=rest,
            peer=forwarded(connection.peer, request.headers, config.trusted_proxies).name,
            tls=connection.tls,
            upgrade=upgrade,
        )
        plugins = self.plugins
        plugins.users += 1

        def returned(_task: asyncio.Task[None]) -> None:
            plugins.users -= 1
            self._retire(plugins)

        exchange.task = self.host.create_task(run_action(web))
        exchange.task.add_done_callback(returned)

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


def refuse(exchange: Exchange, error: HttpError) -> None:
    """Answer a request with an error: its status and one line of text that says which rule."""
    if error.close:
        exchange.keep_alive = False
    body = error.text.encode() + b"\n"
    exchange.start(error.status, [("Content-Type", "text/plain; charset=utf-8"), *error.headers], len(body))
    exchange.write(body)
    exchange.end()
