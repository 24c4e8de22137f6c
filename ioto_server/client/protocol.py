"""A client's WebSocket after the handshake, sans-I/O: the codec, and the answers that every client owes."""

from __future__ import annotations

from typing import Any, Final

from ioto_server.websocket import Deflate, Opcode, Protocol, ProtocolError, Received

# Longer messages are sent in frames of this many bytes, which servers take.
FRAME_SIZE: Final = 64 * 1024
_FRAGMENTS: Final = 2**31


class ClientProtocol:
    """Bytes in, events out; calls in, bytes out.

    Pings are answered, a Close is answered, and a peer that breaks a rule is sent the Close that says which
    (RFC 6455, 5.5.1, 5.5.2 and 7.1.7), all by putting the bytes into `out`: send that and empty it after
    each call.
    """

    def __init__(
        self,
        *,
        max_message: int,
        frame_size: int = FRAME_SIZE,
        answer_pings: bool = True,
        deflate: Deflate | None = None,
    ) -> None:
        """Receive and send messages of up to `max_message` bytes, sent in frames of `frame_size`.

        `deflate` is what the handshake agreed on.
        """
        self._frame_size = frame_size
        self._codec = Protocol(
            client=True,
            max_message=max_message,
            max_frame=max_message,
            max_fragments=_FRAGMENTS,
            deflate=deflate,
        )
        self._answer_pings = answer_pings
        self.out: list[bytes] = []
        #: Code and reason of the Close that came, as `next_event` said CLOSE.
        self.close_code = 0
        self.close_reason = ""

    @property
    def data(self) -> Any:
        """What MESSAGE, PING or PONG brought: `str` for text, `bytes` for everything else."""
        return self._codec.data

    @property
    def error(self) -> ProtocolError | None:
        """What the server broke, as `next_event` said FAILED."""
        return self._codec.error

    @property
    def closing(self) -> bool:
        """Whether our Close was sent: nothing can be sent after it."""
        return self._codec.close_sent

    def receive(self, data: bytes) -> None:
        """Lend bytes from the server; pull events until NEED_DATA."""
        self._codec.receive(data)

    def next_event(self) -> Received:
        """The next event. What it obliges a client to say is in `out` already."""
        codec = self._codec
        while (event := codec.next_event()) is Received.INFLATING:
            # A client has nobody else to serve meanwhile.
            pass
        if event == Received.PING and self._answer_pings and not codec.close_sent:
            codec.send_pong(codec.data, self.out)
        elif event == Received.CLOSE:
            self.close_code, self.close_reason = codec.close_code, codec.close_reason
            if not codec.close_sent:
                # RFC 6455, 5.5.1: the answer typically echoes the code; 1005 stands for none.
                codec.send_close(None if codec.close_code == 1005 else codec.close_code, "", self.out)
        elif event == Received.FAILED and not codec.close_sent:
            error = codec.error
            assert error is not None
            codec.send_close(error.code, error.reason, self.out)
        return event

    def send(self, message: str | bytes) -> None:
        """Send a message: `str` as text, `bytes` as binary."""
        if isinstance(message, str):
            self._send(Opcode.TEXT, message.encode())
        else:
            self._send(Opcode.BINARY, message)

    def send_fragment(self, data: str | bytes, *, fin: bool) -> None:
        """Send one fragment of a message, all of one type; the last has `fin`."""
        self._codec.send_block(Opcode.TEXT if isinstance(data, str) else Opcode.BINARY, data, fin, self.out)

    def ping(self, payload: bytes) -> None:
        """Send a ping of at most 125 bytes; raises ValueError for more."""
        self._codec.send_ping(payload, self.out)

    def close(self, code: int | None, reason: str) -> None:
        """Begin the closing handshake; raises ValueError for a code or reason that cannot be sent."""
        self._codec.send_close(code, reason, self.out)

    def _send(self, opcode: Opcode, payload: bytes) -> None:
        size = self._frame_size
        for start in range(0, max(len(payload), 1), size):
            last = start + size >= len(payload)
            self._codec.send_block(opcode, payload[start : start + size], last, self.out)
