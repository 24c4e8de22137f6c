"""Topics of one process: who listens to what, and one encoding for all who do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .publication import Publication


class Subscriber(Protocol):
    """What a topic needs from those who listen."""

    def deliver(self, publication: Publication) -> None:
        """Queue one message."""


class Topics:
    """The subscriptions of one process.

    A topic is a string with `/` between its parts. A subscription names one topic, or ends in `/*` and then
    covers everything below: `room/*` hears `room/a` and `room/a/b`, not `room`.
    """

    def __init__(self) -> None:
        self._exact: dict[str, dict[Subscriber, None]] = {}
        self._below: dict[str, dict[Subscriber, None]] = {}

    def subscribe(self, subscriber: Subscriber, topic: str) -> None:
        """Add a subscription; a second one to the same topic changes nothing.

        Raises ValueError for a topic that is empty or has `*` anywhere but as its last part.
        """
        table, key = self._place(topic)
        # A dict is a set that keeps the order in which they came: deliveries are repeatable.
        table.setdefault(key, {})[subscriber] = None

    def unsubscribe(self, subscriber: Subscriber, topic: str) -> None:
        """Remove a subscription; one that does not exist is no error."""
        table, key = self._place(topic)
        subscribers = table.get(key)
        if subscribers is None:
            return
        subscribers.pop(subscriber, None)
        if not subscribers:
            del table[key]

    def subscribers(self, topic: str) -> Iterable[Subscriber]:
        """Everybody who hears a message on `topic`, each once, in the order in which they came."""
        if not topic or "*" in topic:
            raise ValueError(f"Cannot publish to {topic!r}: a topic is a non-empty string without '*'")
        exact = self._exact.get(topic)
        if not self._below:
            return list(exact) if exact else ()
        heard: dict[Subscriber, None] = dict(exact) if exact else {}
        end = topic.rfind("/")
        while end >= 0:
            heard.update(self._below.get(topic[:end], {}))
            end = topic.rfind("/", 0, end)
        return list(heard)

    def count(self, topic: str) -> int:
        """How many subscribers a message on `topic` reaches now."""
        return len(list(self.subscribers(topic)))

    def _place(self, topic: str) -> tuple[dict[str, dict[Subscriber, None]], str]:
        pattern = topic.endswith("/*")
        key = topic[:-2] if pattern else topic
        if not key or "*" in key:
            raise ValueError(
                f"Cannot subscribe to {topic!r}: a topic is a non-empty string, "
                "with '*' as its last part or nowhere, as in 'room/*'"
            )
        return (self._below if pattern else self._exact), key
