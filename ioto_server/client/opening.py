"""The client's side of the opening handshake, sans-I/O: the request's bytes, then what the answer means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from ioto_server.http import Headers
from ioto_server.http.headers import check_field
from ioto_server.websocket import Deflate, DeflateSettings, deflate, handshake

from .response import Response, ResponseError, ResponseParser

# Bytes of an answer's head, and of the text of a refusal, that are read.
_MAX_HEADER: Final = 64 * 1024
_MAX_REFUSAL: Final = 64 * 1024

# What the handshake itself decides (RFC 6455, 4.1): each has an argument of its own or cannot be changed.
_OURS: Final = frozenset(
    ("connection", "sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-key",
     "sec-websocket-protocol", "sec-websocket-version", "upgrade", "content-length", "transfer-encoding")
)  # fmt: skip


class Refused(Exception):
    """The server answered with something other than a WebSocket; `response` holds what it said."""

    def __init__(self, response: Response) -> None:
        reason = f" {response.reason}" if response.reason else ""
        text = f": {response.text}" if response.text else ""
        super().__init__(f"The server refused the WebSocket with {response.status}{reason}{text}")
        self.response = response

    @property
    def status(self) -> int:
        """The status of the answer, such as 403."""
        return self.response.status

    @property
    def headers(self) -> Headers:
        """The headers of the answer."""
        return self.response.headers

    @property
    def text(self) -> str:
        """The body of the answer."""
        return self.response.text


@dataclass(frozen=True, slots=True)
class Accepted:
    """A handshake that succeeded: the 101, what was agreed, and the bytes that came behind it."""

    response: Response
    protocol: str | None
    deflate: Deflate | None
    rest: bytes


class Opening:
    """One handshake: send `request`, then feed what comes until there is an outcome."""

    def __init__(
        self,
        authority: str,
        target: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        origin: str | None = None,
        protocols: Sequence[str] = (),
        compress: DeflateSettings | None = None,
    ) -> None:
        """Prepare the request for `target` at `authority`, the Host header's value (RFC 6455, 4.1).

        `headers` are added; a Host among them replaces ours. `compress` offers permessage-deflate. Raises
        ValueError for a header that cannot be sent or that belongs to the handshake.
        """
        self._key = handshake.new_key()
        self._protocols = tuple(protocols)
        self._parser = ResponseParser("GET", max_header=_MAX_HEADER, max_body=_MAX_REFUSAL)
        self._compress = compress
        lines = handshake.request_headers(
            authority,
            self._key,
            origin=origin,
            protocols=protocols,
            extensions=deflate.offer(compress) if compress is not None else "",
        )
        added = list(headers)
        for name, _ in added:
            if name.lower() in _OURS:
                raise ValueError(f"The header {name} belongs to the handshake: leave it out")
        replaced = {name.lower() for name, _ in added} & {"host"}
        lines = [(name, value) for name, value in lines if name.lower() not in replaced] + added
        #: The bytes to send first.
        self.request = encode_request("GET", target, lines)

    def receive(self, data: bytes) -> Accepted | None:
        """Take in bytes from the server; returns the outcome once it is known.

        Raises Refused when the answer is not a 101, with its whole text, HandshakeError when it is one that
        breaks RFC 6455, 4.1, and ResponseError when it is not HTTP.
        """
        parser = self._parser
        try:
            parser.receive(data)
        except ResponseError:
            # More text than is kept is cut off: the status says what matters.
            if parser.head is None or parser.head.status == 101:
                raise
            self._refuse()
        if not parser.complete:
            return None
        return self._judge()

    def receive_eof(self) -> NoReturn:
        """The server's stream has ended. Raises Refused or ResponseError."""
        try:
            self._parser.receive_eof()
        except ResponseError:
            if self._parser.head is None:
                raise
        self._refuse()

    def _judge(self) -> Accepted:
        response = self._parser.response
        assert response is not None
        if response.status != 101:
            self._refuse()
        protocol = handshake.check_response(response.status, response.headers, self._key, self._protocols)
        agreed = deflate.accept(response.headers, self._compress)
        return Accepted(response, protocol, agreed, self._parser.take_rest())

    def _refuse(self) -> NoReturn:
        response = self._parser.response
        assert response is not None
        raise Refused(response)


def encode_request(method: str, target: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """The bytes of a request up to its body. Raises ValueError for a header that cannot be sent."""
    lines = [f"{method} {target} HTTP/1.1\r\n"]
    for name, value in headers:
        check_field(name, value)
        lines.append(f"{name}: {value}\r\n")
    lines.append("\r\n")
    return "".join(lines).encode("latin-1")
