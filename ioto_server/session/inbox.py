"""What was read for an action that lags: a few messages, then the peer has to wait (SPEC 5)."""

from __future__ import annotations

from typing import Final

from .events import Event

# The read-ahead: with this much waiting, reading of the socket stops and TCP does the rest.
MOST_BYTES: Final = 65536
MOST_MESSAGES: Final = 16

# A text takes up to four bytes a character in memory. Of one shorter than this that is not looked at.
_SHORT: Final = 1024

_MESSAGES: Final = (Event.MESSAGE, Event.PARTIAL_MESSAGE)

Item = tuple[Event, "str | bytes | None"]


def _size(data: str | bytes | None) -> int:
    """Bytes that `data` takes in memory, as far as they count."""
    if data is None:
        return 0
    size = len(data)
    return size if size < _SHORT or isinstance(data, bytes) else data.__sizeof__()


class Inbox:
    """Events in the order they came, counted in bytes of memory (a short text in characters)."""

    __slots__ = ("_items", "size")

    def __init__(self) -> None:
        # A list: it is as short as MOST_MESSAGES, and an idle connection does not pay for a deque's block.
        self._items: list[Item] = []
        self.size = 0

    def __len__(self) -> int:
        return len(self._items)

    def push(self, event: Event, data: str | bytes | None) -> None:
        """Add an event behind the others."""
        self._items.append((event, data))
        self.size += _size(data)

    def pop(self) -> Item:
        """Take the oldest event."""
        item = self._items.pop(0)
        self.size -= _size(item[1])
        return item

    def drop_messages(self) -> None:
        """Forget the messages and pieces; of what the connection itself has to say nothing is lost."""
        self._items = [item for item in self._items if item[0] not in _MESSAGES]
        self.size = 0
        for _, data in self._items:
            self.size += _size(data)

    def is_full(self) -> bool:
        """Whether reading has to stop."""
        return self.size >= MOST_BYTES or len(self._items) >= MOST_MESSAGES

    def is_low(self) -> bool:
        """Whether enough was taken for reading to go on: half of the bound, so that it does not stutter."""
        return self.size <= MOST_BYTES // 2 and len(self._items) <= MOST_MESSAGES // 2
