"""Two other sans-I/O codecs, `websockets` and `wsproto`, made to say what they see in the words of ours.

Their reasons are their own, so of a failure only the close code is compared.
"""

from __future__ import annotations

from typing import Any

import wsproto.connection
import wsproto.events
from websockets.extensions.permessage_deflate import PerMessageDeflate as WebsocketsDeflate
from websockets.frames import Close, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import CLIENT, OPEN, SERVER, Protocol
from wsproto.extensions import PerMessageDeflate as WsprotoDeflate

from tests.fuzz.conversation import LIMITS, Conversation, play
from tests.parity.both import running

Event = tuple[Any, ...]
LARGEST = LIMITS["max_message"]


def ours(conversation: Conversation) -> list[Event]:
    """What our codec sees, shortened to what the others can say."""
    found: list[Event] = []
    for event in play(running(), conversation, [conversation.wire]):
        if event[0] == "MESSAGE":
            found.append((event[0], event[1], event[3]))
        elif event[0] == "FAILED":
            found.append((event[0], event[2], event[3]))
        elif event[0] == "CLOSE":
            found.append(event[:3])
        else:
            found.append((event[0], event[2]))
    return found


def websockets(conversation: Conversation) -> list[Event]:
    """What the codec of `websockets` sees. It leaves text to the layer above, as here."""
    client = conversation.settings.get("client", False)
    protocol = Protocol(CLIENT if client else SERVER, state=OPEN, max_size=LARGEST)
    if conversation.agreed is not None:
        protocol.extensions = [WebsocketsDeflate(False, False, 15, 15)]
    protocol.receive_data(conversation.wire)
    found: list[Event] = []
    message: list[bytes] = []
    kind = ""
    for frame in protocol.events_received():
        assert not isinstance(frame, Request | Response)
        data = bytes(frame.data)
        if frame.opcode == Opcode.CLOSE:
            close = Close.parse(data)
            found.append(("CLOSE", int(close.code), close.reason))
            return found
        if frame.opcode in (Opcode.PING, Opcode.PONG):
            found.append((frame.opcode.name, data))
            continue
        if frame.opcode != Opcode.CONT:
            kind = frame.opcode.name
        message.append(data)
        if frame.fin:
            whole = b"".join(message)
            message.clear()
            try:
                found.append(("MESSAGE", kind, whole.decode() if kind == "TEXT" else whole))
            except UnicodeDecodeError:
                found.append(("FAILED", 1007))
                return found
    if protocol.parser_exc is not None:
        assert protocol.close_sent is not None, protocol.parser_exc
        found.append(("FAILED", int(protocol.close_sent.code)))
    return found


def wsproto_(conversation: Conversation) -> list[Event]:
    """What the codec of `wsproto` sees. It hands out parts of messages, and has no limits."""
    client = conversation.settings.get("client", False)
    extensions: list[Any] = []
    if conversation.agreed is not None:
        extension = WsprotoDeflate(client_max_window_bits=15, server_max_window_bits=15)
        extension._enabled = True
        extensions.append(extension)
    side = wsproto.connection.ConnectionType.CLIENT if client else wsproto.connection.ConnectionType.SERVER
    connection = wsproto.connection.Connection(side, extensions)
    found: list[Event] = []
    parts: list[Any] = []
    connection.receive_data(conversation.wire)
    for event in connection.events():
        if isinstance(event, wsproto.events.Message):
            parts.append(event.data)
            if event.message_finished:
                text = isinstance(event.data, str)
                whole: Any = "".join(parts) if text else b"".join(map(bytes, parts))
                found.append(("MESSAGE", "TEXT" if text else "BINARY", whole))
                parts.clear()
        elif isinstance(event, wsproto.events.Ping | wsproto.events.Pong):
            found.append((type(event).__name__.upper(), bytes(event.payload)))
        elif isinstance(event, wsproto.events.CloseConnection):
            if connection.state is wsproto.connection.ConnectionState.REMOTE_CLOSING:
                found.append(("CLOSE", int(event.code), event.reason or ""))
            else:
                # Its own: the Close that it wants sent to a peer that broke a rule.
                found.append(("FAILED", int(event.code)))
            return found
    return found
