"""What was measured, as tables, and whether each figure of ours is what it has to be."""

from __future__ import annotations

from statistics import median
from typing import Any

from tests.bench.ws.measure import Sample
from tests.bench.ws.scenarios import BOUNDS, SCENARIOS, Bound

Results = dict[str, Any]
"""By scenario: `samples` by contestant, and when and on what they were made."""


def cost(scenario: str, sample: Sample) -> float:
    """What is compared: microseconds of the server's processor time, or bytes of memory, for one."""
    if SCENARIOS[scenario].mode == "idle":
        return (sample["memory_after"] - sample["memory_before"]) / sample["count"]
    return sample["cpu"] / sample["count"] * 1e6


def ratios(results: Results, bound: Bound) -> list[float] | None:
    """The figures that a bound is about, one a round; None where they were not measured."""
    samples = results.get(bound.scenario, {}).get("samples", {})
    ours = samples.get(bound.ours)
    theirs = samples.get(bound.peer) if bound.peer else ours
    if not ours or not theirs:
        return None
    ours, theirs = ([cost(bound.scenario, sample) for sample in some] for some in (ours, theirs))
    if bound.peer is None:
        return ours
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def spread(values: list[float], form: str = "{:9.2f}") -> str:
    """min, median, max."""
    return "".join(form.format(value) for value in three(values))


def print_scenario(name: str, results: Results) -> None:
    scenario = SCENARIOS[name]
    samples: dict[str, list[Sample]] = results[name]["samples"]
    print(f"\n{name}: {scenario.title}; {len(next(iter(samples.values()), []))} rounds")
    if scenario.mode == "idle":
        print(f"  {'':18}{'server memory, bytes a connection':>36}")
        print(f"  {'':18}{'min':>12}{'median':>12}{'max':>12}")
        for contestant, some in samples.items():
            print(f"  {contestant:18}{spread([cost(name, sample) for sample in some], '{:12,.0f}')}")
    else:
        heading = f"server CPU, us a {scenario.counted}"
        print(f"  {'':18}{heading:>27}{'':12}{'latency, us':>9}")
        print(f"  {'':18}{'min':>9}{'median':>9}{'max':>9}{'a second':>12}", end="")
        print(f"{'p50':>9}{'p99':>9}{'p99.9':>9}{'max':>9}")
        for contestant, some in samples.items():
            costs = spread([cost(name, sample) for sample in some])
            rate = median(sample["count"] / sample["seconds"] for sample in some)
            latencies = "".join(
                f"{median(sample['latency'][share] for sample in some):9.0f}"
                for share in ("p50", "p99", "p99.9", "max")
            )
            print(f"  {contestant:18}{costs}{rate:12,.0f}{latencies}")
    print_bounds([bound for bound in BOUNDS if bound.scenario == name], results)


def print_bounds(bounds: list[Bound], results: Results) -> None:
    """Each bound: what it is about, min-median-max of its figure, and whether the median is within."""
    for bound in bounds:
        values = ratios(results, bound)
        what = (
            f"{bound.scenario}: {bound.ours} / {bound.peer}"
            if bound.peer
            else f"{bound.scenario}: {bound.ours}, bytes"
        )
        if values is None:
            print(f"  {what:44} not measured")
            continue
        form, most = ("{:9.2f}", f"{bound.most:.2f}") if bound.peer else ("{:9.0f}", f"{bound.most:.0f}")
        verdict = "reached" if median(values) <= bound.most else "MISSED"
        if bound.dream is not None:
            better = median(values) <= bound.dream
            verdict += f", and {bound.dream:g} {'reached too' if better else 'not'}"
        print(f"  {what:44}{spread(values, form)}   at most {most}: {verdict}")


def summary(results: Results) -> Results:
    """What is published: of each figure the least, the median and the greatest of the rounds."""
    return {
        "scenarios": {
            name: {
                "title": SCENARIOS[name].title,
                "unit": "bytes" if SCENARIOS[name].mode == "idle" else f"us/{SCENARIOS[name].counted}",
                **result["machine"],
                "servers": {
                    server: _summary_of(name, samples)
                    for server, samples in result["samples"].items()
                    if samples
                },
            }
            for name, result in results.items()
            if name in SCENARIOS
        },
        "bounds": [
            {
                "scenario": bound.scenario,
                "ours": bound.ours,
                "peer": bound.peer,
                "at most": bound.most,
                "min, median, max": three(values),
            }
            for bound in BOUNDS
            if (values := ratios(results, bound)) is not None
        ],
    }


def _summary_of(scenario: str, samples: list[Sample]) -> dict[str, Any]:
    found: dict[str, Any] = {"cost": three([cost(scenario, sample) for sample in samples])}
    if SCENARIOS[scenario].mode != "idle":
        found["a second"] = three([sample["count"] / sample["seconds"] for sample in samples])
        found["latency, us"] = {
            share: median(sample["latency"][share] for sample in samples) for share in samples[0]["latency"]
        }
    return found


def three(values: list[float]) -> list[float]:
    """min, median, max."""
    return [round(value, 3) for value in (min(values), median(values), max(values))]
