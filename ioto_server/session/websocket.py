"""The WebSocket that an action holds: everything an author can read, send, receive and ask for."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any

from ioto_server.websocket import Opcode

from .conversation import Conversation, Phase
from .ending import Cause
from .errors import Closed
from .events import Event
from .outbox import SENT

Message = str | bytes
Callback = Callable[["WebSocket", Event, "str | bytes | None", Any], Any]


class _UntilClosed:
    """What `send_close` returns: awaiting it waits for the end, ignoring it costs nothing."""

    __slots__ = ("_websocket",)

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    def __await__(self) -> Generator[Any, None, None]:
        return self._websocket.wait_closed().__await__()


class WebSocket(Conversation):
    """One open WebSocket, in the hands of an action.

    `data` is the author's own. Sends never block the loop: a plain `ws.send(...)` queues, up to
    `limits.maxBacklog`; `await ws.send(...)` also waits while more than 64 KB are queued.
    """

    __slots__ = ()

    # ---- what an author reads -------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """`"open"`, `"closing"` (a Close was sent or the connection failed) or `"closed"`."""
        return ("open", "closing", "closing", "closed")[self.phase]

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
        """Bytes of the message, or the piece, that was delivered last, as it came over the wire."""
        return self._codec.data_length

    @property
    def backlog(self) -> int:
        """Bytes queued for the peer that the kernel has not taken yet."""
        return self._outbox.backlog()

    @property
    def buffered(self) -> int:
        """Bytes held in memory for this connection: partial messages, read-ahead and backlog."""
        inbox = self._inbox.size if self._inbox is not None else 0
        return self._codec.buffered + inbox + self._outbox.backlog()

    # ---- sending --------------------------------------------------------------------------------------

    def send(self, message: str | bytes | bytearray | memoryview) -> Awaitable[None]:
        """Send a message: `str` as text, bytes-like as binary (webSocketSend).

        Raises `Closed` when the WebSocket is closing or closed or the peer reads too slowly, and
        MessageTooBig, before anything is written, for more than `limits.maxMessage` bytes.
        """
        if isinstance(message, str):
            return self._send(Opcode.TEXT, message.encode())
        return self._send(Opcode.BINARY, message if type(message) is bytes else bytes(message))

    def send_text(self, message: str | bytes) -> Awaitable[None]:
        """Send a text message; bytes must be UTF-8, which is checked: ValueError otherwise."""
        if isinstance(message, str):
            return self._send(Opcode.TEXT, message.encode())
        message.decode()
        return self._send(Opcode.TEXT, bytes(message))

    def send_binary(self, message: bytes | bytearray | memoryview) -> Awaitable[None]:
        """Send a binary message."""
        return self._send(Opcode.BINARY, bytes(message))

    def send_json(self, value: object) -> Awaitable[None]:
        """Send `value` as JSON text; raises TypeError or ValueError where JSON has no such value."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return self._send(Opcode.TEXT, text.encode())

    def send_block(self, type: Opcode, data: str | bytes, more: bool = False) -> Awaitable[None]:
        """Send one fragment of a message (webSocketSendBlock).

        `type` is that of the message, TEXT or BINARY, in every block of it; `more` says that the message
        goes on with the next block. Raises StateError when a block of another type comes between.
        """
        self._check_open()
        payload = data.encode() if isinstance(data, str) else bytes(data)
        parts = self._outbox.parts
        size = self._codec.send_block(type, payload, not more, parts)
        if more:
            self._deferred = self._deferred or []
            return self._sent(size)
        self.messages_out += 1
        # RFC 6455, 5.4: fragments of one message must not be interleaved with another's.
        deferred, self._deferred = self._deferred, None
        for frames, frames_size in deferred or ():
            parts += frames
            size += frames_size
            self.messages_out += 1
        return self._sent(size)

    def send_close(self, status: int = 1000, reason: str = "") -> Awaitable[None]:
        """Begin the closing handshake (webSocketSendClose); awaiting the result waits for its end.

        `reason` has at most 123 bytes of UTF-8. Raises ValueError for a status that may not be sent
        (RFC 6455, 7.4). Does nothing when a Close was sent already.
        """
        if self.phase == Phase.OPEN:
            self._close(Cause.ACTION_CLOSED, status, reason)
        return _UntilClosed(self)

    async def ping(self, payload: bytes | None = None) -> float:
        """Send a ping and wait for its pong; returns the round trip in seconds.

        `payload` has at most 125 bytes; left out, an unpredictable one is used. Raises `Closed` when the
        connection ends first.
        """
        self._check_open()
        pong: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._ping(self._host.ping_payload() if payload is None else payload, pong)
        return await pong

    def subscribe(self, topic: str) -> None:
        """Hear everything that `host.publish` says on `topic`; one ending in `/*` covers all below it."""
        self._check_open()
        self._host.check_topics()
        self._host.topics.subscribe(self, topic)
        if self._topics is None:
            self._topics = set()
        self._topics.add(topic)

    def unsubscribe(self, topic: str) -> None:
        """Hear no more of `topic`."""
        self._host.topics.unsubscribe(self, topic)
        if self._topics is not None:
            self._topics.discard(topic)

    def _send(self, opcode: Opcode, payload: bytes) -> Awaitable[None]:
        if self.phase != Phase.OPEN:
            self._check_open()
        size = self._codec.send_message(opcode, payload, self._outbox.parts)
        self.messages_out += 1
        return self._sent(size)

    def _sent(self, size: int) -> Awaitable[None]:
        if not self._queued(size):
            self._check_open()
        outbox = self._outbox
        return SENT if outbox.writable else outbox.room()

    # ---- receiving, the way of `async for` ------------------------------------------------------------

    async def receive(self) -> Message:
        """The next message; raises `Closed` once the connection has ended and all before it was taken."""
        while True:
            inbox = self._inbox
            if inbox:
                event, data = inbox.pop()
                if self._held and inbox.low:
                    self._release()
                if data is not None and event in (Event.MESSAGE, Event.PARTIAL_MESSAGE):
                    return data
            elif self.ending is not None:
                raise Closed(self.ending.code, self.ending.reason)
            else:
                await self._wait_for_input()

    async def _wait_for_input(self) -> None:
        if self._waiter is not None:
            raise RuntimeError("Two tasks receive from one WebSocket at once: let one of them do it")
        if self._callback is not None:
            raise RuntimeError(
                "This WebSocket has a callback (on_event): messages go there, not to receive()"
            )
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def __aiter__(self) -> AsyncIterator[Message]:
        try:
            while True:
                yield await self.receive()
        except Closed:
            return

    async def wait_closed(self) -> None:
        """Wait until the connection has ended and its CLOSE event, if there is a callback, was handled."""
        if self._closed is None:
            self._closed = asyncio.get_running_loop().create_future()
            if self.ending is not None and self._consumer is None and not self._inbox:
                self._closed.set_result(None)
        await asyncio.shield(self._closed)

    # ---- receiving, the way of callbacks --------------------------------------------------------------

    def on_event(self, callback: Callback, arg: Any = None) -> None:
        """Have `callback(ws, event, data, arg)` called for each event, those that wait already first."""
        self._callback = callback
        self._arg = arg
        self._direct = None
        if inspect.iscoroutinefunction(callback):
            self._consume()
            return
        while self._inbox:
            self._call(*self._inbox.pop())
        if self.ending is None:
            self._direct = callback
            if self._held:
                self._release()

    def update_deadline(self, inactivity: float | None = None, request: float | None = None) -> None:
        """Restart both deadlines, with other lengths in seconds where given (webUpdateDeadline)."""
        self.keepalive.restart(self._host.now(), inactivity, request)
        self._link.touch()
