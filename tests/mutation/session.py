"""A pytest session that runs its tests against one mutant after the other, each in a fork of its own."""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path
from time import process_time
from types import FrameType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from .mutants import AT_IMPORT, Mutant, functions_of

#: Of the processor, for one test: what it took without a mutant, times so many, and so many seconds more.
PATIENCE = 10, 5.0
#: More memory than the session had before, in bytes, is a mutant's endless growth.
ROOM = 1 << 30

Record = Callable[[Mutant, str, str], None]


@dataclass(frozen=True)
class Known:
    """Of one test: the processor's seconds, and the functions with mutants that it calls."""

    cpu: float
    calls: frozenset[str]


class Session:
    """The plugin. `wanted`: mutants to be judged; `record(mutant, verdict, test)` is told of each."""

    def __init__(
        self, wanted: list[Mutant], every: list[Mutant], jobs: int, record: Record, seen: Path
    ) -> None:
        self._wanted = wanted
        self._every = every
        self._jobs = jobs
        self._record = record
        self._items: dict[str, Any] = {}
        self._known: dict[str, Known] = {}
        # What killed other mutants of the function, most often first: tried before the others.
        self._killers: defaultdict[str, Counter[str]] = defaultdict(Counter)
        # By process: its mutant, its tests, and where it says which of them it is at.
        self._running: dict[int, tuple[Mutant, list[str], mmap]] = {}
        # What a run of the same code has seen of the tests.
        self._seen = seen
        lines = seen.read_text().splitlines() if seen.exists() else []
        for name, cpu, calls in map(json.loads, lines):
            self._known[name] = Known(cpu, frozenset(calls))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._items = {item.nodeid: item for item in session.items}
        for name, item in self._items.items():
            if name not in self._known:
                self._known[name] = self._look(item)
        gc.collect()
        gc.freeze()
        for mutant in self._wanted:
            while len(self._running) >= self._jobs:
                self._reap()
            self._start(mutant)
        while self._running:
            self._reap()
        return True

    def _look(self, item: Any) -> Known:
        """Run a test without a mutant, and see what it calls."""
        names = {id(function.__code__): name for name, function in functions_of(self._every)}
        called = set()

        def note(frame: FrameType, event: str, _argument: object) -> None:
            if event == "call" and id(frame.f_code) in names:
                called.add(names[id(frame.f_code)])

        begun = process_time()
        sys.setprofile(note)
        try:
            reports = runtestprotocol(item, log=False, nextitem=None)
        finally:
            sys.setprofile(None)
        assert not any(report.failed for report in reports), f"{item.nodeid} fails without any mutant"
        known = Known(process_time() - begun, frozenset(called))
        with self._seen.open("a") as seen:
            print(json.dumps([item.nodeid, round(known.cpu, 4), sorted(called)]), file=seen)
        return known

    def _tests(self, target: str) -> list[str]:
        killers = self._killers[target]
        seen_by = AT_IMPORT.get(target, target)
        return sorted(
            (name for name in self._items if {target, seen_by} & self._known[name].calls),
            key=lambda name: (-killers[name], self._known[name].cpu),
        )

    def _start(self, mutant: Mutant) -> None:
        tests = self._tests(mutant.target)
        if not tests:
            self._record(mutant, "no tests", "")
            return
        at = mmap(-1, 4)
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                code = try_out(mutant, [(self._items[name], self._known[name].cpu) for name in tests], at)
            finally:
                os._exit(code)
        self._running[pid] = mutant, tests, at

    def _reap(self) -> None:
        pid, status = os.wait()
        mutant, tests, at = self._running.pop(pid)
        killer = tests[int.from_bytes(at[:], "little")]
        at.close()
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            self._record(mutant, "survived", "")
            return
        verdict = "killed" if os.WIFEXITED(status) else f"killed by signal {os.WTERMSIG(status)}"
        self._killers[mutant.target][killer] += 1
        self._record(mutant, verdict, killer)


def try_out(mutant: Mutant, tests: Iterable[tuple[Any, float]], at: mmap) -> int:
    """In the fork: 0 if every test passes with the mutant, 1 at the first that fails; says at which it is.

    A test that never ends is ended by the timer's signal, and the process with it.
    """
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    resource.setrlimit(resource.RLIMIT_AS, (2 * used + ROOM, 2 * used + ROOM))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    times, more = PATIENCE
    try:
        mutant.put_in_place()
    except Exception:
        # What is computed at import would have failed there.
        return 1
    for number, (item, cpu) in enumerate(tests):
        at[:] = number.to_bytes(4, "little")
        signal.setitimer(signal.ITIMER_PROF, more + times * cpu)
        if any(report.failed for report in runtestprotocol(item, log=False, nextitem=None)):
            return 1
    return 0


def summary(verdicts: Mapping[str, str]) -> Counter[str]:
    """How many mutants of each module, and of all, were killed or not."""
    return Counter(
        f"{where} {'killed' if verdict.startswith('killed') else 'alive'}"
        for name, verdict in verdicts.items()
        for where in (name.partition(".")[0], "all")
    )
