"""A stand-in for systemd: it starts the daemon with a notify socket, listening sockets and a watchdog.

It does what systemd(1) does at these three places, no more: a datagram socket of its own for $NOTIFY_SOCKET,
descriptors from 3 on for $LISTEN_FDS, and $WATCHDOG_USEC.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.daemon import DEADLINE, PROGRAM, environment

# Between fork and exec: move the sockets to 3, 4, …, and say whom they are meant for.
_LAUNCH = """\
import fcntl, os, sys
given, program = sys.argv[1].split(), sys.argv[2:]
above = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 100) for number in given]
for place, number in enumerate(above):
    os.dup2(number, 3 + place)
    os.close(number)
if given:
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(given)))
os.execv(program[0], program)
"""

# Process, user and group (unix(7), SCM_CREDENTIALS).
_CREDENTIALS = struct.Struct("3i")


class Manager:
    """One service and the datagrams that it sends; ended by `with`."""

    def __init__(
        self,
        config: Path,
        *,
        address: str | None = None,
        sockets: Sequence[socket.socket] = (),
        names: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
        program: Sequence[str | Path] = (PROGRAM,),
    ) -> None:
        """`address` is that of the notify socket, '@NAME' for an abstract one; `program` is run."""
        self.folder = config.parent
        address = address or str(self.folder / "notify.sock")
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind("\0" + address[1:] if address.startswith("@") else address)
        self._notify.settimeout(DEADLINE)
        self._notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        # The process that has sent what was told last: systemd listens to the main process alone.
        self.sender = 0
        self._log = self.folder / "output"
        surroundings = environment({"NOTIFY_SOCKET": address, **(env or {})})
        if names:
            surroundings["LISTEN_FDNAMES"] = ":".join(names)
        numbers = [one.fileno() for one in sockets]
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-c", _LAUNCH, " ".join(map(str, numbers))),
                    *(*program, "start", "--config", config, *arguments),
                ],
                cwd=self.folder,
                env=surroundings,
                pass_fds=numbers,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def output(self) -> str:
        """What it printed so far."""
        return self._log.read_text()

    def told(self) -> dict[str, str]:
        """The next datagram, taken apart."""
        try:
            data, [(_, _, credentials)], _, _ = self._notify.recvmsg(
                65536, socket.CMSG_SPACE(_CREDENTIALS.size)
            )
        except TimeoutError:
            raise AssertionError(f"no datagram for {DEADLINE:g} s; it printed:\n{self.output}") from None
        self.sender, _, _ = _CREDENTIALS.unpack(credentials)
        return dict(line.split("=", 1) for line in data.decode().splitlines())

    def wait_for(self, variable: str, value: str | None = None) -> dict[str, str]:
        """The next datagram that sets `variable`, to `value` if given; those before it are passed over."""
        while True:
            told = self.told()
            if variable in told and value in (None, told[variable]):
                return told

    def is_fed_within(self, seconds: float) -> bool:
        """Whether the watchdog is fed in time; what else comes meanwhile does not count."""
        self._notify.settimeout(seconds)
        try:
            while b"WATCHDOG=1" not in self._notify.recv(65536):
                pass
        except TimeoutError:
            return False
        finally:
            self._notify.settimeout(DEADLINE)
        return True

    def left(self) -> list[str]:
        """The datagrams that have come and nobody has looked at."""
        found = []
        self._notify.settimeout(0)
        try:
            while True:
                found.append(self._notify.recv(65536).decode())
        except BlockingIOError:
            return found
        finally:
            self._notify.settimeout(DEADLINE)

    def signal(self, number: signal.Signals) -> None:
        """Send the service a signal."""
        os.kill(self.process.pid, number)

    def wait(self) -> int:
        """Wait for its end; returns the exit code."""
        return self.process.wait(DEADLINE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(DEADLINE)
        self._notify.close()
