"""Run the coverage-guided target for so many executions, or for so long, and say what was done.

Usage: run.py --runs N | --for 10m [--keep]

Ends with an error when an input fails; the input is then in artefacts/fuzz. `--keep` adds the inputs that
reached something new to the committed corpus.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
sys.path.insert(0, str(REPOSITORY))

from tests.fuzz.seeds import FOUND, seeds  # noqa: E402

UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds(text: str) -> int:
    match = re.fullmatch(r"([0-9]+)([smh])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 30s, 10m or 2h")
    return int(match[1]) * UNITS[match[2]]


def main() -> int:
    parser = argparse.ArgumentParser(description="fuzz the codec")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--runs", type=int)
    length.add_argument("--for", type=seconds, dest="seconds", metavar="10m")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    artefacts = REPOSITORY / "artefacts" / "fuzz"
    artefacts.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        begun, grown = Path(folder, "seeds"), Path(folder, "grown")
        begun.mkdir()
        grown.mkdir()
        for number, seed in enumerate(seeds()):
            (begun / f"{number:04}").write_bytes(seed)
        run = subprocess.run(
            [
                sys.executable,
                HERE / "target.py",
                f"-runs={options.runs}" if options.runs else f"-max_total_time={options.seconds}",
                *(["-seed=1"] if options.runs else []),
                "-max_len=2048",
                # By the clock on the wall: a limit for what never ends, whatever else the machine does.
                "-timeout=300",
                "-print_final_stats=1",
                f"-artifact_prefix={artefacts}/",
                grown,
                begun,
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if run.returncode:
            print(run.stdout[-3000:], run.stderr[-6000:], sep="\n", file=sys.stderr)
            return 1
        found = sorted(one.read_bytes() for one in grown.iterdir())
    used = getrusage(RUSAGE_CHILDREN)
    executions = int(re.findall(r"stat::number_of_executed_units:\s*([0-9]+)", run.stderr)[-1])
    coverage, features = re.findall(r"cov: ([0-9]+) ft: ([0-9]+)", run.stderr)[-1]
    print(f"fuzzing: {executions} executions, {coverage} edges and {features} features reached, ", end="")
    print(f"{len(found)} inputs found something new, no failure; ", end="")
    print(f"{executions / (used.ru_utime + used.ru_stime):.0f} executions in a second of the processor")
    if options.keep:
        FOUND.write_text(
            "".join(sorted({*FOUND.read_text().splitlines(True), *(f"{one.hex()}\n" for one in found)}))
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
