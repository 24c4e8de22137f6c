"""The fixtures of the daemon's tests, with an https endpoint: the tests themselves need not know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartDaemon
from tests.support.daemon import Daemon, copy_shipped
from tests.tls.certificates import secure


@pytest.fixture
def start_daemon(start_daemon: StartDaemon, tmp_path: Path) -> StartDaemon:
    """Start the daemon as the plain fixture does, at `https://`."""

    def start(
        config: Mapping[str, Any] = {}, actions: Mapping[str, str] | None = None, **more: Any
    ) -> Daemon:
        return start_daemon({**secure(tmp_path / "tls"), **config}, actions, **more)

    return start


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """The daemon with what ships, at `https://`."""
    folder = tmp_path_factory.mktemp("shipped-tls")
    running = Daemon(copy_shipped(folder, secure(folder / "tls")))
    try:
        running.log("listening")
        yield running
    finally:
        running.close()
