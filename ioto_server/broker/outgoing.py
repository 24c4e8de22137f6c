"""What waits to be sent to the broker: in order, bounded, and kept until the broker has taken it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, Literal

# About what an entry takes in memory beside its bytes.
_OVERHEAD: Final = 400
# Most messages and bytes that go to the broker at once.
_BATCH: Final = 500
_BATCH_BYTES: Final = 1 << 20

# What a message does to what is retained; 'add' puts only where there is nothing yet.
Change = Literal["", "put", "add", "forget"]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message on its way out, and what it does to what the broker retains."""

    topic: str
    number: int
    data: bytes
    change: Change

    @property
    def lasting(self) -> bool:
        """Whether what is retained changes with it."""
        return bool(self.change)

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        return len(self.data) + len(self.topic) + _OVERHEAD


class Queue:
    """The messages that wait; where more would wait than `limit` bytes, the oldest are dropped.

    New ones count more than old ones in live data. What such a message has changed of what is retained is
    not lost with it: the topic is owed to the store (`owed`), which gets its state when there is room again.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self.dropped = 0
        self.owed: dict[str, None] = {}
        # How many of the messages that wait, or whose echo is awaited, change what is retained on a topic.
        self.pending: Counter[str] = Counter()
        self._waiting: deque[Outgoing] = deque()
        self._batch: list[Outgoing] = []

    def __len__(self) -> int:
        return len(self._waiting) + len(self._batch)

    def put(self, entry: Outgoing, limit: float) -> int:
        """Have a message wait; returns how many others were dropped for it."""
        self._waiting.append(entry)
        self.bytes += entry.size
        if entry.lasting:
            self.pending[entry.topic] += 1
            self.owed.pop(entry.topic, None)
        count = 0
        while self.bytes > limit and len(self._waiting) > 1:
            self._drop(self._waiting.popleft())
            count += 1
        return count

    def _drop(self, entry: Outgoing) -> None:
        self.bytes -= entry.size
        self.dropped += 1
        if entry.lasting:
            self.arrived(entry.topic)
            if not self.pending[entry.topic]:
                self.owed[entry.topic] = None

    def batch(self) -> Sequence[Outgoing]:
        """What to send next: the same again until it is `sent`."""
        size = 0
        while not self._batch or (len(self._batch) < _BATCH and size < _BATCH_BYTES):
            if not self._waiting:
                break
            entry = self._waiting.popleft()
            size += entry.size
            self._batch.append(entry)
        return tuple(self._batch)

    def sent(self) -> None:
        """The broker has taken the batch."""
        self.bytes -= sum(entry.size for entry in self._batch)
        self._batch.clear()

    def refused(self, entry: Outgoing) -> None:
        """The broker will not have a message of the batch, now or later."""
        self.dropped += 1
        if entry.lasting:
            self.arrived(entry.topic)

    def arrived(self, topic: str) -> None:
        """The broker has shown us one of our own messages that change what is retained."""
        self.pending[topic] -= 1
        if self.pending[topic] <= 0:
            del self.pending[topic]

    def begin_anew(self) -> None:
        """Echoes of what was sent before will not come any more."""
        self.pending = Counter(entry.topic for entry in chain(self._batch, self._waiting) if entry.lasting)
