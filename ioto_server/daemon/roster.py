"""The open WebSockets of a process as an operator sees them: by number, by age, traffic or backlog."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import nsmallest
from typing import Any, Final, cast

from ioto_server.session import Core, WebSocket

# What a list is sorted by: the largest first, but the age's oldest and the number's smallest.
ORDERS: Final[dict[str, Callable[[WebSocket], Any]]] = {
    "age": lambda websocket: websocket.opened_at,
    "id": lambda websocket: websocket.number,
    "peer": lambda websocket: websocket.peer,
    "path": lambda websocket: websocket.path,
    "messages": lambda websocket: -websocket.messages_in - websocket.messages_out,
    "bytes": lambda websocket: -websocket.bytes_in - websocket.bytes_out,
    "backlog": lambda websocket: -websocket.backlog,
}

# The same orders over what processes have told of theirs.
LISTED_ORDERS: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "age": lambda one: -one["age_seconds"],
    "id": lambda one: [int(part) for part in one["id"].split("-")],
    "peer": lambda one: one["peer"],
    "path": lambda one: one["path"],
    "messages": lambda one: -one["messages_in"] - one["messages_out"],
    "bytes": lambda one: -one["bytes_in"] - one["bytes_out"],
    "backlog": lambda one: -one["backlog"],
}


class Roster:
    """Looks at the open WebSockets of a host; nothing is kept here."""

    def __init__(self, host: Core) -> None:
        self._host = host

    def __len__(self) -> int:
        return len(self._host.websockets)

    def __iter__(self) -> Iterator[WebSocket]:
        # Only Web.accept() makes them, and what it makes are WebSockets.
        return cast(Iterator[WebSocket], iter(self._host.websockets))

    def find(self, number: int) -> WebSocket | None:
        """The WebSocket with this number, while it is open."""
        return next((websocket for websocket in self if websocket.number == number), None)

    def listed(self, order: str, limit: int) -> list[WebSocket]:
        """The first `limit` by one of ORDERS; 20,000 connections take some 20 ms."""
        return nsmallest(limit, self, key=ORDERS[order])
