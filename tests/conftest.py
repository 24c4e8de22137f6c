"""Fixtures of the whole test tree: the daemon as a process, and which tests run when."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# The tree these tests stand in goes before an installed one: the mutants run in a copy of it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.clients import close_kept
from tests.support.daemon import Daemon, copy_shipped, write_project

if TYPE_CHECKING:
    from playwright.sync_api import Browser

StartDaemon = Callable[..., Daemon]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the tests marked `long` too (make test-long)")


def pytest_configure(config: pytest.Config) -> None:
    # A run in the background of a script has SIGINT ignored, and would hand that on to what it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "alone: heavy; make test runs it with no other test beside it")
    config.addinivalue_line("markers", "long: takes minutes; runs with --long only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # Playwright's loop runs in the main thread from the first browser on: no asyncio.run() works after it.
    items.sort(key=uses_browser)
    if config.getoption("--long"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if not item.get_closest_marker("long")]


def uses_browser(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and "browser" in item.fixturenames


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what ran: how many tests of each folder."""
    ran = Counter(
        "/".join(Path(report.nodeid.partition("::")[0]).parts[:2])
        for outcome in ("passed", "failed", "xfailed")
        for report in terminalreporter.getreports(outcome)
        if report.when == "call"
    )
    terminalreporter.section("what ran")
    for folder, count in sorted(ran.items()):
        terminalreporter.line(f"{count:6} {folder}")


@pytest.fixture
def start_daemon(tmp_path: Path) -> Iterator[StartDaemon]:
    """A function that starts the real daemon and waits until it listens.

    `start_daemon(config={}, actions=None, arguments=(), env=None, wait=True)`: `config` is laid over a free
    port of 127.0.0.1 (a text is the whole file), `actions` are {file name: source} (None: the plugins that
    ship). At the end of the test each daemon still running is stopped, and that must go in order.
    """
    started: list[Daemon] = []

    def start(
        config: Mapping[str, Any] | str = {},
        actions: Mapping[str, str] | None = None,
        *,
        arguments: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        wait: bool = True,
    ) -> Daemon:
        folder = tmp_path / f"daemon{len(started)}"
        daemon = Daemon(write_project(folder, config, actions), arguments=arguments, env=env)
        started.append(daemon)
        if wait:
            daemon.log("listening")
        return daemon

    yield start
    close_all(started)


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """The daemon with the configuration, the actions and the site that ship, on a free port.

    Shared by the whole run: a test leaves it as it found it.
    """
    running = Daemon(copy_shipped(tmp_path_factory.mktemp("shipped"), {}))
    try:
        running.log("listening")
        yield running
    finally:
        running.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium, shared by the whole run."""
    # Most runs of a few tests have no browser, and need no playwright.
    from tests.support.chromium import chromium

    with chromium() as running:
        yield running


@pytest.fixture
def all_are_closed() -> Iterator[None]:
    """Close what `tests.support.clients.keep` was given."""
    yield
    close_kept()


def close_all(daemons: list[Daemon]) -> None:
    """Close every one, then raise the first failure."""
    failures = []
    for daemon in daemons:
        try:
            daemon.close()
        except AssertionError as failure:
            failures.append(failure)
    if failures:
        raise failures[0]
