"""An echoing client for the suite's server: our handshake, our codec in the client's role, a plain socket."""

from __future__ import annotations

import contextlib
import socket

from ioto_server.client import Accepted, Opening
from ioto_server.websocket import DeflateSettings, Protocol, Received, StateError

LIMIT = 1 << 26
FRAGMENTS = 1 << 17


class EchoClient:
    """One connection to `target` of the suite's server; `run()` echoes messages until the server is done."""

    def __init__(self, port: int, target: str, *, compress: DeflateSettings | None, seconds: float) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        accepted = self._open(Opening(f"127.0.0.1:{port}", target, compress=compress))
        self._protocol = Protocol(
            client=True,
            max_message=LIMIT,
            max_frame=LIMIT,
            max_fragments=FRAGMENTS,
            deflate=accepted.deflate,
        )
        self._rest = accepted.rest
        self.messages: list[str | bytes] = []

    def _open(self, opening: Opening) -> Accepted:
        self._socket.sendall(opening.request)
        while True:
            data = self._socket.recv(65536)
            if not data:
                opening.receive_eof()
            accepted = opening.receive(data)
            if accepted is not None:
                return accepted

    def run(self, *, keep: bool = False) -> None:
        """Echo until the server closes TCP, which is its turn (RFC 6455, 7.1.1); `keep`: the messages."""
        data = self._rest
        with self._socket, contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while True:
                out = self._answers(data, keep)
                if out:
                    self._socket.sendall(b"".join(out))
                data = self._socket.recv(262144)
                if not data:
                    return

    def _answers(self, data: bytes, keep: bool) -> list[bytes]:
        protocol = self._protocol
        out: list[bytes] = []
        protocol.receive(bytearray(data))
        while (event := protocol.next_event()) is not Received.NEED_DATA:
            # After our own Close nothing more is sent; what the server still says is discarded.
            with contextlib.suppress(StateError):
                if event is Received.MESSAGE:
                    if keep:
                        self.messages.append(protocol.data)
                    protocol.send_message(protocol.opcode, protocol.data, out)
                elif event is Received.PING:
                    protocol.send_pong(protocol.data, out)
                elif event is Received.CLOSE:
                    code = None if protocol.close_code == 1005 else protocol.close_code
                    protocol.send_close(code, "", out)
                elif event is Received.FAILED:
                    assert protocol.error is not None
                    protocol.send_close(protocol.error.code, protocol.error.reason, out)
        return out
