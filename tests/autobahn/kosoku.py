"""Run cases of the Autobahn test suite with kosoku and judge its report more strictly than it does."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("kosoku")

INFORMATIONAL = frozenset({"7.1.6", "7.13.1", "7.13.2"})
"""The cases whose outcome RFC 6455 leaves open: they report INFORMATIONAL, every other one must report OK."""


@dataclass(frozen=True)
class Verdict:
    """What the suite says of one case; `report` is its full account."""

    case: str
    behavior: str
    behavior_close: str
    report: Path

    @property
    def wanted(self) -> str:
        return "INFORMATIONAL" if self.case in INFORMATIONAL else "OK"

    @property
    def good(self) -> bool:
        return self.behavior == self.behavior_close == self.wanted

    def __str__(self) -> str:
        """What a person needs to start looking: verdict, rule, expected and received events, wire."""
        account = json.loads(self.report.read_text())
        expected = " or ".join(str(events) for events in account["expected"].values())
        closing = f"code {account['remoteCloseCode']} {account['remoteCloseReason'] or ''}".rstrip()
        return "\n".join(
            (
                f"{self.case}: {self.behavior}, closing {self.behavior_close}; wanted {self.wanted} for both",
                f"    {' '.join(account['description'].split())[:300]}",
                f"    expected: {expected[:300]}",
                f"    received: {str(account['received'])[:300]}, {closing}",
                f"    result: {account['result']} {account['resultClose']}",
                f"    all of it: {self.report.with_suffix('.html')}",
            )
        )


def run_cases(
    address: str,
    report: Path,
    *,
    include: Sequence[str],
    exclude: Sequence[str] = (),
    parallel: int = 2,
    seconds: float,
) -> list[Verdict]:
    """Run the chosen cases (identifiers or `*` patterns) against `HOST:PORT/path`; writes to folder `report`.

    Raises AssertionError when kosoku itself fails, or is not done within `seconds`.
    """
    shutil.rmtree(report, ignore_errors=True)
    command: list[str | Path] = [PROGRAM, "--outdir", report, "--parallelism", str(parallel)]
    for pattern in include:
        command += ["--include", pattern]
    for pattern in exclude:
        command += ["--exclude", pattern]
    run = subprocess.run(
        [*command, address],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    # Exit code 1 says that some case failed; the report says which, and is what counts.
    index = report / "index.json"
    assert run.returncode in (0, 1), f"kosoku ended with {run.returncode}:\n{run.stderr}"
    assert index.exists(), f"kosoku wrote no report:\n{run.stdout}{run.stderr}"
    return [
        Verdict(case, entry["behavior"], entry["behaviorClose"], report / entry["reportfile"])
        for agent in json.loads(index.read_text()).values()
        for case, entry in agent.items()
    ]


def run_again_alone(address: str, verdict: Verdict) -> Verdict:
    """Run one case again with nothing beside it."""
    folder = verdict.report.parent / f"again-{verdict.case}"
    (again,) = run_cases(address, folder, include=[verdict.case], parallel=1, seconds=60)
    return again
