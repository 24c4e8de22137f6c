"""The open WebSockets as an operator sees them: each with a number that no other of the process ever has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import nsmallest
from itertools import count
from time import monotonic
from typing import Any, Final, cast

from ioto_server.session import WebSocket
from ioto_server.session.conversation import Conversation


@dataclass(frozen=True, slots=True)
class Entry:
    """One open WebSocket, and when it was opened by `clock`."""

    number: int
    opened: float
    websocket: WebSocket


# What a list is sorted by: the largest first, but the age's oldest and the number's smallest.
ORDERS: Final[dict[str, Callable[[Entry], Any]]] = {
    "age": lambda entry: entry.opened,
    "id": lambda entry: entry.number,
    "peer": lambda entry: entry.websocket.peer,
    "path": lambda entry: entry.websocket.path,
    "messages": lambda entry: -entry.websocket.messages_in - entry.websocket.messages_out,
    "bytes": lambda entry: -entry.websocket.bytes_in - entry.websocket.bytes_out,
    "backlog": lambda entry: -entry.websocket.backlog,
}


class Roster(set[Conversation]):
    """A host's set of open WebSockets that numbers whatever is added, in the order of the openings.

    It costs one dictionary entry a connection and nothing a message.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self.clock = clock
        self._numbers = count(1)
        self._entries: dict[Conversation, Entry] = {}

    def add(self, websocket: Conversation, /) -> None:
        """A WebSocket is open."""
        super().add(websocket)
        # Only Web.accept() makes them, and what it makes are WebSockets.
        opened = cast(WebSocket, websocket)
        self._entries[websocket] = Entry(next(self._numbers), self.clock(), opened)

    def discard(self, websocket: object, /) -> None:
        """A WebSocket is closed."""
        super().discard(websocket)
        if isinstance(websocket, Conversation):
            self._entries.pop(websocket, None)

    def entries(self) -> Iterator[Entry]:
        """Everybody, the oldest first."""
        return iter(self._entries.values())

    def find(self, number: int) -> Entry | None:
        """The WebSocket with this number, while it is open."""
        return next((entry for entry in self._entries.values() if entry.number == number), None)

    def listed(self, order: str, limit: int) -> list[Entry]:
        """The first `limit` by one of ORDERS; 20,000 connections take some 20 ms."""
        return nsmallest(limit, self._entries.values(), key=ORDERS[order])
