"""Prometheus metrics, without a cost for any message: read from what is counted and logged anyway (SPEC 2).

Each connection counts its own messages and bytes; a scrape adds up the open ones. What has ended, was refused
or went wrong is counted from the very lines of the log, so that the two never tell different stories.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from structlog.typing import EventDict

from ioto_server.config.validity import read_validity
from ioto_server.server import Server
from ioto_server.server.states import Phase

from .roster import Roster

if TYPE_CHECKING:
    from ioto_server.server.exchange import Exchange
    from ioto_server.server.http_connection import HttpConnection

# How often the event loop is asked how late it is, in seconds.
_LAG_EVERY: Final = 0.5
_LAG_BUCKETS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
_RUN_BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
# Actions that are told apart; there are as many time series for each as there are buckets.
_MOST_NAMES: Final = 100
_LIFE_BUCKETS: Final = (1, 10, 60, 600, 3600, 6 * 3600, 86400, 7 * 86400)
_QUANTILES: Final = (0.5, 0.9, 0.99, 1.0)


class Metrics:
    """The counters of one process."""

    def __init__(self, server: Server, roster: Roster, broker: Callable[[], dict[str, Any] | None]) -> None:
        """Read from `server`, and what `broker` reports of a broker, at each scrape."""
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(_Live(self, server, roster))
        registry.register(_Broker(broker))
        self.ended = {"messages_in": 0, "messages_out": 0, "bytes_in": 0, "bytes_out": 0, "dropped": 0}
        self._requests = Counter("ioto_requests", "HTTP requests answered", ["status"], registry=registry)
        self._request_time = Histogram(
            "ioto_request_seconds",
            "From a request's header to the end of its answer",
            registry=registry,
        )
        self._refused = Counter(
            "ioto_refused", "Bytes that never became a request", ["status"], registry=registry
        )
        self._handshakes = Counter(
            "ioto_handshakes", "WebSocket handshakes asked for, by result", ["result"], registry=registry
        )
        self._closes = Counter(
            "ioto_closes", "WebSockets that ended", ["code", "by", "cause"], registry=registry
        )
        self._lives = Histogram(
            "ioto_websocket_seconds", "Life of WebSockets", buckets=_LIFE_BUCKETS, registry=registry
        )
        self._slow = Counter(
            "ioto_slow_consumers", "Clients closed because they read too slowly", registry=registry
        )
        self._names: set[str] = set()
        self._ran = Histogram(
            "ioto_action_seconds",
            "Time that actions and callbacks ran without a pause, by function; under 1 ms is left out",
            ["action"],
            buckets=_RUN_BUCKETS,
            registry=registry,
        )
        self._held = Counter(
            "ioto_callbacks_held_loop", "Callbacks of actions that held the loop too long", registry=registry
        )
        self._failed = Counter("ioto_action_errors", "Exceptions that actions raised", registry=registry)
        self._reloads = Counter("ioto_reloads", "Reloads, by result", ["result"], registry=registry)
        self._lag = Histogram(
            "ioto_loop_lag_seconds", "How late the event loop is", buckets=_LAG_BUCKETS, registry=registry
        )
        for result in ("accepted", "refused"):
            self._handshakes.labels(result)
        for result in ("done", "refused"):
            self._reloads.labels(result)
        self._seen: dict[str, Callable[[EventDict], None]] = {
            "request": self._request,
            "refused": lambda line: self._refused.labels(line["status"]).inc(),
            "websocket open": lambda _line: self._handshakes.labels("accepted").inc(),
            "websocket close": self._close,
            "action ran": self._action_ran,
            "action held the loop": self._action_held,
            "callback held the loop": self._action_held,
            "action failed": lambda _line: self._failed.inc(),
            "reloaded": lambda _line: self._reloads.labels("done").inc(),
            "reload refused": lambda _line: self._reloads.labels("refused").inc(),
        }

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)

    def families(self) -> Iterable[Metric]:
        """Everything, for who adds it to that of others."""
        return self._registry.collect()

    def handshake_refused(self) -> None:
        """A client asked for a WebSocket and got another answer."""
        self._handshakes.labels("refused").inc()

    # ---- from the log ---------------------------------------------------------------------------------

    def watch(self, _logger: object, _method: str, line: EventDict) -> EventDict:
        """Count a line of the log; also one that is too unimportant to be kept."""
        seen = self._seen.get(line.get("event", ""))
        if seen is not None:
            seen(line)
        return line

    def _request(self, line: EventDict) -> None:
        self._requests.labels(line["status"]).inc()
        self._request_time.observe(line["milliseconds"] / 1000)

    def _action_ran(self, line: EventDict) -> None:
        name = line.get("action") or line["callback"]
        # A callable without a name of its own is another one each time.
        if name not in self._names:
            name = name if len(self._names) < _MOST_NAMES else "other"
            self._names.add(name)
        self._ran.labels(name).observe(line["milliseconds"] / 1000)

    def _action_held(self, line: EventDict) -> None:
        self._held.inc()
        self._action_ran(line)

    def _close(self, line: EventDict) -> None:
        for name in self.ended:
            self.ended[name] += line[name]
        self._closes.labels(line["close"].split(" ")[0], line["by"], line["cause"]).inc()
        self._lives.observe(line["seconds"])
        if line["cause"] == "peer reads too slowly":
            self._slow.inc()

    # ---- from the loop --------------------------------------------------------------------------------

    def measure_lag(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ask the loop from now on how late it comes to what is due."""
        due = loop.time() + _LAG_EVERY

        def come() -> None:
            self._lag.observe(max(0.0, loop.time() - due))
            self.measure_lag(loop)

        loop.call_at(due, come)


