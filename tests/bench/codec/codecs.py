"""Five codecs behind the same two functions: take one frame and deliver bytes; frame one message.

Everyone pays for one copy of the frame, which in a server the kernel makes: into the receive buffer of those
that have one, into new `bytes` for those that are handed what their event loop read.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

Deliver = Callable[[memoryview], bytes]
Send = Callable[[bytes], None]

LIMIT = 1 << 24


class NoTransport:
    """A transport that keeps nothing: what a codec writes is finished when it is given here."""

    def __init__(self) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.sock if name == "socket" else default

    def get_write_buffer_size(self) -> int:
        # Not empty: picows would write to the socket by itself.
        return 1

    def write(self, data: Any) -> None:
        pass

    def writelines(self, data: Any) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def abort(self) -> None:
        pass

    def close(self) -> None:
        pass


def ours() -> tuple[Deliver, Send]:
    from ioto_server.websocket import Opcode, Protocol, Received

    protocol = Protocol(max_message=LIMIT, max_frame=LIMIT, max_fragments=1000)
    shared = bytearray(2 * LIMIT // 8)
    out: list[bytes] = []
    binary, message = Opcode.BINARY, Received.MESSAGE

    def deliver(wire: memoryview) -> bytes:
        size = len(wire)
        shared[:size] = wire
        protocol.receive(shared, 0, size)
        assert protocol.next_event() is message
        data = protocol.data
        protocol.next_event()
        return data

    def send(payload: bytes) -> None:
        protocol.send_message(binary, payload, out)
        out.clear()

    return deliver, send


def picows() -> tuple[Deliver, Send]:
    """Its parser has no life outside of its protocol: that is driven as a loop would."""
    import picows.picows as core
    from picows import WSListener, WSMsgType

    received: list[bytes] = []
    transports: list[Any] = []

    class Listener(WSListener):
        def on_ws_connected(self, transport: Any) -> None:
            transports.append(transport)

        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            received.append(frame.get_payload_as_bytes())

    logger = logging.getLogger("picows")
    logger.setLevel(logging.CRITICAL)
    arguments = (None, None, False, lambda request: Listener(), logger, False, None, False, 0, 0, 0)
    protocol = core.WSProtocol(*arguments, False, LIMIT, None, 2 * LIMIT // 8)
    protocol.connection_made(NoTransport())

    def feed(wire: bytes | memoryview) -> None:
        protocol.get_buffer(-1)[: len(wire)] = wire
        protocol.buffer_updated(len(wire))

    feed(
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    (transport,) = transports

    def deliver(wire: memoryview) -> bytes:
        feed(wire)
        return received.pop()

    def send(payload: bytes) -> None:
        transport.send(WSMsgType.BINARY, payload)

    return deliver, send


def aiohttp() -> tuple[Deliver, Send]:
    from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
    from aiohttp._websocket.writer import WebSocketWriter
    from aiohttp.base_protocol import BaseProtocol

    loop = asyncio.get_running_loop()
    base = BaseProtocol(loop)
    base.connection_made(NoTransport())  # type: ignore[arg-type]
    queue = WebSocketDataQueue(base, LIMIT, loop=loop)
    reader = WebSocketReader(queue, LIMIT, False, True)
    writer = WebSocketWriter(base, NoTransport(), limit=1 << 62)  # type: ignore[arg-type]

    def deliver(wire: memoryview) -> bytes:
        reader.feed_data(bytes(wire))
        try:
            queue.read().send(None)
        except StopIteration as done:
            return done.value.data
        raise AssertionError("no message")

    def send(payload: bytes) -> None:
        try:
            writer.send_frame(payload, 2).send(None)
        except StopIteration:
            return
        raise AssertionError("not sent")

    return deliver, send


def websockets() -> tuple[Deliver, Send]:
    from websockets.protocol import OPEN, SERVER, Protocol

    protocol = Protocol(SERVER, state=OPEN, max_size=LIMIT)

    def deliver(wire: memoryview) -> bytes:
        protocol.receive_data(bytes(wire))
        (frame,) = protocol.events_received()
        return bytes(frame.data)  # type: ignore[union-attr]

    def send(payload: bytes) -> None:
        protocol.send_binary(payload)
        protocol.data_to_send()

    return deliver, send


def wsproto() -> tuple[Deliver, Send]:
    from wsproto.connection import Connection, ConnectionType
    from wsproto.events import BytesMessage

    connection = Connection(ConnectionType.SERVER)

    def deliver(wire: memoryview) -> bytes:
        connection.receive_data(bytes(wire))
        (event,) = connection.events()
        return bytes(event.data)  # type: ignore[attr-defined]

    def send(payload: bytes) -> None:
        connection.send(BytesMessage(payload))

    return deliver, send


CODECS: dict[str, Callable[[], tuple[Deliver, Send]]] = {
    "ours": ours,
    "picows": picows,
    "aiohttp": aiohttp,
    "websockets": websockets,
    "wsproto": wsproto,
}
