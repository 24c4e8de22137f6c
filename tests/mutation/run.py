"""Mutation testing of the codec: how many small mistakes do the tests notice? `make mutation`

Usage: run.py [--jobs N] [--quick] [--again] [MODULE ...]

What is found goes to artefacts/mutation, where a run that was stopped goes on: mutants that were killed are
not tried again (`--again`: all are), survivors are. SURVIVORS.md says of each why it may live; the run
fails below 95 %, and at a survivor that is not named there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
RESULTS = REPOSITORY / "artefacts" / "mutation" / "results.jsonl"
WANTED = 0.95
MODULES = ["frames", "utf8", "handshake", "protocol", "reader", "receiver", "octets"]
MODULES += ["compression", "deflate", "extensions", "errors"]
#: Those that know but the sources that run: beside unchanged ones the mutants would only be compared.
TESTS = ["tests/websocket", "tests/rfc/test_rfc6455_sending.py", "tests/rfc/test_rfc6455_handshake.py"]
TESTS += ["tests/rfc/test_rfc6455_violations.py", "tests/rfc/test_rfc7692_memory.py", "tests/client"]
SLOWEST = " and not any_cut and not 131073 and not bomb and not fragments_hold and not window_of_every_size"


def load() -> dict[str, Any]:
    """What earlier runs found, by the mutant's name."""
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    return {one["name"]: one for one in map(json.loads, lines)}


def digest() -> str:
    """Of the codec and of everything that its tests are made of."""
    files = [*REPOSITORY.glob("ioto_server/websocket/*.py"), *REPOSITORY.glob("tests/**/*.py")]
    chosen = sorted(file for file in files if file.parent != HERE)
    return hashlib.sha256(b"".join(file.read_bytes() for file in chosen)).hexdigest()[:12]


def without_failures_shrunk() -> None:
    from hypothesis import HealthCheck, Phase, settings

    settings.register_profile(
        "mutation",
        database=None,
        derandomize=True,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutation")


def main() -> int:
    parser = argparse.ArgumentParser(description="break the codec in two thousand ways")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--again", action="store_true", help="try the killed ones again too")
    parser.add_argument("--quick", action="store_true", help="leave out the slowest tests: for a first run")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=" ".join(MODULES))
    options = parser.parse_args()
    if os.environ.get("IOTO_PURE") != "1":
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "IOTO_PURE": "1"})
    os.chdir(REPOSITORY)
    sys.path.insert(0, str(REPOSITORY))
    import pytest

    from tests.mutation.mutants import make_mutants
    from tests.mutation.session import Session, summary

    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    without_failures_shrunk()
    with RESULTS.open("a") as results:
        every = make_mutants(options.modules or MODULES, RESULTS.parent)
        settled = {} if options.again else load()
        verdicts = {
            mutant.name: str(settled[mutant.name]["verdict"])
            for mutant in every
            if settled.get(mutant.name, {}).get("digest") == mutant.digest
            and settled[mutant.name]["verdict"].startswith("killed")
        }
        wanted = [mutant for mutant in every if mutant.name not in verdicts]
        # So that what a run has found when it is stopped is a fair sample of all; known survivors come last.
        random.Random(0).shuffle(wanted)
        wanted.sort(key=lambda mutant: settled.get(mutant.name, {}).get("digest") == mutant.digest)
        print(f"{len(every)} mutants, of which {len(wanted)} are to be tried", flush=True)

        def record(mutant: Any, verdict: str, test: str) -> None:
            verdicts[mutant.name] = verdict
            line = {"name": mutant.name, "digest": mutant.digest, "verdict": verdict, "test": test}
            print(json.dumps(line), file=results, flush=True)

        arguments = ["-q", "-s", "--no-header", "--assert=plain", "--tb=native", "-o", "timeout=0"]
        arguments += ["-p", "no:cacheprovider", "-p", "no:xdist"]
        arguments += ["-k", f"not sources{SLOWEST if options.quick else ''}"]
        seen = RESULTS.with_name(f"tests-{digest()}.jsonl")
        session = Session(wanted, every, options.jobs, record, seen)
        code = pytest.main([*arguments, *TESTS], plugins=[session])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) or len(verdicts) < len(every):
        print("the run did not come to its end", file=sys.stderr)
        return 2
    counts = summary(verdicts)
    for where in (*dict.fromkeys(mutant.name.partition(".")[0] for mutant in every), "all"):
        killed, alive = counts[f"{where} killed"], counts[f"{where} alive"]
        print(f"{where:12} {killed:5} of {killed + alive:5} killed, {killed / (killed + alive):.1%}")
    survivors = sorted(name for name, verdict in verdicts.items() if not verdict.startswith("killed"))
    explained = HERE.joinpath("SURVIVORS.md").read_text()
    unexplained = [name for name in survivors if f"`{name}`" not in explained]
    print(f"{len(survivors)} survivors, of which these are not explained in SURVIVORS.md:", *unexplained)
    return 1 if unexplained or counts["all killed"] < WANTED * len(verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
