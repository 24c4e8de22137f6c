"""What systemd is told, in sd_notify's protocol: one datagram a message, no library (sd_notify(3))."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, MutableMapping
from math import inf, isfinite
from typing import Final

import structlog

_log = structlog.get_logger("ioto_server.systemd")

# How often `systemctl status` learns of another number of connections, in seconds.
_STATUS_EVERY: Final = 2.0

# How often more time is asked for by who may take for ever, each time for twice as long, in seconds.
_EXTEND_EVERY: Final = 30.0

# How long a change of state may wait for room in systemd's queue, in seconds.
_PATIENCE: Final = 5.0


class Systemd:
    """The service manager at the other end of $NOTIFY_SOCKET; without one, every message goes nowhere."""

    def __init__(self, address: str | None = None, watchdog: float | None = None) -> None:
        """`address` is a path, or an abstract name behind '@'; `watchdog` is its patience in seconds."""
        self._address = address
        self.watchdog = watchdog
        self._status = ""
        self._stops = False

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str], pid: int) -> Systemd:
        """Read the variables and take them away: a child must not speak for the service."""
        address = environ.pop("NOTIFY_SOCKET", None)
        micros = environ.pop("WATCHDOG_USEC", "")
        meant_for = environ.pop("WATCHDOG_PID", "")
        watched = micros.isdecimal() and int(micros) > 0 and meant_for in ("", str(pid))
        return cls(address, int(micros) / 1e6 if watched else None)

    @property
    def environment(self) -> dict[str, str]:
        """The variables again, for a process that takes this one's place."""
        if self._address is None:
            return {}
        watched = {} if self.watchdog is None else {"WATCHDOG_USEC": str(round(self.watchdog * 1e6))}
        return {"NOTIFY_SOCKET": self._address, **watched}

    # ---- states ---------------------------------------------------------------------------------------

    def ready(self, status: str) -> None:
        """The service has started, or has reloaded; nothing to tell any more once it is stopping."""
        if self._stops:
            return
        first = not self._status
        self._status = status
        self._tell(f"READY=1\nSTATUS={status}")
        if first and self.watchdog is not None:
            # Who served before us may have fed it a while ago.
            self._tell("WATCHDOG=1", wait=False)

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it. systemd wants to know when, by its own clock."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def starting(self, seconds: float) -> None:
        """The start may take `seconds`, whatever the unit's TimeoutStartSec says; within a running loop."""
        self._tell(self._extended(seconds))

    def stopping(self, seconds: float) -> None:
        """The stop has begun and may take `seconds`, whatever TimeoutStopSec says; within a running loop."""
        self._stops = True
        self._tell(f"STOPPING=1\nSTATUS=Stopping\n{self._extended(seconds)}")

    def _extended(self, seconds: float) -> str:
        """How to ask for `seconds`; who may take for ever asks again and again."""
        if isfinite(seconds):
            return f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}"
        asyncio.get_running_loop().call_later(_EXTEND_EVERY, self._extend_on, self._stops)
        return f"EXTEND_TIMEOUT_USEC={round(2 * _EXTEND_EVERY * 1e6)}"

    def _extend_on(self, stops: bool) -> None:
        # A start ends with its first status, a stop with the process.
        if self._stops if stops else not self._status:
            self._tell(self._extended(inf), wait=False)

    def retire(self, successor: int) -> None:
        """The process `successor` is the service from now on: systemd would not hear us any more."""
        self._tell(f"MAINPID={successor}")
        self._address = None

    # ---- while the loop turns -------------------------------------------------------------------------

    def attend(
        self, loop: asyncio.AbstractEventLoop, status: Callable[[], str], healthy: Callable[[], bool]
    ) -> None:
        """Feed the watchdog while it is `healthy`, and keep `status` up to date, as long as the loop turns.

        Nothing but a turning loop feeds it: when an action holds the loop for good, systemd restarts us.
        """
        if self._address is None:
            return
        if self.watchdog is not None:
            self._feed(loop, self.watchdog / 2, healthy)
        self._update(loop, status)

    def _feed(self, loop: asyncio.AbstractEventLoop, seconds: float, healthy: Callable[[], bool]) -> None:
        # Until we are the service, this is for who serves: a successor must not feed it in its place.
        if self._status and healthy():
            self._tell("WATCHDOG=1", wait=False)
        loop.call_later(seconds, self._feed, loop, seconds, healthy)

    def _update(self, loop: asyncio.AbstractEventLoop, status: Callable[[], str]) -> None:
        text = status()
        # The first status comes with READY, the last with STOPPING.
        if self._status and not self._stops and text != self._status:
            self._status = text
            self._tell(f"STATUS={text}", wait=False)
        loop.call_later(_STATUS_EVERY, self._update, loop, status)

    def _tell(self, message: str, *, wait: bool = True) -> None:
        if self._address is None:
            return
        # The first byte of an abstract address is NUL, which no environment variable can hold.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.settimeout(_PATIENCE if wait else 0)
            try:
                client.sendto(os.fsencode(message), address)
            except OSError as error:
                _log.warning(
                    "systemd not told",
                    message=message.partition("\n")[0],
                    why=str(error),
                    hint="NOTIFY_SOCKET names no socket that takes messages: Type=notify sets it",
                )