class MeteredServer(Server):
    """A server that tells of handshakes that came to nothing."""

    metrics: Metrics | None = None

    def handle(self, connection: HttpConnection, exchange: Exchange) -> None:
        """Send a request where it belongs, and look what became of its Upgrade."""
        super().handle(connection, exchange)
        if not exchange.request.upgrade:
            return
        if exchange.done or exchange.task is None:
            self._look(connection)
        else:
            exchange.task.add_done_callback(lambda _task: self._look(connection))

    def _look(self, connection: HttpConnection) -> None:
        if self.metrics is not None and connection.phase is not Phase.UPGRADED:
            self.metrics.handshake_refused()


class _Live(Collector):
    """What is read off the open connections at the moment of a scrape; 10,000 take some 20 ms."""

    def __init__(self, metrics: Metrics, server: Server, roster: Roster) -> None:
        self._metrics = metrics
        self._server = server
        self._roster = roster

    def collect(self) -> Iterable[Metric]:
        server = self._server
        totals = dict(self._metrics.ended)
        backlog = largest = 0
        latencies = []
        for websocket in self._roster:
            waiting = websocket.backlog
            backlog += waiting
            largest = max(largest, waiting)
            if websocket.latency is not None:
                latencies.append(websocket.latency)
            if websocket.ending is None:
                # One that has ended is counted by its close line.
                for name in totals:
                    totals[name] += getattr(websocket, name)
        yield _gauge("ioto_connections", "Open connections, HTTP and WebSocket", server.connections)
        yield _gauge("ioto_websockets", "Open WebSockets", len(self._roster))
        yield _gauge("ioto_actions", "Prefixes that actions are bound to", len(server.plugins.prefixes))
        yield _gauge("ioto_backlog_bytes", "Unsent bytes that wait for all clients", backlog)
        yield _gauge("ioto_backlog_largest_bytes", "Unsent bytes of the client with most of them", largest)
        yield _gauge("ioto_held_bytes", "Bytes counted against limits.memory", server.host.memory.total)
        yield _both_ways("ioto_messages", "WebSocket messages", totals["messages_in"], totals["messages_out"])
        yield _both_ways("ioto_bytes", "Bytes of WebSockets", totals["bytes_in"], totals["bytes_out"])
        yield CounterMetricFamily(
            "ioto_dropped_messages", "Messages dropped for slow clients", totals["dropped"]
        )
        yield _latency(sorted(latencies))
        tls = server.config.tls
        validity = read_validity(tls.certificate) if tls is not None else None
        if validity is not None:
            left = (validity[1] - datetime.now(UTC)).total_seconds() / 86400
            yield _gauge("ioto_tls_days_left", "Days until the certificate expires", left)


class _Broker(Collector):
    """What is read off the carrier of topics; nothing where there is none."""

    def __init__(self, report: Callable[[], dict[str, Any] | None]) -> None:
        self._report = report

    def collect(self) -> Iterable[Metric]:
        found = self._report()
        if found is None:
            return
        yield _gauge("ioto_broker_up", "Whether the broker of topics is in reach", found["state"] == "up")
        yield _gauge("ioto_broker_waiting_bytes", "What waits for the broker", found["waiting_bytes"])
        yield _both_ways(
            "ioto_broker_messages", "Messages by the broker", found["received"], found["published"]
        )
        yield CounterMetricFamily(
            "ioto_broker_dropped_messages", "Messages dropped for a slow broker", found["dropped"]
        )
        yield CounterMetricFamily(
            "ioto_broker_refused_messages", "Messages of the broker not taken", found["refused"]
        )


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value)


def _both_ways(name: str, text: str, received: int, sent: int) -> Metric:
    family = CounterMetricFamily(name, text, labels=["direction"])
    family.add_metric(["in"], received)
    family.add_metric(["out"], sent)
    return family


def _latency(trips: list[float]) -> Metric:
    """The spread of the open connections' latest round trips; nothing where none was measured."""
    family = GaugeMetricFamily(
        "ioto_ping_latency_seconds", "Latest round trips of the open WebSockets", labels=["quantile"]
    )
    for quantile in _QUANTILES if trips else ():
        family.add_metric([str(quantile)], trips[min(int(quantile * len(trips)), len(trips) - 1)])
    return family
