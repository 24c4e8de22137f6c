"""The real daemon as a child process, driven from a test: its files, its log, its signals and its end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import json5

from tests.support import REPOSITORY

DEADLINE = 30.0
"""Seconds any wait may take: a limit for a broken daemon on a busy machine, never a measure."""

PROGRAM = Path(sys.executable).with_name("ioto-server")

# What the surroundings of a test run must not decide for the daemon under test.
_FOREIGN = (
    "NOTIFY_SOCKET",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "WATCHDOG_USEC",
    "RUNTIME_DIRECTORY",
)

# What the interpreter and asyncio say of a coroutine or task that the daemon lost.
_LOST = ("was never awaited", "Task was destroyed but it is pending", "exception was never retrieved")


class DaemonError(AssertionError):
    """The daemon did not do what was waited for; the text holds everything it printed."""


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a child: it runs the tree that these tests stand in, also a copy of it."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _FOREIGN and not name.startswith("IOTO_SET_")
    }
    return {**kept, "PYTHONPATH": str(REPOSITORY), **(extra or {})}


def run_program(
    *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `ioto-server` to its end and return what it printed and its exit code."""
    return subprocess.run(
        [PROGRAM, *arguments],
        cwd=cwd,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


def write_project(folder: Path, config: Mapping[str, Any] | str, actions: Mapping[str, str] | None) -> Path:
    """Lay out a project in `folder` and return its `web.json5`.

    A mapping is completed: it listens on a free port of 127.0.0.1 unless it says otherwise, and with
    `actions` None it uses the plugins that ship. A text is written as it is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(config, str):
        text = config
    else:
        ours: dict[str, Any] = {"listen": ["http://127.0.0.1:0"]}
        if actions is None:
            ours["actions"] = str(REPOSITORY / "actions")
        text = json.dumps({**ours, **config}, indent=4)
    for name, source in (actions or {}).items():
        path = folder / "actions" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    if actions is not None:
        (folder / "actions").mkdir(exist_ok=True)
    file = folder / "web.json5"
    file.write_text(text)
    return file


def copy_shipped(folder: Path, changes: Mapping[str, Any]) -> Path:
    """Copy the shipped `etc/` and `actions/` to `folder` and return the `web.json5` there.

    `changes` are laid over the settings one level deep (`{"limits": {"maxFrame": "1MB"}}` changes that one
    limit), and it listens on a free port: all else is the configuration that users get.
    """
    for name in ("etc", "actions"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / "etc" / "web.json5"
    document = json5.loads(file.read_text())
    settings = document.get("web", document)
    settings["listen"] = ["http://127.0.0.1:0"]
    for name, value in changes.items():
        settings[name] = {**settings.get(name, {}), **value} if isinstance(value, Mapping) else value
    file.write_text(json.dumps(document, indent=4))
    return file


class Daemon:
    """One running `ioto-server start`."""

    def __init__(
        self, config: Path, *, arguments: Sequence[str] = (), env: Mapping[str, str] | None = None
    ) -> None:
        self.config = config
        self.folder = config.parent
        self.events: list[dict[str, Any]] = []
        self._output: list[str] = []
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            [PROGRAM, "start", "--config", config, *arguments],
            cwd=self.folder,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._open_streams = 2
        self._may_end = False
        self._readers = [
            threading.Thread(target=self._read, args=(stream,), daemon=True)
            for stream in (self._process.stdout, self._process.stderr)
        ]
        for reader in self._readers:
            reader.start()

    # What it is

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def output(self) -> str:
        """Everything it printed so far, on stdout and stderr."""
        with self._changed:
            return "".join(self._output)

    @property
    def url(self) -> str:
        """The URL of its first endpoint, `http://127.0.0.1:PORT`; waits for it, fails if it ended."""
        if not self.running:
            raise DaemonError(f"it has ended, with exit code {self._process.returncode}:\n{self._report()}")
        return str(self.log("listening")["url"]).rstrip("/")

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def ws_url(self, path: str) -> str:
        return self.url.replace("http", "ws", 1) + path

    # What it says

    def log(self, event: str, *, number: int = 1, **fields: Any) -> dict[str, Any]:
        """The `number`-th line of its log with this event and these fields; waits for it to be written."""
        end = time.monotonic() + DEADLINE
        with self._changed:
            while True:
                found = [line for line in self.events if line.items() >= {"event": event, **fields}.items()]
                if len(found) >= number:
                    return found[number - 1]
                left = end - time.monotonic()
                if self._open_streams == 0 or left <= 0:
                    why = "it ended" if self._open_streams == 0 else f"{DEADLINE:g} s passed"
                    raise DaemonError(f"no {event!r} with {fields} in the log when {why}:\n{self._report()}")
                self._changed.wait(left)

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                with self._changed:
                    self._output.append(line)
                    if line.startswith("{"):
                        self.events.append(json.loads(line))
                    self._changed.notify_all()
        with self._changed:
            self._open_streams -= 1
            self._changed.notify_all()

    def _report(self) -> str:
        return f"--- {' '.join(map(str, self._process.args))}\n{''.join(self._output)}---"  # type: ignore[arg-type]

    # How it ends

    def signal(self, number: signal.Signals) -> None:
        self._may_end = True
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end and return the exit code; what it printed is then complete."""
        self._may_end = True
        try:
            code = self._process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            raise DaemonError(f"still running after {DEADLINE:g} s:\n{self._report()}") from None
        for reader in self._readers:
            reader.join(DEADLINE)
        return code

    def stop(self) -> int:
        """SIGTERM, then wait for the orderly end; returns the exit code."""
        if self.running:
            self.signal(signal.SIGTERM)
        return self.wait()

    def close(self) -> None:
        """End it whatever happened; fails if it ended unasked, in disorder, or lost a task on the way."""
        try:
            asked = self.running or self._may_end
            ended_before = not self.running
            code = self.stop()
        finally:
            if self.running:
                self._process.kill()
                self._process.wait()
        if not asked:
            raise DaemonError(f"it ended by itself, with exit code {code}:\n{self._report()}")
        if not ended_before and code != 0:
            raise DaemonError(f"exit code {code} on SIGTERM:\n{self._report()}")
        lost = [sign for sign in _LOST if sign in self.output]
        if lost:
            raise DaemonError(f"{lost} in what it printed:\n{self._report()}")
