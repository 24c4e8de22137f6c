"""Descriptors: every connection takes one, and a process may have only so many (getrlimit(2))."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
from typing import Final

import structlog

from ioto_server.config import UNLIMITED, Config

# What a process needs besides its connections: listeners, log, loop, plugins, files that are being sent.
_RESERVE: Final = 128

# How often it is looked whether there is one left, in seconds.
_LOOK_EVERY: Final = 2.0

_log = structlog.get_logger("ioto_server.descriptors")


def raise_limit() -> int:
    """Raise the process's limit as far as it may be raised by itself; returns the limit then in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            # A sandbox forbids the call (the unit's SystemCallFilter= does, but sets LimitNOFILE= itself).
            return soft
    return hard


def shortage(config: Config) -> str | None:
    """Whether `limits.connections` promises more than the process can keep, in words for the operator."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    wanted = config.limits.connections
    needed = wanted + _RESERVE
    if needed <= limit:
        return None
    if wanted == UNLIMITED:
        return (
            f"limits.connections: unlimited, but this process may open {limit} files and connections\n"
            f"  -> set a number of connections, and LimitNOFILE= in the systemd unit ({_RESERVE} more)"
        )
    fitting = max(limit - _RESERVE, 1)
    return (
        f"limits.connections: {wanted} connections take {needed} open files, "
        f"and this process may have {limit}\n"
        f"  -> set LimitNOFILE={needed} in the systemd unit (`ulimit -n {needed}` in a shell), "
        f"or limits.connections: {fitting}"
    )


class Watch:
    """Says when there is none left. The event loop survives that: it drops those who connect, in silence."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look again and again as long as `loop` turns."""
        self._loop = loop
        self._short = False
        self._look()

    def _look(self) -> None:
        self._loop.call_later(_LOOK_EVERY, self._look)
        try:
            os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            if not self._short and error.errno in (errno.EMFILE, errno.ENFILE):
                self._short = True
                _log.warning(
                    "out of descriptors",
                    limit=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
                    hint="new connections are dropped; set LimitNOFILE= in the systemd unit, "
                    "or a lower limits.connections, which is answered 503",
                )
            return
        if self._short:
            self._short = False
            _log.info("descriptors again")
