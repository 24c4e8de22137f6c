"""A byte-level HTTP and WebSocket client over a real socket.

It shares no code with the package and believes nothing: a test says which bytes go out, also forbidden
ones, and sees which bytes come back. Every wait ends at a deadline with what had arrived until then.
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import ssl
import struct
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

DEADLINE = 20.0
"""Seconds any wait may take: a limit for a broken server on a busy machine, never a measure."""

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_MASK = b"\x37\xfa\x21\x3d"

Headers = Sequence[tuple[str, str]]


class IncompleteError(AssertionError):
    """The peer closed, or said nothing more until the deadline, before what was waited for was whole."""


@dataclass(frozen=True)
class Response:
    """One HTTP response; `headers` in the order of the wire."""

    version: str
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def get_all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        """The value of a header that may come at most once."""
        values = self.get_all(name)
        assert len(values) <= 1, f"header {name} came {len(values)} times: {values}"
        return values[0] if values else None

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True)
class Frame:
    """One frame as RFC 6455 5.2 draws it, its payload unmasked."""

    fin: bool
    rsv: int
    opcode: int
    masked: bool
    payload: bytes

    @property
    def close_code(self) -> int:
        """The code of a Close frame, 1005 for an empty one (RFC 6455 7.1.5)."""
        assert self.opcode == CLOSE, f"not a Close frame: {self}"
        return struct.unpack("!H", self.payload[:2])[0] if self.payload else 1005

    @property
    def close_reason(self) -> str:
        assert self.opcode == CLOSE, f"not a Close frame: {self}"
        return self.payload[2:].decode()


def mask(payload: bytes, key: bytes) -> bytes:
    """XOR with the masking key (RFC 6455 5.3)."""
    repeated = key * (len(payload) // 4 + 1)
    return bytes(byte ^ pad for byte, pad in zip(payload, repeated, strict=False))


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    key: bytes | None = _MASK,
    length: int | None = None,
    length_bytes: int | None = None,
) -> bytes:
    """Encode one frame.

    `key` None leaves it unmasked. `length` announces another length than the payload has, `length_bytes`
    (0, 2 or 8) picks the size of the extended length field, also a non-minimal one.
    """
    announced = len(payload) if length is None else length
    if length_bytes is None:
        length_bytes = 0 if announced < 126 else 2 if announced < 1 << 16 else 8
    marker = {0: announced, 2: 126, 8: 127}[length_bytes]
    head = bytes([fin << 7 | rsv << 4 | opcode, (key is not None) << 7 | marker])
    head += announced.to_bytes(length_bytes, "big") if length_bytes else b""
    return head + payload if key is None else head + key + mask(payload, key)


def close_frame(code: int | None = None, reason: str = "", *, key: bytes | None = _MASK) -> bytes:
    """Encode a Close frame; `code` None makes an empty one."""
    payload = b"" if code is None else struct.pack("!H", code) + reason.encode()
    return frame(CLOSE, payload, key=key)


def accept_for(key: str) -> str:
    """The Sec-WebSocket-Accept that answers `key` (RFC 6455 4.2.2)."""
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()


def trusting() -> ssl.SSLContext:
    """A client's TLS that checks no certificate, and tells a cut from an end."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    return context


