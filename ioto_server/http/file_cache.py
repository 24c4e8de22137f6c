"""Small files in memory, each looked at again before it is sent.

What is kept is the content that was read from a file found safely below the documents folder, with the
facts of everything the answer was made from: the file, its compressed siblings, their folder. As long as
the kernel reports the same facts, the answer is the same, so nothing has to be walked, opened and read.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from ioto_server.http.conditional import Validators
from ioto_server.http.facts import Watched, holds

MAX_BYTES = 16 * 1024 * 1024
"""Most bytes of content and names held by one cache."""

SETTLED = 2.0
"""Seconds for which a thing must have been left alone before it is kept: two changes within one tick of the
file system's clock, which may be two seconds long, could not be told apart."""

_ENTRY_COST = 1024


class Representation:
    """One representation of a file: its header fields and validators; its content, or else the open file.

    `encoded` are the fields as whoever sends them has written them down, empty before that.
    """

    __slots__ = ("content", "descriptor", "encoded", "fields", "size", "validators")

    def __init__(
        self,
        fields: tuple[tuple[str, str], ...],
        validators: Validators,
        size: int,
        content: bytes | None,
        descriptor: int = -1,
    ) -> None:
        self.fields = fields
        self.validators = validators
        self.size = size
        self.content = content
        self.descriptor = descriptor
        self.encoded = b""


class Known:
    """What a path leads to: what that depends on, the codings there are, and what was read of them."""

    __slots__ = ("codings", "read", "watched")

    def __init__(self, watched: list[Watched], codings: list[str], read: dict[str, Representation]) -> None:
        self.watched = watched
        self.codings = codings
        self.read = read

    @property
    def cost(self) -> int:
        """Roughly how many bytes of memory this is."""
        contents = sum(len(one.content or b"") for one in self.read.values())
        return contents + sum(len(name) for name, _ in self.watched) + _ENTRY_COST


class FileCache:
    """Paths and what they lead to, the most recently used ones, within MAX_BYTES. Any thread may use it."""

    __slots__ = ("_bytes", "_known", "_lock")

    def __init__(self) -> None:
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, path: str) -> Known | None:
        """What is known of a path and still true."""
        known = self._known.get(path)
        if known is None:
            return None
        if not holds(known.watched):
            self.drop(path)
            return None
        with self._lock:
            if path in self._known:
                self._known.move_to_end(path)
        return known

    def put(self, path: str, known: Known) -> None:
        """Remember, in place of what was known, and forget what was used longest ago."""
        with self._lock:
            self._drop(path)
            self._known[path] = known
            self._bytes += known.cost
            while self._bytes > MAX_BYTES:
                self._drop(next(iter(self._known)))

    def drop(self, path: str) -> None:
        """Forget a path, if it is known."""
        with self._lock:
            self._drop(path)

    def _drop(self, path: str) -> None:
        known = self._known.pop(path, None)
        if known is not None:
            self._bytes -= known.cost

    def __len__(self) -> int:
        return len(self._known)
