"""A daemon for clients that send a long message as one frame."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.daemon import Daemon, copy_shipped


@pytest.fixture(scope="session")
def roomy_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """The shipped configuration with `limits.maxFrame` over 1 MiB, which by default is 128 KiB."""
    running = Daemon(copy_shipped(tmp_path_factory.mktemp("roomy"), {"limits": {"maxFrame": "2MB"}}))
    try:
        running.log("listening")
        yield running
    finally:
        running.close()
