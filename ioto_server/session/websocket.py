"""The WebSocket that an action holds: everything an author can read, send and ask for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable, Awaitable, Generator
from operator import index
from typing import Any

from ioto_server.websocket import Opcode

from .conversation import Conversation
from .ending import Cause
from .keepalive import check_lengths
from .states import OPEN

_TEXT = Opcode.TEXT
_BINARY = Opcode.BINARY

_STATES = ("open", "closing", "closing", "closed", "closed")


class _UntilClosed:
    """What `send_close` returns: awaiting it waits for the end, ignoring it costs nothing."""

    __slots__ = ("_websocket",)

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    def __await__(self) -> Generator[Any, None, None]:
        yield from self._websocket.closed().__await__()


class WebSocket(Conversation):
    """One open WebSocket, in the hands of an action.

    `data` is the author's own. Sends never block the loop: a plain `ws.send(...)` queues, up to
    `limits.maxBacklog`; `await ws.send(...)` also waits while more than 64 KB are queued. A peer that is
    further behind is closed with 1008, unless `drop_when_slow` is set: then messages for it are dropped, and
    counted in `dropped`.
    """

    __slots__ = ()

    # ---- what an author reads -------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """`"open"`, `"closing"` (a Close was sent or the connection failed) or `"closed"`."""
        return _STATES[self.phase]

    @property
    def close_status(self) -> int | None:
        """The code of the Close that ended this, 1005 for one without a code, 1006 for none; None before."""
        return self.ending.code if self.ending else None

    @property
    def close_reason(self) -> str:
        """The reason in the Close that ended this; empty before the end."""
        return self.ending.reason if self.ending else ""

    @property
    def orderly_closed(self) -> bool:
        """Whether both Closes were exchanged and no error or timeout of ours came first."""
        return self.ending is not None and self.ending.orderly

    @property
    def error_message(self) -> str:
        """What went wrong, in a line; empty while open and after an orderly close."""
        return self.ending.error_message if self.ending else ""

    @property
    def message_length(self) -> int:
        """Bytes of the message, or the piece, that was read last, as it came over the wire."""
        return self._codec.data_length

    @property
    def backlog(self) -> int:
        """Bytes queued for the peer that the kernel has not taken yet."""
        return self._outbox.backlog()

    # ---- sending --------------------------------------------------------------------------------------

    def send(
        self, message: str | bytes | bytearray | memoryview | AsyncIterable[str] | AsyncIterable[bytes]
    ) -> Awaitable[None]:
        """Send a message: `str` as text, bytes-like as binary (webSocketSend).

        An async iterator of one or the other is sent as one message, each piece as soon as it is there; it
        has to be awaited. Until its end no other message can be sent (StateError), published ones wait. An
        iterator that raises ends the connection with 1011, as half of the message has left.

        Raises `Closed` when the WebSocket is closing or closed or the peer reads too slowly, and
        MessageTooBig, before anything is written, for more than `limits.maxMessage` bytes; TypeError for
        what is neither text nor bytes.
        """
        if type(message) is bytes:
            return self._send(_BINARY, message)
        if isinstance(message, str):
            return self._send(_TEXT, message)
        if isinstance(message, AsyncIterable):
            return self._send_pieces(message)
        return self._send(_BINARY, _bytes(message, True))

    async def _send_pieces(self, pieces: AsyncIterable[str] | AsyncIterable[bytes]) -> None:
        kind: Opcode | None = None
        try:
            async for piece in pieces:
                of = _TEXT if isinstance(piece, str) else _BINARY
                if kind is not None and of != kind:
                    raise TypeError(
                        "The pieces of a message are all str or all bytes: one was of the other kind"
                    )
                await self.send_block(of, piece, more=True)
                kind = of
        except BaseException:
            if kind is not None and self.phase == OPEN:
                self._fail(Cause.ACTION_FAILED, 1011, "Internal error")
            raise
        if kind is not None:
            # What came last went on its way at once, so the end of the message is a frame of its own.
            await self.send_block(kind, b"")

    def send_text(self, message: str | bytes | bytearray | memoryview) -> Awaitable[None]:
        """Send a text message; bytes must be UTF-8, which is checked: ValueError otherwise."""
        return self._send(_TEXT, message if isinstance(message, str) else _bytes(message, True))

    def send_binary(self, message: bytes | bytearray | memoryview) -> Awaitable[None]:
        """Send a binary message."""
        return self._send(_BINARY, _bytes(message, False))

    def send_json(self, value: object) -> Awaitable[None]:
        """Send `value` as JSON text; raises TypeError or ValueError where JSON has no such value."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return self._send(_TEXT, text)

    def send_block(
        self, type: Opcode, data: str | bytes | bytearray | memoryview, more: bool = False
    ) -> Awaitable[None]:
        """Send one fragment of a message (webSocketSendBlock).

        `type` is that of the message, TEXT or BINARY, in every block of it; `more` says that the message
        goes on with the next block. Raises ValueError for another type, StateError when a block of the other
        one comes between. A message in blocks is never dropped for a slow peer: `drop_when_slow` does not
        spare the connection here.
        """
        outbox = self._outbox
        self._check_backlog()
        if type != _TEXT and type != _BINARY:
            raise ValueError(f"A message cannot have opcode {type}: use Opcode.TEXT or Opcode.BINARY")
        payload = data.encode() if isinstance(data, str) else _bytes(data, True)
        size = self._codec.send_block(type, payload, not more, outbox.parts)
        if more:
            outbox.begin_blocks()
        else:
            self.messages_out += 1
            for frames in outbox.end_blocks():
                size += self._codec.send_framed(frames, outbox.parts)
        return self._queued_or_wait(size)

    def send_close(self, status: int = 1000, reason: str = "") -> Awaitable[None]:
        """Begin the closing handshake (webSocketSendClose); awaiting the result waits for its end.

        `reason` has at most 123 bytes of UTF-8. Raises ValueError for a status that may not be sent
        (RFC 6455, 7.4). Does nothing when a Close was sent already. A callback is given no message after
        this; `receive()` and iteration still give those that had arrived.
        """
        if self.phase == OPEN:
            self._close(Cause.ACTION_CLOSED, index(status), _text(reason))
        return _UntilClosed(self)

    async def ping(self, payload: bytes | None = None) -> float:
        """Send a ping and wait for its pong; returns the round trip in seconds.

        `payload` has at most 125 bytes; left out, an unpredictable one is used. Raises `Closed` when the
        connection ends first.
        """
        self._check_backlog()
        pong: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._ping(self._host.ping_payload() if payload is None else _bytes(payload, False), pong)
        return await pong

    # ---- topics ---------------------------------------------------------------------------------------

    def subscribe(self, topic: str) -> None:
        """Hear everything that `host.publish` says on `topic`; one ending in `/*` covers all below it.

        What is retained there is heard at once. Raises ValueError for what is no topic, `Closed` after the
        end, and RuntimeError with `workers` over 1 and no `topics.broker`.
        """
        self._check_open()
        self._host.check_topics()
        news = self._host.topics.subscribe(self, topic)
        if self._topics is None:
            self._topics = set()
        self._topics.add(topic)
        for publication in news:
            self.deliver(publication)

    def unsubscribe(self, topic: str) -> None:
        """Hear no more of `topic`."""
        self._host.topics.unsubscribe(self, topic)
        if self._topics is not None:
            self._topics.discard(topic)

    # ---- the end, and deadlines -----------------------------------------------------------------------

    async def wait_closed(self) -> None:
        """Wait until the connection has ended and its CLOSE event, if there is a callback, was handled.

        Messages that neither a callback nor a `receive()` asks for are read and dropped.
        """
        self.discard_unasked()
        await self.closed()

    def update_deadline(self, inactivity: float | None = None, request: float | None = None) -> None:
        """Restart both deadlines, with other lengths in seconds where given (webUpdateDeadline).

        Raises ValueError for a length that is not positive; `math.inf` is no limit.
        """
        check_lengths(inactivity, request)
        if self.phase == OPEN:
            self.keepalive.restart(self._clock.now, inactivity, request)
            self._link.touch()


def _bytes(data: bytes | bytearray | memoryview, or_text: bool) -> bytes:
    """A copy that nobody changes; TypeError for anything but bytes, also for an int, which bytes() takes.

    `or_text` is for the words of that: whether text is taken where this is asked, which is no text.
    """
    if type(data) is bytes:
        return data
    try:
        return memoryview(data).tobytes()
    except TypeError:
        given = type(data).__name__
        if or_text:
            text = f"A message is str or bytes-like, not {given}: send_json() sends other values as JSON"
        else:
            text = f"This is bytes-like, not {given}: encode() what is text"
        raise TypeError(text) from None


def _text(text: str) -> str:
    """A plain str of any kind, such as an enum's; TypeError for anything else."""
    if not isinstance(text, str):
        raise TypeError(f"A reason is text, not {type(text).__name__}")
    return str.__str__(text)
