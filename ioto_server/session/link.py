"""What a WebSocket needs from below: the server implements it on a socket, `testing` in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .websocket import WebSocket


class Link:
    """One open byte stream to the peer, without a word about sockets or event loops.

    It tells its WebSocket `paused_writing()` as soon as something handed over did not leave at once, and
    `resumed_writing()` when all has left. After `finish`, `linger` and `abort` nothing is written any more.
    """

    __slots__ = ()

    def begin(self, websocket: WebSocket, head: bytes) -> None:
        """Send the 101, tell the WebSocket that it is open, then hand it what the client sent early."""
        raise NotImplementedError

    def write(self, parts: list[bytes], size: int) -> None:
        """Hand over `parts`, `size` bytes together; they leave in this order, in as few calls as can be."""
        raise NotImplementedError

    def unsent(self) -> int:
        """Bytes handed over that the kernel has not taken yet."""
        raise NotImplementedError

    def unread(self) -> int:
        """Bytes taken from the kernel and kept back while reading is paused."""
        raise NotImplementedError

    def pause_reading(self) -> None:
        """Stop reading from the peer: TCP makes it wait."""
        raise NotImplementedError

    def resume_reading(self) -> None:
        """Read again."""
        raise NotImplementedError

    def finish(self) -> None:
        """Close the stream once all has left (RFC 6455, 7.1.1: the server closes first)."""
        raise NotImplementedError

    def linger(self) -> None:
        """Shut the write side once everything has left; input goes on being read, for its end."""
        raise NotImplementedError

    def touch(self) -> None:
        """Look at the deadlines again: one of them has moved."""
        raise NotImplementedError

    def abort(self) -> None:
        """Drop the stream at once, with whatever is unsent."""
        raise NotImplementedError