class RawClient:
    """One connection to `url` (`http://`, `https://`, `ws://`, `wss://` or `unix:/path`), closed by `with`.

    `tls` is for secure ones; without it any certificate will do.
    """

    def __init__(self, url: str, *, deadline: float = DEADLINE, tls: ssl.SSLContext | None = None) -> None:
        self.deadline = deadline
        self.received = bytearray()
        if url.startswith("unix:"):
            self.host = "localhost"
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(deadline)
            self.sock.connect(url.removeprefix("unix:"))
        else:
            parts = urlsplit(url)
            assert parts.hostname is not None
            self.host = parts.netloc
            self.sock = socket.create_connection((parts.hostname, parts.port or 80), timeout=deadline)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if parts.scheme in ("https", "wss"):
                # A stream that ends without TLS's own end is cut off: that must not look orderly.
                self.sock = (tls or trusting()).wrap_socket(
                    self.sock, server_hostname=parts.hostname, suppress_ragged_eofs=False
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Sending

    def send(self, data: bytes) -> None:
        """Send `data` whole."""
        self.sock.sendall(data)

    def send_cut(self, pieces: Iterable[bytes]) -> None:
        """Send each piece in a system call of its own, so that the server may see them apart."""
        for piece in pieces:
            self.sock.sendall(piece)

    def send_frame(
        self, opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, key: bytes | None = _MASK
    ) -> None:
        self.send(frame(opcode, payload, fin=fin, rsv=rsv, key=key))

    def send_close(self, code: int | None = None, reason: str = "") -> None:
        self.send(close_frame(code, reason))

    def finish_sending(self) -> None:
        """Shut the write side: the server reads EOF, its answers still arrive.

        Over TLS (RFC 8446 6.1) all that the server has to say must have been read before.
        """
        if isinstance(self.sock, ssl.SSLSocket):
            self.sock = self.sock.unwrap()
        else:
            self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Abort the connection: the server sees a TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self.sock.close()

    # HTTP

    def head(
        self, method: str, target: str, headers: Headers = (), *, version: str = "1.1", host: bool = True
    ) -> bytes:
        """The bytes of a request's header."""
        lines = [f"{method} {target} HTTP/{version}"]
        lines += [f"Host: {self.host}"] if host else []
        lines += [f"{name}: {value}" for name, value in headers]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def request(
        self, method: str, target: str, headers: Headers = (), body: bytes = b"", *, version: str = "1.1"
    ) -> Response:
        """Send one request and read its whole response."""
        if body:
            headers = [*headers, ("Content-Length", str(len(body)))]
        self.send(self.head(method, target, headers, version=version) + body)
        return self.read_response(method)

    def read_response(self, method: str = "GET") -> Response:
        """Read one response with its body: by length, chunked, or until EOF."""
        head = self.read_until(b"\r\n\r\n").decode("latin-1")
        status_line, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
        version, status, reason = (status_line + " ").split(" ", 2)
        headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
        response = Response(version.removeprefix("HTTP/"), int(status), reason.strip(), headers)
        return replace(response, body=self._body(method, response))

    def _body(self, method: str, response: Response) -> bytes:
        if method == "HEAD" or response.status in (204, 304) or response.status < 200:
            return b""
        if response.get("Transfer-Encoding") == "chunked":
            return self._chunks()
        length = response.get("Content-Length")
        return self.read(int(length)) if length is not None else self.read_to_end()

    def _chunks(self) -> bytes:
        body = bytearray()
        while size := int(self.read_until(b"\r\n").split(b";")[0], 16):
            body += self.read(size)
            assert self.read(2) == b"\r\n", "a chunk does not end in CRLF"
        while self.read_until(b"\r\n") != b"\r\n":
            pass
        return bytes(body)

    # The opening handshake

    def upgrade_head(
        self, target: str, headers: Sequence[tuple[str, str | None]] = (), *, key: str | None = None
    ) -> bytes:
        """The bytes of an opening handshake; headers given here replace ours, None leaves one out."""
        key = key or base64.b64encode(os.urandom(16)).decode()
        ours = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
        }
        given = {name.lower() for name, _ in headers}
        lines = [(name, value) for name, value in ours.items() if name.lower() not in given]
        lines += [(name, value) for name, value in headers if value is not None]
        return self.head("GET", target, lines, host="host" not in given)

    def handshake(
        self, target: str, headers: Sequence[tuple[str, str | None]] = (), *, key: str | None = None
    ) -> Response:
        """Send an opening handshake and return the answer, whichever it is."""
        self.send(self.upgrade_head(target, headers, key=key))
        return self.read_response()

    def upgrade(self, target: str, headers: Headers = ()) -> Response:
        """Open a WebSocket at `target`; fails unless the answer is the 101 of RFC 6455 4.2.2."""
        key = base64.b64encode(os.urandom(16)).decode()
        response = self.handshake(target, headers, key=key)
        assert response.status == 101, f"{target} refused: {response.status} {response.text}"
        assert response.get("Sec-WebSocket-Accept") == accept_for(key)
        return response

    # Receiving

    def read(self, size: int) -> bytes:
        """Read exactly `size` bytes."""
        end = time.monotonic() + self.deadline
        while len(self.received) < size:
            if not self._more(end):
                raise IncompleteError(
                    f"end of stream after {bytes(self.received)[:200]!r}, {size} bytes wanted"
                )
        return self._take(size)

    def read_until(self, mark: bytes) -> bytes:
        """Read up to and including `mark`."""
        end = time.monotonic() + self.deadline
        while mark not in self.received:
            if not self._more(end):
                raise IncompleteError(f"end of stream after {bytes(self.received)[:200]!r}, {mark!r} wanted")
        return self._take(self.received.index(mark) + len(mark))

    def read_to_end(self) -> bytes:
        """Read until the server closes; a TCP reset is not an orderly end and fails."""
        end = time.monotonic() + self.deadline
        while self._more(end):
            pass
        return self._take(len(self.received))

    def read_frame(self) -> Frame:
        """Read one frame."""
        first, second = self.read(2)
        length = second & 0x7F
        if length >= 126:
            length = int.from_bytes(self.read(2 if length == 126 else 8), "big")
        key = self.read(4) if second & 0x80 else None
        payload = self.read(length)
        return Frame(
            fin=bool(first & 0x80),
            rsv=first >> 4 & 0x7,
            opcode=first & 0xF,
            masked=key is not None,
            payload=payload if key is None else mask(payload, key),
        )

    def read_message(self) -> tuple[int, bytes]:
        """Read frames until a data message is whole; a control frame in between fails."""
        first = last = self.read_frame()
        payload = bytearray(first.payload)
        while not last.fin:
            last = self.read_frame()
            assert last.opcode == CONTINUATION, f"{last} inside a fragmented message"
            payload += last.payload
        assert first.opcode in (TEXT, BINARY), f"a data frame was wanted: {first}"
        return first.opcode, bytes(payload)

    def read_close(self) -> tuple[int, str]:
        """Read the server's Close frame and the end of the stream after it; returns code and reason."""
        close = self.read_frame()
        assert close.opcode == CLOSE, f"a Close frame was wanted: {close}"
        rest = self.read_to_end()
        assert rest == b"", f"bytes after the Close frame: {rest[:200]!r}"
        return close.close_code, close.close_reason

    def _take(self, size: int) -> bytes:
        taken = bytes(self.received[:size])
        del self.received[:size]
        return taken

    def _more(self, end: float) -> bool:
        """Receive once; False at the end of the stream."""
        self.sock.settimeout(max(0.001, end - time.monotonic()))
        try:
            data = self.sock.recv(1 << 16)
        except TimeoutError:
            raise IncompleteError(
                f"nothing more within {self.deadline:g} s after {bytes(self.received)[:200]!r}"
            ) from None
        self.received += data
        return bool(data)
