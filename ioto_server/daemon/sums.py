"""The metrics of several processes as those of one: what each has written, added up (SPEC 2, `metrics`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from structlog.typing import EventDict

Family = dict[str, Any]

# What is not the sum of all, but the largest, or the smallest: each worker has the same actions and the same
# certificate, and quantiles cannot be added: the worst worker's are the ones to look at.
_COMBINED: Final[dict[str, Callable[[float, float], float]]] = {
    "ioto_actions": max,
    "ioto_backlog_largest_bytes": max,
    "ioto_broker_up": min,
    "ioto_ping_latency_seconds": max,
    "ioto_tls_days_left": min,
    "process_max_fds": min,
    "process_start_time_seconds": min,
}

# These only ever grow, so those of a worker that has ended still count.
_LASTING: Final = ("counter", "histogram")


def written(families: Iterable[Metric]) -> list[Family]:
    """Families of metrics, ready for JSON."""
    return [
        {
            "name": family.name,
            "help": family.documentation,
            "type": family.type,
            "samples": [[sample.name, sample.labels, sample.value] for sample in family.samples],
        }
        for family in families
    ]


class Sums:
    """Adds up what processes have written, the ended ones too, and what their supervisor counts."""

    def __init__(self) -> None:
        self._ended: list[Family] = []
        self._own = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._workers = Gauge("ioto_workers", "Workers that serve", registry=registry)
        self._died = Counter("ioto_workers_died", "Workers that ended unasked", registry=registry)
        self._reloads = Counter("ioto_reloads", "Reloads, by result", ["result"], registry=registry)
        self._seen: dict[str, Callable[[], None]] = {
            "worker died": self._died.inc,
            "reloaded": self._reloads.labels("done").inc,
            "reload refused": self._reloads.labels("refused").inc,
        }

    def watch(self, _logger: object, _method: str, line: EventDict) -> EventDict:
        """Count a line of the supervisor's log."""
        seen = self._seen.get(line.get("event", ""))
        if seen is not None:
            seen()
        return line

    def bury(self, families: Iterable[Family]) -> None:
        """Keep what counts of a process that has ended: a counter that fell would look like a new start."""
        self._ended = _add([self._ended, [one for one in families if _lasts(one)]])

    def text(self, processes: Iterable[Iterable[Family]], serving: int) -> bytes:
        """All of them in Prometheus' text format."""
        self._workers.set(serving)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Written(_add([*processes, self._ended, written(self._own.collect())])))
        return generate_latest(registry)


def _lasts(family: Family) -> bool:
    return family["type"] in _LASTING and not family["name"].startswith("process_")


def _add(processes: Iterable[Iterable[Family]]) -> list[Family]:
    sums: dict[str, Family] = {}
    values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for families in processes:
        for family in families:
            name = family["name"]
            sums.setdefault(name, {**family, "samples": []})
            combine = _COMBINED.get(name, float.__add__)
            so_far = values.setdefault(name, {})
            for sample, labels, value in family["samples"]:
                # When a histogram was made is of no interest once it is a sum.
                if sample.endswith("_created"):
                    continue
                key = (sample, tuple(sorted(labels.items())))
                so_far[key] = combine(so_far[key], float(value)) if key in so_far else float(value)
    for name, family in sums.items():
        family["samples"] = [
            [sample, dict(labels), value] for (sample, labels), value in values[name].items()
        ]
    return list(sums.values())


class _Written(Collector):
    """Families that were read before."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        for family in self._families:
            metric = Metric(family["name"], family["help"], family["type"])
            for sample, labels, value in family["samples"]:
                metric.add_sample(sample, labels, value)
            yield metric
