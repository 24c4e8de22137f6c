"""What an action answers over HTTP: a body, JSON, a stream of events, or an error."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from ioto_server.http import EVENT_STREAM, Request, encode_event, set_cookie
from ioto_server.http.headers import check_field

from .action import Action
from .asked import Asked
from .outbox import SENT

if TYPE_CHECKING:
    from .exchange import Exchange
    from .host import Host

# A plain answer is held back up to this many bytes, so that most leave with a Content-Length.
_HELD_BACK: Final = 65536

# What frames an answer or makes up the handshake is the server's: beside ours, a second one would let two
# readers disagree about where the answer ends (RFC 9112, 11.2).
_OURS: Final = frozenset(
    (
        "connection",
        "content-length",
        "date",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-protocol",
        "transfer-encoding",
        "upgrade",
    )
)


def check_own_field(name: str, value: str) -> None:
    """Raise ValueError for a header field that an action cannot send."""
    check_field(name, value)
    if name.lower() in _OURS:
        raise ValueError(f"The header field {name} is the server's own: leave it out")


class Answer(Asked):
    """The writing side of a `Web`, for HTTP."""

    __slots__ = ("_answer", "_headers", "_status")

    def __init__(
        self,
        request: Request,
        host: Host,
        action: Action,
        exchange: Exchange,
        path_rest: str,
        peer: str,
        tls: Mapping[str, Any] | None,
    ) -> None:
        super().__init__(request, host, action, exchange, path_rest, peer, tls)
        self._status = 200
        self._headers: list[tuple[str, str]] | None = None
        self._answer: list[bytes] | None = None

    def status(self, status: int) -> None:
        """Set the status of the answer, 200 if never called; raises ValueError unless it is 200 to 599."""
        if not 200 <= status <= 599:
            raise ValueError(f"status({status!r}): an answer has a status of 200 to 599")
        self._status = status

    def set_header(self, name: str, value: str) -> None:
        """Add a header field to the answer, or to the 101.

        Raises ValueError for what is no header field, or one that the server itself is answerable for.
        """
        check_own_field(name, value)
        if self._headers is None:
            self._headers = []
        self._headers.append((name, value))

    def write(self, data: str | bytes) -> Awaitable[None]:
        """Write a piece of the answer's body, text as UTF-8; awaiting waits while much is unsent.

        Raises `Closed` once the client is gone or the answer is complete.
        """
        exchange = self._http("write()")
        piece = data.encode() if isinstance(data, str) else data
        if exchange.answered:
            return exchange.write(piece)
        if self._answer is None:
            self._answer = []
        self._answer.append(piece)
        if sum(map(len, self._answer)) <= _HELD_BACK:
            return SENT
        answer, self._answer = self._answer, None
        exchange.start(self._status, self._headers or (), None)
        return exchange.write(b"".join(answer))

    def write_json(self, value: object) -> Awaitable[None]:
        """Write `value` as JSON, with its Content-Type; raises TypeError or ValueError for what is none."""
        self.set_header("Content-Type", "application/json")
        return self.write(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False))

    def write_event(
        self,
        data: str,
        *,
        event: str | None = None,
        event_id: str | None = None,
        retry: float | None = None,
    ) -> Awaitable[None]:
        """Write one server-sent event; the first begins the stream. Awaiting waits while much is unsent.

        `event` is its type, `event_id` what the client sends as Last-Event-ID when it comes back, `retry`
        how many seconds it waits until then. The stream has the timeouts of a WebSocket and, in place of its
        pings, comments. Raises `Closed` once the client is gone or the server stops, ValueError for what
        cannot stand in an event, and RuntimeError when another answer was begun.
        """
        exchange = self._http("write_event()")
        encoded = encode_event(data, event=event, event_id=event_id, retry=retry)
        if not exchange.streaming:
            if self._answer is not None or exchange.answered:
                raise RuntimeError("write_event() was called after an answer was begun: do one or the other")
            exchange.start(self._status, [*EVENT_STREAM, *(self._headers or ())], None)
            exchange.stream()
        return exchange.write(encoded)

    def error(self, status: int, text: str) -> None:
        """Answer with an error status and one line of text, instead of whatever was written so far."""
        exchange = self._http("error()")
        if exchange.answered:
            raise RuntimeError(
                "error() was called after a part of the answer was sent: it is too late to refuse"
            )
        self._answer = None
        body = text.encode() + b"\n"
        headers = [*(self._headers or ()), ("Content-Type", "text/plain; charset=utf-8")]
        exchange.start(status, headers, len(body))
        exchange.write(body)
        exchange.end()

    def _complete_answer(self) -> None:
        exchange = self._exchange
        if exchange is not None and not exchange.done:
            if not exchange.answered:
                body = b"".join(self._answer or ())
                status = self._status if body or self._status != 200 else 204
                exchange.start(status, self._headers or (), len(body))
                if body:
                    exchange.write(body)
            exchange.end()

    def set_cookie(
        self,
        name: str,
        value: str,
        *,
        max_age: int | None = None,
        path: str = "/",
        domain: str | None = None,
        secure: bool | None = None,
        http_only: bool = True,
        same_site: Literal["Strict", "Lax", "None"] = "Lax",
    ) -> None:
        """Have the client keep a cookie, by the answer or the 101; `max_age` is in seconds, 0 removes it.

        `secure` is true over TLS unless said otherwise. Raises ValueError for what no cookie can hold.
        """
        field = set_cookie(
            name,
            value,
            max_age=max_age,
            path=path,
            domain=domain,
            secure=self.tls is not None if secure is None else secure,
            http_only=http_only,
            same_site=same_site,
        )
        self.set_header("Set-Cookie", field)
