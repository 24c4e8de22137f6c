"""Topics: who listens to what, and what was said last where that is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from .retained import Retained

if TYPE_CHECKING:
    from .carrier import Carrier
    from .publication import Publication


class Subscriber(Protocol):
    """What a topic needs from those who listen."""

    def deliver(self, publication: Publication) -> bool:
        """Queue one message; False if it was dropped, or nobody is there any more."""


class Topics:
    """The subscriptions of one process, and the messages that are retained for those who come later.

    A topic is a string with `/` between its parts. A subscription names one topic, or ends in `/*` and then
    covers everything below: `room/*` hears `room/a` and `room/a/b`, not `room`. Messages of one publisher
    reach a subscriber in the order in which they were published.
    """

    def __init__(self) -> None:
        self.carrier: Carrier | None = None
        self.retained = Retained()
        self._exact: dict[str, dict[Subscriber, None]] = {}
        self._below: dict[str, dict[Subscriber, None]] = {}

    # ---- what authors ask -----------------------------------------------------------------------------

    def count(self, topic: str) -> int:
        """How many subscribers a message on `topic` reaches now.

        With a broker those of other processes are among them, as last heard of. Raises ValueError for a
        pattern, since a message is on one topic.
        """
        here = len(list(self.subscribers(topic)))
        return here if self.carrier is None else here + self.carrier.count(topic)

    def last(self, topic: str) -> str | bytes | None:
        """The message that is retained on `topic`; None where there is none."""
        publication = self.retained.find(topic)
        return None if publication is None else publication.message

    # ---- subscriptions --------------------------------------------------------------------------------

    def subscribe(self, subscriber: Subscriber, topic: str) -> list[Publication]:
        """Add a subscription; a second one to the same topic changes nothing.

        Returns what is retained on the topics that `subscriber` hears from now on and did not before, the
        latest last. Raises ValueError for a topic that is empty or has `*` anywhere but as its last part.
        """
        table, key = self._place(topic)
        news = [
            publication
            for name, publication in self.retained.of(key, table is self._below)
            if not self._hears(subscriber, name)
        ]
        # A dict is a set that keeps the order in which they came: deliveries are repeatable.
        subscribers = table.setdefault(key, {})
        if subscriber not in subscribers:
            subscribers[subscriber] = None
            self._tell(topic, len(subscribers))
        return news

    def unsubscribe(self, subscriber: Subscriber, topic: str) -> None:
        """Remove a subscription; one that does not exist is no error."""
        table, key = self._place(topic)
        subscribers = table.get(key)
        if subscribers is None or subscriber not in subscribers:
            return
        del subscribers[subscriber]
        if not subscribers:
            del table[key]
        self._tell(topic, len(subscribers))

    def subscribers(self, topic: str) -> Iterable[Subscriber]:
        """Everybody who hears a message on `topic`, each once, in the order in which they came."""
        check_topic(topic)
        exact = self._exact.get(topic)
        if not self._below:
            return list(exact) if exact else ()
        heard: dict[Subscriber, None] = dict(exact) if exact else {}
        for above in _above(topic):
            heard.update(self._below.get(above, {}))
        return list(heard)

    def carry(self, carrier: Carrier) -> None:
        """Have `carrier` take topics to other processes from now on, and tell it of what there is."""
        self.carrier = carrier
        for key, subscribers in self._exact.items():
            carrier.subscribed(key, len(subscribers))
        for key, subscribers in self._below.items():
            carrier.subscribed(f"{key}/*", len(subscribers))
        for topic, publication in self.retained.items():
            carrier.publish(topic, publication.message, True)

    def _hears(self, subscriber: Subscriber, topic: str) -> bool:
        return subscriber in self._exact.get(topic, ()) or any(
            subscriber in self._below.get(above, ()) for above in _above(topic)
        )

    def _tell(self, pattern: str, count: int) -> None:
        if self.carrier is not None:
            self.carrier.subscribed(pattern, count)

    def _place(self, topic: str) -> tuple[dict[str, dict[Subscriber, None]], str]:
        pattern = topic.endswith("/*")
        key = topic[:-2] if pattern else topic
        if not key or "*" in key:
            raise ValueError(
                f"Cannot subscribe to {topic!r}: a topic is a non-empty string, "
                "with '*' as its last part or nowhere, as in 'room/*'"
            )
        return (self._below if pattern else self._exact), key


def check_topic(topic: str) -> None:
    """Raise ValueError for what is not one topic: a pattern, which cannot be published to, or nothing."""
    if not topic or "*" in topic:
        raise ValueError(
            f"{topic!r} is not one topic: that is a non-empty string without '*', "
            "which only a subscription may have"
        )


def _above(topic: str) -> Iterator[str]:
    """What patterns that cover `topic` have before their `/*`, the longest first."""
    end = topic.rfind("/")
    while end >= 0:
        yield topic[:end]
        end = topic.rfind("/", 0, end)
