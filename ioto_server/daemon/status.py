"""What a serving process says of itself."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from ioto_server.server import Server
from ioto_server.websocket import BUILD

from . import logs


class Uptime:
    """Since when a process serves."""

    def __init__(self) -> None:
        self.started = datetime.now(UTC).isoformat(timespec="seconds")
        self._clock = monotonic()

    @property
    def seconds(self) -> float:
        """For how long."""
        return round(monotonic() - self._clock, 1)


class Status:
    """Counts and times of one process, for `ioto-server status`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._uptime = Uptime()

    def report(self) -> dict[str, Any]:
        """The state at this moment, ready for JSON."""
        server = self._server
        return {
            "pid": os.getpid(),
            "started": self._uptime.started,
            "uptime_seconds": self._uptime.seconds,
            "listening": server.listening.urls,
            "connections": server.connections,
            "websockets": len(server.host.websockets),
            "actions": len(server.plugins.prefixes),
            "held_bytes": server.host.memory.total,
            "log_level": logs.level(),
            "codec": BUILD,
        }


def line(connections: int, websockets: int) -> str:
    """The state in a few words, for `systemctl status`."""
    return f"Connections: {connections}, of them WebSockets: {websockets}"
