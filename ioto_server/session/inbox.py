"""What was read for an action that lags: a few messages, then the peer has to wait (SPEC 5)."""

from __future__ import annotations

from collections import deque
from typing import Final

from .events import Event

# The read-ahead: with this much waiting, reading of the socket stops and TCP does the rest.
MOST_BYTES: Final = 65536
MOST_MESSAGES: Final = 16

Item = tuple[Event, "str | bytes | None"]


class Inbox:
    """Events in the order they came, counted in bytes."""

    __slots__ = ("_items", "size")

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self.size = 0

    def __len__(self) -> int:
        return len(self._items)

    def push(self, event: Event, data: str | bytes | None) -> None:
        """Add an event behind the others."""
        self._items.append((event, data))
        if data is not None:
            self.size += len(data)

    def pop(self) -> Item:
        """Take the oldest event."""
        item = self._items.popleft()
        if item[1] is not None:
            self.size -= len(item[1])
        return item

    @property
    def full(self) -> bool:
        """Whether reading has to stop."""
        return self.size >= MOST_BYTES or len(self._items) >= MOST_MESSAGES

    @property
    def low(self) -> bool:
        """Whether enough was taken for reading to go on: half of the bound, so that it does not stutter."""
        return self.size <= MOST_BYTES // 2 and len(self._items) <= MOST_MESSAGES // 2
