"""What carries topics from one process to others: the interface that a broker's client stands behind."""

from __future__ import annotations

from typing import Protocol


class Carrier(Protocol):
    """Takes what is said on topics here to the other processes (`topics.broker`).

    A process delivers to its own subscribers by itself, at once; a carrier is told of the same and brings it
    to all others, never back. What it brings from them goes to `Core.hear` and `Core.hear_forget`, one
    publisher's messages in the order in which they were published. No method waits or raises for the
    network: a carrier queues, within bounds of its own, and says in the log what it had to drop.
    """

    def publish(self, topic: str, message: str | bytes, retain: bool) -> None:
        """Take a message to the processes that have subscribers of `topic`.

        A message to be retained goes to every process, and to one that starts later.
        """

    def forget(self, topic: str) -> None:
        """Nothing is retained on `topic` any more, in no process."""

    def subscribed(self, pattern: str, count: int) -> None:
        """This process has `count` subscriptions to `pattern` now, a topic or one that ends in `/*`.

        Called at each change; with 0 when the last one has gone.
        """

    def count(self, topic: str) -> int:
        """How many subscribers a message on `topic` reaches in the other processes, as last heard of them."""
