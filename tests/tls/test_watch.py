"""Changed files are taken up when they have come to rest; what cannot be used is refused, and said once."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
import structlog
from structlog.testing import capture_logs
from structlog.typing import EventDict

from ioto_server.config import Tls
from ioto_server.server.tls import TlsContext, make_context
from ioto_server.server.tls_watch import EVERY, TlsWatch
from tests.tls.certificates import AUTHORITY, replace, write_pair


class Clock:
    """Time that passes when a test says so, with room for one timer."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: tuple[float, Callable[[], None]] | None = None

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        self._due = (self.now + delay, callback)
        return cast(asyncio.TimerHandle, self)

    def cancel(self) -> None:
        self._due = None

    def look(self, times: int = 1) -> None:
        """Let so many looks come round."""
        for _ in range(times):
            self.now += EVERY
            if self._due is not None and self.now >= self._due[0]:
                due, self._due = self._due, None
                due[1]()


class Watched:
    """A context under watch, its files, and what is logged."""

    def __init__(self, folder: Path, log: list[EventDict]) -> None:
        self.folder = folder
        self.clock = Clock()
        self.context: TlsContext = make_context(Tls.read(write_pair(folder)))
        self.watch = TlsWatch(self.context, self.clock.call_later)
        self._log = log

    @property
    def said(self) -> list[str]:
        return [line["event"] for line in self._log]

    @property
    def in_use(self) -> ssl.SSLContext:
        """Changes with what new connections begin with."""
        return self.context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True).context


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with capture_logs() as log:
        yield Watched(tmp_path, log)
    structlog.reset_defaults()


def test_nothing_is_read_while_nothing_changes(watched: Watched) -> None:
    before = watched.in_use
    watched.clock.look(100)
    assert watched.in_use is before
    assert watched.said == []


def test_new_files_are_taken_up_once(watched: Watched) -> None:
    before = watched.in_use
    write_pair(watched.folder)
    watched.clock.look(2)
    after = watched.in_use
    assert after is not before
    assert watched.said == ["certificate renewed"]
    watched.clock.look(100)
    assert watched.in_use is after
    assert watched.said == ["certificate renewed"]


def test_a_pair_that_is_half_written_is_left_alone(watched: Watched) -> None:
    """The certificate is there a moment before its key: nobody is alarmed."""
    before = watched.in_use
    pair = AUTHORITY.issue_cert("localhost")
    replace(watched.folder / "server.crt", pair.cert_chain_pems[0].bytes())
    watched.clock.look()
    replace(watched.folder / "server.key", pair.private_key_pem.bytes())
    watched.clock.look()
    assert watched.in_use is before
    watched.clock.look()
    assert watched.in_use is not before
    assert watched.said == ["certificate renewed"]


def test_a_bad_pair_is_refused_and_said_once(watched: Watched) -> None:
    before = watched.in_use
    replace(watched.folder / "server.key", AUTHORITY.issue_cert("localhost").private_key_pem.bytes())
    watched.clock.look(100)
    assert watched.in_use is before
    assert watched.said == ["certificate refused"]


def test_a_bad_pair_that_is_mended_is_taken_up(watched: Watched) -> None:
    before = watched.in_use
    (watched.folder / "server.key").unlink()
    watched.clock.look(5)
    write_pair(watched.folder)
    watched.clock.look(5)
    assert watched.in_use is not before
    assert watched.said == ["certificate refused", "certificate renewed"]


def test_another_bad_pair_is_said_again(watched: Watched) -> None:
    for _ in range(2):
        replace(watched.folder / "server.key", AUTHORITY.issue_cert("localhost").private_key_pem.bytes())
        watched.clock.look(5)
    assert watched.said == ["certificate refused"] * 2


def test_a_link_that_points_elsewhere_is_a_change(tmp_path: Path, watched: Watched) -> None:
    """How certbot and container volumes renew: the names stay, what they lead to is new."""
    before = watched.in_use
    write_pair(tmp_path / "other")
    for name in ("server.crt", "server.key"):
        (watched.folder / name).unlink()
        (watched.folder / name).symlink_to(tmp_path / "other" / name)
    watched.clock.look(2)
    assert watched.in_use is not before


def test_a_watch_that_is_stopped_looks_no_more(watched: Watched) -> None:
    before = watched.in_use
    watched.watch.stop()
    write_pair(watched.folder)
    watched.clock.look(5)
    assert watched.in_use is before
