"""Rounds: in each, every contestant is measured once, so that what disturbs the machine disturbs all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.bench.http.peers import CLIENT_CORE
from tests.bench.ws.programs import Program, Programs
from tests.bench.ws.scenarios import CONTESTANTS, Contestant, Scenario

Sample = dict[str, Any]
"""What the generator said of one contestant in one round."""


class GeneratorError(Exception):
    """The generator could not go on, or a reply was wrong."""


def generate(
    generator: Path, scenario: Scenario, server: Contestant, program: Program, **times: float
) -> Sample:
    """Run the generator once against one server, and return what it says."""
    command: list[object] = ["taskset", "-c", CLIENT_CORE, generator, scenario.mode]
    options: dict[str, object] = {
        "port": program.port,
        "path": "/ws/subscribe" if scenario.mode == "broadcast" else server.echo,
        "publish-path": "/ws/publish",
        "connections": scenario.connections,
        "in-flight": scenario.in_flight,
        "size": scenario.size,
        "content": scenario.content,
        **times,
    }
    for name, value in options.items():
        command += [f"--{name}", value]
    command += ["--tls"] * scenario.tls + ["--raw"] * server.raw
    for pid in program.pids:
        command += ["--pid", pid]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise GeneratorError(f"{done.stderr.strip()} {done.stdout.strip()}")
    return json.loads(done.stdout)


def measure(
    name: str,
    scenario: Scenario,
    of: list[str],
    programs: Programs,
    generator: Path,
    rounds: int,
    seconds: float,
) -> dict[str, list[Sample]]:
    """All rounds of one scenario: samples by contestant. One that fails is left out from then on."""
    samples: dict[str, list[Sample]] = {contestant: [] for contestant in of}
    for number in range(rounds):
        for contestant in of[number % len(of) :] + of[: number % len(of)]:
            if contestant not in samples:
                continue
            server = CONTESTANTS[contestant]
            start = programs.start if scenario.fresh else programs.get
            program = start(server.program, scenario.tls)
            times = {"seconds": 0, "warmup": 0.5} if scenario.fresh else {"seconds": seconds, "warmup": 0.3}
            try:
                samples[contestant].append(generate(generator, scenario, server, program, **times))
            except GeneratorError as error:
                print(f"{name}: {contestant} is left out: {error}", file=sys.stderr)
                del samples[contestant]
            finally:
                if scenario.fresh:
                    program.stop()
    return samples
