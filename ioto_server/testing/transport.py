"""A connection without a socket: the server's end is a transport, the client's end gets the bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Any, Protocol, cast

# Bytes that the server may write before it is told to wait, as a socket's transport has it by default.
_HIGH = 64 * 1024


class Receiver(Protocol):
    """The client's end of a connection."""

    def received(self, data: bytes) -> None:
        """Bytes have come from the server."""

    def ended(self, reset: bool) -> None:
        """The server has ended its side, in order or by dropping the connection."""


class MemoryTransport(asyncio.Transport):
    """What a server's protocol takes for a TCP connection.

    Bytes are handed over in later turns of the loop, as by a kernel, never in the stack that wrote them.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.BufferedProtocol,
        receiver: Receiver,
        extra: dict[str, Any],
    ) -> None:
        """Connect `protocol` with `receiver`; `extra` is what `get_extra_info` knows."""
        super().__init__(extra)
        self._loop = loop
        self._protocol = protocol
        self._receiver = receiver
        # From the server to the client.
        self._out: deque[bytes] = deque()
        self._out_size = 0
        self._high = _HIGH
        self._low = _HIGH // 4
        self._writing_paused = False
        self._client_reads = True
        self._flushing = False
        self._eof_due = False
        # From the client to the server.
        self._in: deque[bytes] = deque()
        self._in_eof = False
        self._reading = True
        self._delivering = False
        self._closing = False
        self._lost = False

    # ---- the client's end -----------------------------------------------------------------------------

    def open(self) -> None:
        """Tell the server that somebody has connected."""
        self._protocol.connection_made(self)

    def feed(self, data: bytes) -> None:
        """Send bytes to the server."""
        self._in.append(data)
        self._deliver_soon()

    def feed_eof(self) -> None:
        """End the client's side."""
        self._in_eof = True
        self._deliver_soon()

    def reset(self) -> None:
        """Drop the connection from the client's side."""
        self._out.clear()
        self._out_size = 0
        self._lose(ConnectionResetError("The client has dropped the connection"))

    def pause_client(self) -> None:
        """Have the client take nothing: what the server writes waits here."""
        self._client_reads = False

    def resume_client(self) -> None:
        """Have the client take what waits, and what comes."""
        self._client_reads = True
        self._flush_soon()

    # ---- reading, as the server sees it ---------------------------------------------------------------

    def _deliver_soon(self) -> None:
        if not self._delivering and (self._in or self._in_eof):
            self._delivering = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        """One read: as much as the server's buffer takes of what the client has sent."""
        self._delivering = False
        if not self._reading or self._closing or self._lost:
            return
        try:
            if self._in:
                data = self._in.popleft()
                buffer = self._protocol.get_buffer(len(data))
                with memoryview(buffer) as view:
                    size = min(len(data), len(view))
                    view[:size] = data[:size]
                if size < len(data):
                    self._in.appendleft(data[size:])
                self._protocol.buffer_updated(size)
            elif self._in_eof:
                self._in_eof = False
                if not self._protocol.eof_received():
                    self.close()
        except Exception as error:
            self._loop.call_exception_handler(
                {"message": "The server's connection failed", "exception": error, "transport": self}
            )
            self._lose(error)
        self._deliver_soon()

    def pause_reading(self) -> None:
        """Take nothing more from the client."""
        self._reading = False

    def resume_reading(self) -> None:
        """Take what the client has sent."""
        self._reading = True
        self._deliver_soon()

    def is_reading(self) -> bool:
        """Whether bytes of the client are taken."""
        return self._reading and not self._closing

    # ---- writing, as the server sees it ---------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Queue bytes for the client."""
        if self._lost or self._eof_due or self._closing or not data:
            return
        self._out.append(bytes(data))
        self._out_size += len(data)
        self._flush_soon()
        if self._out_size > self._high and not self._writing_paused:
            self._writing_paused = True
            self._protocol.pause_writing()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Queue bytes for the client in one go."""
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        """End the server's side behind what is queued."""
        self._eof_due = True
        self._flush_soon()

    def can_write_eof(self) -> bool:
        """A connection in memory has two sides, as TCP has."""
        return True

    def get_write_buffer_size(self) -> int:
        """Bytes that the client has not taken."""
        return self._out_size

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The bounds at which the server is told to go on, and to wait."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Change the bounds."""
        self._high = _HIGH if high is None else high
        self._low = self._high // 4 if low is None else low

    def _flush_soon(self) -> None:
        if not self._flushing and self._client_reads:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if not self._client_reads or self._lost:
            return
        if self._out:
            data = b"".join(self._out)
            self._out.clear()
            self._out_size = 0
            self._receiver.received(data)
            if self._writing_paused:
                self._writing_paused = False
                self._protocol.resume_writing()
        if self._out or self._lost:
            return
        if self._closing:
            self._lose(None)
        elif self._eof_due:
            self._receiver.ended(False)

    # ---- the end --------------------------------------------------------------------------------------

    def is_closing(self) -> bool:
        """Whether the server has closed the connection, or lost it."""
        return self._closing or self._lost

    def close(self) -> None:
        """Close once everything queued was taken."""
        if not self._closing:
            self._closing = True
            self._flush_soon()

    def abort(self) -> None:
        """Drop the connection and what is queued."""
        self._out.clear()
        self._out_size = 0
        self._lose(None, reset=True)

    def _lose(self, error: Exception | None, *, reset: bool = False) -> None:
        if self._lost:
            return
        self._lost = True
        self._loop.call_soon(self._tell_lost, error, reset)

    def _tell_lost(self, error: Exception | None, reset: bool) -> None:
        self._protocol.connection_lost(error)
        self._receiver.ended(reset)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the connection to another protocol: HTTP has become a WebSocket."""
        self._protocol = cast(asyncio.BufferedProtocol, protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who is served by this transport now."""
        return self._protocol
