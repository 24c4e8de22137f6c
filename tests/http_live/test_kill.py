"""kill -9 in the midst of PUTs: every file is the old or the new one, whole, and nothing else is left."""

from __future__ import annotations

import random
import signal
import threading
from pathlib import Path

import pytest

from tests.conftest import StartDaemon
from tests.support.raw import RawClient

pytestmark = pytest.mark.alone

FILES = 8
SIZE = 300_000


def content(version: int) -> bytes:
    """What a PUT sends: a mixture of two shows, and so does one that is cut off."""
    return b"%09d\n" % version * (SIZE // 10)


class Writers:
    """Four threads that replace files in turn until the daemon is gone or all is sent."""

    def __init__(self, url: str, first: int, count: int) -> None:
        self.sent: dict[str, list[int]] = {}
        self.acknowledged: dict[str, int] = {}
        self.answers = threading.Semaphore(0)
        self.done = 0
        self._url = url
        self._next = iter(range(first, first + count))
        self._lock = threading.Lock()
        # One thread has a file to itself, so that what was acknowledged last is what was sent last.
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(4)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        names = [f"{file}.txt" for file in range(number, FILES, 4)]
        try:
            with RawClient(self._url) as client:
                while (version := self._take()) is not None:
                    name = names[version % len(names)]
                    self.sent.setdefault(name, []).append(version)
                    response = client.request("PUT", f"/upload/{name}", body=content(version))
                    assert response.status in (201, 204), response
                    self.acknowledged[name] = version
                    self.answers.release()
        except (AssertionError, OSError):
            # The daemon was killed under this request.
            return

    def _take(self) -> int | None:
        with self._lock:
            version = next(self._next, None)
            self.done += version is not None
            return version

    def join(self) -> None:
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()


def kill_during_puts(start_daemon: StartDaemon, stored: Path, puts: int, kills: int) -> None:
    route = {"match": "/upload/", "methods": ["GET", "PUT"], "trim": "/upload", "documents": str(stored)}
    config = {"routes": [route, {}], "limits": {"requests": 100_000}}
    daemon = start_daemon(config, {})
    chance = random.Random(7)
    answers = 2 * puts // (kills + 1)
    before: dict[str, int] = {}
    sent = 0
    while sent < puts:
        writers = Writers(daemon.url, sent, puts - sent)
        if kills:
            # A random moment: after some answers, and then somewhere in the midst of what follows.
            for _ in range(chance.randrange(answers)):
                if not writers.answers.acquire(timeout=5):
                    break
            threading.Event().wait(chance.random() * 0.01)
            daemon.signal(signal.SIGKILL)
            daemon.wait()
        writers.join()
        sent += writers.done
        check(stored, before, writers)
        if kills:
            kills -= 1
            daemon = start_daemon(config, {})
            check(stored, before, writers)
            assert sorted(path.name for path in stored.iterdir()) == sorted(before), (
                "only whole files are left"
            )
    assert sent == puts
    assert daemon.running


def check(stored: Path, before: dict[str, int], writers: Writers) -> None:
    """Each file is one that was sent whole: the last that was acknowledged, or the one that was not."""
    for name, versions in writers.sent.items():
        file = stored / name
        if not file.exists():
            assert name not in before, f"{name} is gone"
            assert name not in writers.acknowledged, f"{name} was acknowledged and is not there"
            continue
        data = file.read_bytes()
        version = int(data[:9])
        assert data == content(version), f"{name} is not whole"
        last = writers.acknowledged.get(name, before.get(name))
        assert version in (last, versions[-1]), f"{name} is version {version}, not {last} or {versions[-1]}"
        before[name] = version


def test_kill_during_puts(start_daemon: StartDaemon, tmp_path: Path) -> None:
    kill_during_puts(start_daemon, tmp_path / "stored", 60, 3)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_kill_during_a_thousand_puts(start_daemon: StartDaemon, tmp_path: Path) -> None:
    kill_during_puts(start_daemon, tmp_path / "stored", 1000, 25)
