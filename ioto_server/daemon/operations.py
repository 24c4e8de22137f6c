"""What an operator may ask of one process over the control socket: look at it, and interfere."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import Any, Final

import structlog

from ioto_server.server import Server
from ioto_server.session import WebSocket

from . import logs
from .control import Answer, Command, CommandError
from .roster import ORDERS, Roster

_log = structlog.get_logger("ioto_server.control")

# Connections in one answer at most, and by default: an answer is made while everybody waits.
_MOST_LISTED: Final = 10_000
_LISTED: Final = 50


class Operations:
    """The commands that concern connections and the log of this process."""

    def __init__(self, server: Server, mark: str = "") -> None:
        """`mark` goes before the number of each connection, so that ids differ between processes."""
        self._mark = mark
        self.roster = Roster(server.host)

    @property
    def commands(self) -> dict[str, Command]:
        """By name, for `Control`."""
        return {
            "connections": self.connections,
            "close": self.close,
            "log": self.log,
        }

    def connections(self, request: Mapping[str, Any]) -> Answer:
        """List open WebSockets: `sort` is one of ORDERS, `limit` how many at most."""
        order, limit = wanted(request)
        now = monotonic()
        listed = self.roster.listed(order, limit)
        return {"total": len(self.roster), "connections": [self._describe(one, now) for one in listed]}

    def close(self, request: Mapping[str, Any]) -> Answer:
        """Close a WebSocket by its `id`, with `code` (1000) and `reason`."""
        shown, code, reason = str(request.get("id")), request.get("code", 1000), request.get("reason", "")
        number = shown.removeprefix(self._mark)
        known = shown.startswith(self._mark) and number.isdecimal()
        websocket = self.roster.find(int(number)) if known else None
        if websocket is None:
            raise unknown(shown)
        if type(code) is not int or type(reason) is not str:
            raise CommandError("send the code as a number and the reason as a text")
        try:
            websocket.closed_by_operator(code, reason)
        except ValueError as error:
            raise CommandError(str(error)) from None
        _log.info("closed by the operator", id=shown, peer=websocket.peer, code=code)
        return {"peer": websocket.peer, "path": websocket.path}

    def log(self, request: Mapping[str, Any]) -> Answer:
        """Keep lines of another `level` and above, until the next reload or start."""
        return change_level(request)

    def _describe(self, websocket: WebSocket, now: float) -> dict[str, Any]:
        return {"id": f"{self._mark}{websocket.number}", **_describe(websocket, now)}


def wanted(request: Mapping[str, Any]) -> tuple[str, int]:
    """The order and the length of a list of connections. Raises CommandError."""
    order = request.get("sort", "age")
    if type(order) is not str or order not in ORDERS:
        raise CommandError(f"sort: {order!r} is no order; take one of {', '.join(ORDERS)}")
    limit = request.get("limit", _LISTED)
    if type(limit) is not int or not 0 < limit <= _MOST_LISTED:
        raise CommandError(f"limit: {limit!r} is no number of connections; take 1 to {_MOST_LISTED}")
    return order, limit


def unknown(shown: str) -> CommandError:
    """No connection has this id."""
    return CommandError(f"No open WebSocket has the id {shown}: `ioto-server connections` lists them")


def change_level(request: Mapping[str, Any]) -> Answer:
    """Keep lines of the `level` that is asked for. Raises CommandError."""
    level, before = request.get("level"), logs.level()
    if type(level) is not str or level not in logs.LEVELS:
        raise CommandError(f"level: {level!r} is no level; take one of {', '.join(logs.LEVELS)}")
    logs.set_level(level)
    # At the highest level of the two it is seen in any case.
    _log.warning("log level", before=before, now=level)
    return {"before": before, "now": level}


def _describe(websocket: WebSocket, now: float) -> dict[str, Any]:
    return {
        "peer": websocket.peer,
        "path": websocket.path,
        "protocol": websocket.protocol,
        "state": websocket.state,
        "age_seconds": round(now - websocket.opened_at, 1),
        "messages_in": websocket.messages_in,
        "messages_out": websocket.messages_out,
        "bytes_in": websocket.bytes_in,
        "bytes_out": websocket.bytes_out,
        "backlog": websocket.backlog,
        "latency_ms": None if websocket.latency is None else round(websocket.latency * 1000, 1),
    }
