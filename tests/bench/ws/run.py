"""`make bench`: our server beside others, message by message, on this machine in this run.

python tests/bench/ws/run.py [--only SCENARIO,...] [--servers NAME,...] [--rounds N] [--seconds S]

docs/speed.md says how it is measured and how to read what is printed.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.bench.ws.measure import measure
from tests.bench.ws.plot import plot
from tests.bench.ws.programs import MADE, REPOSITORY, Programs, compile_generator
from tests.bench.ws.report import print_bounds, print_scenario, summary
from tests.bench.ws.scenarios import BOUNDS, CONTESTANTS, SCENARIOS, judged

PUBLISHED = REPOSITORY / "docs"


def names_of(known: dict[str, Any]) -> Any:
    """A type for argparse: names with commas between them."""

    def read(text: str) -> list[str]:
        names = [name for name in text.split(",") if name]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"no {name!r}; there are {', '.join(known)}")
        return names

    return read


def machine() -> dict[str, str]:
    """What it was measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", type=names_of(SCENARIOS), default=list(SCENARIOS), help="scenarios")
    parser.add_argument("--servers", type=names_of(CONTESTANTS), default=list(CONTESTANTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="measured in each round")
    parser.add_argument(
        "--publish", action="store_true", help="put what was measured into docs/, with the plot"
    )
    parser.add_argument("--realtime", action="store_true", help="go before all else on the machine (root)")
    parser.add_argument("--quick", action="store_true", help="what has to be shown alone, in few rounds")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 3, 0.4
        options.only = [name for name in options.only if judged(name)]
    return options


def main() -> None:
    options = read_arguments()
    if options.realtime:
        # The servers and the generator inherit it.
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    kept = MADE / ("quick.json" if options.quick else "results.json")
    results = json.loads(kept.read_text()) if kept.exists() else {}
    generator = compile_generator(MADE, any(SCENARIOS[name].tls for name in options.only))
    with tempfile.TemporaryDirectory() as folder:
        programs = Programs(Path(folder))
        try:
            for name in options.only:
                scenario = SCENARIOS[name]
                wanted = judged(name) if options.quick else scenario.of
                of = [contestant for contestant in options.servers if contestant in wanted]
                # Memory does not swing as time does.
                rounds = 1 if options.quick and scenario.fresh else options.rounds
                samples = measure(name, scenario, of, programs, generator, rounds, options.seconds)
                results[name] = {"machine": machine(), "samples": samples}
                print_scenario(name, results)
                kept.write_text(json.dumps(results, indent=1))
                kept.with_suffix(".svg").write_text(plot(results))
        finally:
            programs.stop()
    if len(options.only) > 1:
        print("\nWhat each figure has to be, of the medians of the rounds (min, median, max)")
        print_bounds([bound for bound in BOUNDS if bound.scenario in options.only], results)
    if options.publish:
        (PUBLISHED / "speed.json").write_text(json.dumps(summary(results), indent=1) + "\n")
        (PUBLISHED / "speed.svg").write_text(plot(results))


if __name__ == "__main__":
    main()
