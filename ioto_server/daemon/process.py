"""The server of one process: started, stopped, reloaded and asked, by itself or by its supervisor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog

from ioto_server.config import Config
from ioto_server.plugins import PluginError, Plugins
from ioto_server.server import Listener, Server, TlsContext

from . import descriptors, logs
from .control import Command
from .engine import TO_IMPORT, StartError
from .operations import Operations
from .outcome import MISUSED, unusable
from .preflight import route_warnings
from .renewal import Opener, Renewal
from .status import Status, line

if TYPE_CHECKING:
    from ioto_server.broker import BrokerCarrier

    from .metrics import Metrics

_log = structlog.get_logger("ioto_server")

T = TypeVar("T")

# Beyond what a stop may take by its timeouts, in seconds: moments for each io_stop that others left no time,
# and for the broker.
MARGIN: Final = 5.0

# What a start waits for a broker, and a stop for what is still to be sent to it, in seconds.
_FOR_BROKER: Final = 2.0


class Process:
    """An Engine: this process serves."""

    def __init__(
        self,
        server: Server,
        tls: TlsContext | None,
        sockets: Opener,
        listeners: Callable[[], Iterable[Listener]],
        mark: str = "",
        note: Callable[[str], None] = lambda _what: None,
    ) -> None:
        """Serve at `listeners()`, and at what `sockets` gives later; ids of connections begin with `mark`.

        `note` is told what a start, or a reload, waits for.
        """
        self.server = server
        self._listeners = listeners
        self._status = Status(server)
        self._operations = Operations(server, mark)
        self.waits_for = ""
        self._note = note
        self._renewal = Renewal(server, tls, sockets, self._wait_for)
        self._metrics: Metrics | None = None
        self._carrier: BrokerCarrier | None = None
        self.prepare = self._renewal.prepare
        self.commit = self._renewal.commit
        self.abort = self._renewal.abort

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.server.config

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self.server.connections

    @property
    def tls(self) -> TlsContext | None:
        """What https endpoints are open with."""
        return self._renewal.tls

    @property
    def commands(self) -> Mapping[str, Command]:
        """What operators may ask."""
        return self._operations.commands

    @property
    def longest_start(self) -> float:
        """Seconds that a start may take."""
        return self.config.timeouts.start + TO_IMPORT

    @property
    def longest_stop(self) -> float:
        """Seconds that a stop may take."""
        timeouts = self.config.timeouts
        return timeouts.drain + 2 * timeouts.close + MARGIN

    def _wait_for(self, what: str) -> None:
        self.waits_for = what
        self._note(what)

    async def start(self) -> None:
        """Start the plugins. Raises StartError."""
        server = self.server
        descriptors.Watch(asyncio.get_running_loop())
        self._wait_for("topics.broker")
        await self._start_carrier()
        try:
            await server.plugins.start(
                server.host, self.config.timeouts.start, lambda file: self._wait_for(f"io_start of {file}")
            )
        except BaseException as error:
            if self._carrier is not None:
                await self._carrier.close(_FOR_BROKER)
            if isinstance(error, PluginError):
                raise StartError(unusable(error), error.trace, MISUSED) from error
            raise
        self._wait_for("")

    async def _start_carrier(self) -> None:
        """Have topics carried to other processes, where the configuration says by whom."""
        broker = self.config.topics.broker
        if broker is None:
            return
        # Who has no broker need not load its library.
        from ioto_server.broker import BrokerCarrier

        self._carrier = carrier = BrokerCarrier(broker, self.server.host)
        self.server.host.topics.carry(carrier)
        await carrier.start(_FOR_BROKER)

    def warn_of_routes(self) -> None:
        """Log what is doubtful about plugins and routes."""
        for text in route_warnings(self.server.config, self.server.plugins):
            _log.warning("route", problem=text)

    async def accept(self) -> None:
        """Accept clients."""
        await self.server.listening.open(list(self._listeners()), self.tls)

    async def leave(self) -> None:
        """Accept nobody any more."""
        self.server.listening.close(self.server.listening.endpoints)

    async def stop(self, code: int, reason: str) -> None:
        """Close every WebSocket with `code`, let requests finish for `timeouts.drain`, end."""
        await self.server.stop(code, reason)
        if self._carrier is not None:
            await self._carrier.close(_FOR_BROKER)

    async def break_off(self) -> None:
        """Leave a stop as it is: what serves ends with this process."""

    def line(self) -> str:
        """The state in a few words."""
        return line(self.server.connections, len(self.server.host.websockets))

    def healthy(self) -> bool:
        """Whether the watchdog is to be fed: who can ask has a loop that turns."""
        return True

    async def report(self) -> dict[str, Any]:
        """The state at this moment, ready for JSON."""
        report = self._status.report()
        return report if self._carrier is None else {**report, "broker": self._carrier.report()}

    def reopen_log(self) -> None:
        """Go on in a new log file where the old one was renamed."""
        logs.reopen()

    async def aside(self, function: Callable[[], T]) -> T:
        """Call what takes its time in a thread."""
        return await asyncio.to_thread(function)

    # ---- metrics --------------------------------------------------------------------------------------

    def measure(self) -> None:
        """Begin to count for the metrics."""
        from .metrics import MeteredServer, Metrics

        server = self.server
        assert isinstance(server, MeteredServer)
        self._metrics = server.metrics = Metrics(server, self._operations.roster, self._broker)
        logs.watch(self._metrics.watch)
        self._metrics.measure_lag(asyncio.get_running_loop())

    async def metrics(self) -> bytes:
        """The metrics in Prometheus' text format."""
        assert self._metrics is not None
        return self._metrics.text()

    def _broker(self) -> dict[str, Any] | None:
        return None if self._carrier is None else self._carrier.report()

    def families(self) -> list[dict[str, Any]]:
        """The metrics, ready for JSON."""
        from .sums import written

        assert self._metrics is not None
        return written(self._metrics.families())


def make_server(config: Config, plugins: Plugins) -> Server:
    """The server of this process, which counts for the metrics where there are some."""
    if config.metrics is None:
        return Server(config, plugins)
    # Who has no metrics need not load their library.
    from .metrics import MeteredServer

    return MeteredServer(config, plugins)
