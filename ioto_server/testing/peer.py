"""The client's end of one connection: bytes become messages, which wait until the test asks for them."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from ioto_server.client import (
    Accepted,
    ClientProtocol,
    Opening,
    Refused,
    Response,
    ResponseError,
    ResponseParser,
)
from ioto_server.config import UNLIMITED
from ioto_server.websocket import Received
from ioto_server.websocket.handshake import HandshakeError

from .transport import MemoryTransport

# With this much waiting for the test, the client stops reading, as a busy one would.
_MOST_MESSAGES: Final = 10_000
_MOST_BYTES: Final = 64 * 1024 * 1024

# Bytes of a plain answer's head and body.
_MAX_HEADER: Final = 64 * 1024
_MAX_BODY: Final = 64 * 1024 * 1024


class Close(NamedTuple):
    """How a WebSocket ended: 1005 stands for a Close without a code, 1006 for none at all."""

    code: int
    reason: str


class Peer(ABC):
    """What every client has: a transport, and somebody who waits for things to change."""

    def __init__(self) -> None:
        self.transport: MemoryTransport
        self.is_ended = False
        self._changed: asyncio.Future[None] | None = None

    async def until(self, ready: Callable[[], object]) -> None:
        """Wait until `ready()` is true; one caller at a time."""
        while not ready():
            self._changed = asyncio.get_running_loop().create_future()
            await self._changed

    @abstractmethod
    def received(self, data: bytes) -> None:
        """Bytes have come from the server."""

    @abstractmethod
    def ended(self, reset: bool) -> None:
        """The server has ended its side, in order or by dropping the connection."""

    def tell(self) -> None:
        """Something has changed."""
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    def end(self) -> None:
        """The server's side has ended: ours has nothing more to say either."""
        if not self.is_ended:
            self.is_ended = True
            self.transport.feed_eof()
        self.tell()


class HttpPeer(Peer):
    """A client that sent one request and reads the answer."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self.parser = ResponseParser(method, max_header=_MAX_HEADER, max_body=_MAX_BODY)
        self.error: ResponseError | None = None

    @property
    def is_done(self) -> bool:
        """Whether the answer is complete, or never will be."""
        return self.parser.complete or self.error is not None

    def received(self, data: bytes) -> None:
        """Bytes have come from the server."""
        try:
            self.parser.receive(data)
        except ResponseError as error:
            self.error = error
        self.tell()

    def ended(self, reset: bool) -> None:
        """The server has ended its side."""
        try:
            self.parser.receive_eof()
        except ResponseError as error:
            self.error = self.error or error
        self.end()


class WebSocketPeer(Peer):
    """A client that asked for a WebSocket."""

    def __init__(self, opening: Opening, *, frame_size: int, answer_pings: bool) -> None:
        super().__init__()
        self.protocol: ClientProtocol
        self.accepted: Accepted | None = None
        self.refusal: Exception | None = None
        self.messages: deque[str | bytes] = deque()
        self.pings: list[bytes] = []
        self.pongs: list[bytes] = []
        self.close: Close | None = None
        self._opening = opening
        self._frame_size = frame_size
        self._answer_pings = answer_pings
        self._size = 0

    @property
    def is_decided(self) -> bool:
        """Whether the handshake has an outcome."""
        return self.accepted is not None or self.refusal is not None

    @property
    def response(self) -> Response:
        """The 101."""
        assert self.accepted is not None
        return self.accepted.response

    def take(self) -> str | bytes:
        """The oldest message."""
        message = self.messages.popleft()
        self._size -= len(message)
        if not self._is_full:
            self.transport.resume_client()
        return message

    @property
    def _is_full(self) -> bool:
        return len(self.messages) >= _MOST_MESSAGES or self._size >= _MOST_BYTES

    def received(self, data: bytes) -> None:
        """Bytes have come from the server."""
        if self.accepted is None:
            try:
                self.accepted = self._opening.receive(data)
            except (Refused, HandshakeError, ResponseError) as error:
                self.refusal = error
            if self.accepted is not None:
                self._begin(self.accepted)
        else:
            self._read(data)
        self.tell()

    def _begin(self, accepted: Accepted) -> None:
        self.protocol = ClientProtocol(
            # The server's limits are its own: a test must be able to send what goes over them.
            max_message=UNLIMITED,
            frame_size=self._frame_size,
            answer_pings=self._answer_pings,
            deflate=accepted.deflate,
        )
        self._read(accepted.rest)

    def _read(self, data: bytes) -> None:
        protocol = self.protocol
        protocol.receive(data)
        while (event := protocol.next_event()) != Received.NEED_DATA:
            if event == Received.MESSAGE:
                self.messages.append(protocol.data)
                self._size += len(protocol.data)
            elif event == Received.PING:
                self.pings.append(protocol.data)
            elif event == Received.PONG:
                self.pongs.append(protocol.data)
            elif event == Received.CLOSE:
                self.close = self.close or Close(protocol.close_code, protocol.close_reason)
            else:
                assert protocol.error is not None
                self.close = self.close or Close(protocol.error.code, protocol.error.reason)
        self.flush()
        if self._is_full:
            self.transport.pause_client()

    def flush(self) -> None:
        """Send what the protocol has to say."""
        out: Sequence[bytes] = self.protocol.out
        if out:
            self.transport.feed(b"".join(out))
            self.protocol.out.clear()

    def ended(self, reset: bool) -> None:
        """The server has ended its side."""
        if not self.is_decided:
            try:
                self._opening.receive_eof()
            except (Refused, ResponseError) as error:
                self.refusal = error
        elif self.close is None:
            self.close = Close(1006, "")
        self.end()
