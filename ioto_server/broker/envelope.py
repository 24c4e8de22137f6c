"""What a message is wrapped in on its way from one process to the others."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

# Another value is another edition of this format: processes of two editions do not understand each other.
_EDITION: Final = 1
# Edition, kind, the publisher, its number of this message, bytes of the topic.
_HEADER: Final = struct.Struct(">BB8sQI")


def octets(topic: str) -> bytes:
    """A topic as it travels; any string is one, also where UTF-8 has no bytes for it."""
    return topic.encode(errors="surrogatepass")


def topic_of(data: bytes) -> str:
    """The topic that `octets` has made this of. Raises ValueError."""
    return data.decode(errors="surrogatepass")


class Kind(IntEnum):
    """What an envelope holds."""

    TEXT = 1
    BINARY = 2
    FORGET = 3


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message with its topic, its publisher, and its place among those of that publisher."""

    kind: Kind
    publisher: bytes
    number: int
    topic: str
    payload: bytes

    @classmethod
    def of(cls, publisher: bytes, number: int, topic: str, message: str | bytes | None) -> Envelope:
        """Wrap a message; None is for "nothing is retained any more"."""
        if message is None:
            return cls(Kind.FORGET, publisher, number, topic, b"")
        if isinstance(message, str):
            return cls(Kind.TEXT, publisher, number, topic, message.encode())
        return cls(Kind.BINARY, publisher, number, topic, bytes(message))

    @property
    def message(self) -> str | bytes:
        """The message as it was published. Raises ValueError for a text that is none."""
        return self.payload.decode() if self.kind is Kind.TEXT else self.payload

    def pack(self) -> bytes:
        """The bytes that travel."""
        topic = octets(self.topic)
        header = _HEADER.pack(_EDITION, self.kind, self.publisher, self.number, len(topic))
        return header + topic + self.payload

    @classmethod
    def unpack(cls, data: bytes) -> Envelope:
        """Read what `pack` has written. Raises ValueError for anything else."""
        if len(data) < _HEADER.size:
            raise ValueError("too short")
        edition, kind, publisher, number, size = _HEADER.unpack_from(data)
        if edition != _EDITION:
            raise ValueError(f"of edition {edition}, and this is edition {_EDITION}")
        end = _HEADER.size + size
        if end > len(data) or size == 0:
            raise ValueError("cut short")
        return cls(Kind(kind), publisher, number, topic_of(data[_HEADER.size : end]), data[end:])
