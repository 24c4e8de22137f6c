"""A real Redis server for tests: on a unix socket, started, stalled and killed as a test likes."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path

import redis

from tests.support.daemon import DEADLINE


def program() -> str:
    """Redis' server, or Valkey's; Debian's redis-check-rdb is the server under another name."""
    for name in ("redis-server", "valkey-server", "redis-check-rdb"):
        found = shutil.which(name)
        if found:
            return found
    raise FileNotFoundError("neither redis-server nor valkey-server is there: `make programs` installs one")


class Redis:
    """A server that listens at `folder`/redis.sock; what it holds is lost when it ends."""

    def __init__(self, folder: Path, *, password: str = "") -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.password = password
        self.path = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What `topics.broker` is set to."""
        user = f":{self.password}@" if self.password else ""
        return f"unix://{user}{self.path}"

    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.path), password=self.password or None)

    def start(self) -> Redis:
        arguments = ["--port", "0", "--unixsocket", str(self.path), "--save", "", "--appendonly", "no"]
        if self.password:
            arguments += ["--requirepass", self.password]
        log = (self.folder / "redis.log").open("ab")
        self._process = subprocess.Popen(
            # By this name it tells what it is to be.
            ["redis-server", *arguments],
            executable=program(),
            cwd=self.folder,
            stdout=log,
            stderr=log,
        )
        log.close()
        end = time.monotonic() + DEADLINE
        while True:
            try:
                with self.client() as client:
                    client.ping()
                return self
            except redis.ConnectionError:
                assert time.monotonic() < end, (self.folder / "redis.log").read_text()
                time.sleep(0.02)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self.path.unlink(missing_ok=True)

    def stall(self) -> None:
        """Have it answer nothing, and keep its connections."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
