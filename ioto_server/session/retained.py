"""The last message of a topic, kept for those who subscribe later; bounded by a share of `limits.memory`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .publication import Publication

# The part of limits.memory that all retained messages together may take.
SHARE: Final = 4


class Retained:
    """The messages that are retained, by topic, the latest last."""

    def __init__(self) -> None:
        self.size = 0
        self._messages: dict[str, Publication] = {}

    def __len__(self) -> int:
        return len(self._messages)

    def keep(self, topic: str, publication: Publication, memory: float) -> None:
        """Keep a message in place of the one before.

        Raises RuntimeError when all together would take more than their share of `memory`, which is
        `limits.memory` in bytes; the one before is kept then.
        """
        before = self._messages.get(topic)
        size = self.size + _size(topic, publication) - (_size(topic, before) if before else 0)
        if size > memory / SHARE and size > self.size:
            raise RuntimeError(
                f"The retained messages of {len(self._messages)} topics take {self.size} bytes, and they may "
                f"take a quarter of limits.memory: forget those that are not needed, or raise limits.memory"
            )
        self.forget(topic)
        self._messages[topic] = publication
        self.size = size

    def forget(self, topic: str) -> None:
        """Keep nothing of `topic`."""
        before = self._messages.pop(topic, None)
        if before is not None:
            self.size -= _size(topic, before)

    def find(self, topic: str) -> Publication | None:
        """What is kept of `topic`."""
        return self._messages.get(topic)

    def of(self, key: str, below: bool) -> list[tuple[str, Publication]]:
        """What is kept of the topic `key`, or of all below it, which costs a look at every topic."""
        if not below:
            found = self._messages.get(key)
            return [] if found is None else [(key, found)]
        return [item for item in self._messages.items() if item[0].startswith(f"{key}/")]

    def items(self) -> list[tuple[str, Publication]]:
        """Every topic with its message."""
        return list(self._messages.items())


def _size(topic: str, publication: Publication) -> int:
    return len(topic) + publication.size
