"""What a Web needs from below: one request and the way to answer it."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .link import Link


class Exchange(Protocol):
    """One HTTP request on its connection, and the answer to it."""

    @property
    def answered(self) -> bool:
        """Whether the head of an answer has been sent."""

    @property
    def streaming(self) -> bool:
        """Whether the answer is a stream of events."""

    @property
    def done(self) -> bool:
        """Whether the answer is complete, or can no longer be sent."""

    async def read(self) -> bytes:
        """The next piece of the request's body, empty at its end."""

    def start(self, status: int, headers: Sequence[tuple[str, str]], length: int | None) -> None:
        """Send the head of the answer; a `length` of None means that it is not known yet."""

    def write(self, data: bytes) -> Awaitable[None]:
        """Send a piece of the answer's body; awaiting waits while much is unsent."""

    def unhurry(self) -> None:
        """The answer takes as long as its client reads on, unless `timeouts.request` is set."""

    def stream(self) -> None:
        """The answer that was begun is a stream of events: it has the timeouts of a WebSocket."""

    def update_deadline(self, inactivity: float | None, request: float | None) -> None:
        """Restart both deadlines, with other lengths in seconds where given."""

    def end(self) -> None:
        """The answer is complete."""

    def abandon(self) -> None:
        """The answer cannot be completed: end the connection, so that nobody takes it for whole."""

    def switch(self, head: bytes) -> Link:
        """Leave HTTP: the connection becomes a WebSocket's, which is to send `head` first."""
