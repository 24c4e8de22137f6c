"""What a daemon says of itself."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from ioto_server.server import Server
from ioto_server.websocket import BUILD

from . import logs


class Status:
    """Counts and times of one process, for `ioto-server status`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._started = datetime.now(UTC)
        self._clock = monotonic()
        self.reloads = 0
        self.last_reload = "never"

    def line(self) -> str:
        """The state in a few words, for `systemctl status`."""
        server = self._server
        return f"Connections: {server.connections}, of them WebSockets: {len(server.host.websockets)}"

    def report(self) -> dict[str, Any]:
        """The state at this moment, ready for JSON."""
        server = self._server
        return {
            "pid": os.getpid(),
            "started": self._started.isoformat(timespec="seconds"),
            "uptime_seconds": round(monotonic() - self._clock, 1),
            "listening": server.listening.urls,
            "connections": server.connections,
            "websockets": len(server.host.websockets),
            "actions": len(server.plugins.prefixes),
            "held_bytes": server.host.memory.total,
            "log_level": logs.level(),
            "codec": BUILD,
            "reloads": self.reloads,
            "last_reload": self.last_reload,
        }
