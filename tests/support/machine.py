"""A Debian that is up: its systemd is process 1 of namespaces of its own, and what is asked of it is real."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.daemon import DEADLINE

_BOOT = Path(__file__).with_name("boot.sh")


class Machine:
    """One that `boot.sh` has booted; shut off by `with`."""

    def __init__(self, root: Path) -> None:
        """`root` is the folder of an installed Debian; only root may do this."""
        self._group = f"ioto-test-{os.getpid()}"
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            ["unshare", "--mount", _BOOT, root, self._group],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        self.wait_until(lambda: self.run("systemctl", "is-system-running", check=False).strip() == "running")

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds in there."""
        end = time.monotonic() + 4 * DEADLINE
        while not holds():
            assert self._process.poll() is None, self._said()
            assert time.monotonic() < end, self._said()
            time.sleep(0.1)

    def _said(self) -> str:
        self._log.seek(0)
        return self._log.read()

    @property
    def _first(self) -> str | None:
        """The number that its process 1 has here."""
        pid = self._process.pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().strip() or None

    def path(self, inside: str) -> Path:
        """A place of its file system, as it is reached from here."""
        return Path(f"/proc/{self._first}/root") / inside.lstrip("/")

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command in it; returns what it printed."""
        if self._first is None:
            return ""
        done = subprocess.run(
            ["nsenter", "-t", self._first, "--all", "--root", "--wd", *command],
            env={"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or not check, f"{command}: {done.stdout}"
        return done.stdout

    def fails(self, *command: str) -> str:
        """Run a command that has to fail; returns what it printed."""
        said = self.run("sh", "-c", '"$@" && echo did not fail', "sh", *command, check=False)
        assert "did not fail" not in said, said
        return said

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            # Its process 1 goes with it, and with that all others.
            self._process.kill()
            self._process.wait(DEADLINE)
        self._log.close()
        remove = (
            "d=$(mktemp -d); mount -t cgroup2 none $d; cd $d; "
            "for i in $(seq 300); do find $0 -depth -type d -exec rmdir {} + 2>/dev/null && exit; "
            "sleep 0.1; done; exit 1"
        )
        subprocess.run(["unshare", "--mount", "sh", "-c", remove, self._group], check=True)
