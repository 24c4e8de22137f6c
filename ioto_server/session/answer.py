"""What an action answers over HTTP: a body, JSON, a stream of events, or an error."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from ioto_server.http import (
    EVENT_STREAM,
    FileResponse,
    HttpError,
    Request,
    encode_event,
    media_type,
    one_file,
    set_cookie,
)
from ioto_server.http.headers import check_field

from .action import Action
from .asked import Asked
from .file_body import send_parts
from .off_the_loop import off_the_loop
from .outbox import SENT

if TYPE_CHECKING:
    from .exchange import Exchange
    from .host import Host

# A plain answer is held back up to this many bytes, so that most leave with a Content-Length.
_HELD_BACK: Final = 65536

_TEXT: Final = "text/plain; charset=utf-8"

# What an answer says unless its action does, told from the action's own fields by identity.
_IS_TEXT: Final = ("Content-Type", _TEXT)
_IS_JSON: Final = ("Content-Type", "application/json")
_NOT_CACHED: Final = ("Cache-Control", "no-cache")

_REDIRECTS: Final = (301, 302, 303, 307, 308)

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


def is_final(status: int) -> bool:
    """Whether an answer may end with this status (RFC 9110, 15)."""
    return 200 <= status <= 599


def _final_status(what: str, status: int) -> int:
    if not is_final(status):
        raise ValueError(f"{what}({status!r}): an answer has a status of 200 to 599")
    return status


class Answer(Asked):
    """The writing side of a `Web`, for HTTP."""

    __slots__ = ("_answer", "_headers", "_held", "_length", "_status")

    def _begin_answer(
        self,
        request: Request,
        host: Host,
        action: Action,
        exchange: Exchange,
        path_rest: str,
        peer: str,
        tls: Mapping[str, Any] | None,
    ) -> None:
        self._begin_asked(request, host, action, exchange, path_rest, peer, tls)
        self._status = 200
        self._headers: list[tuple[str, str]] | None = None
        self._answer: list[bytes] | None = None
        self._held = 0
        self._length: int | None = None

    def status(self, status: int) -> None:
        """Set the status of the answer, 200 if never called; raises ValueError unless it is 200 to 599."""
        self._status = _final_status("status", status)

    def set_header(self, name: str, value: str) -> None:
        """Add a header field to the answer, or to the 101.

        Raises ValueError for what is no header field, or one that the server itself is answerable for.
        """
        check_own_field(name, value)
        if self._headers is None:
            self._headers = []
        elif name.lower() == "content-type":
            # Said after something was written, but before it was sent.
            self._headers = [one for one in self._headers if one is not _IS_TEXT and one is not _IS_JSON]
        self._headers.append((name, value))

    def write(self, data: str | bytes) -> Awaitable[None]:
        """Write a piece of the answer's body, text as UTF-8; awaiting waits while much is unsent.

        An answer that begins with text is text/plain unless `set_header` says otherwise. Raises `Closed`
        once the client is gone or the answer is complete.
        """
        exchange = self._http("write()")
        piece = data.encode() if isinstance(data, str) else data
        if exchange.answered:
            return exchange.write(piece)
        if self._answer is None and isinstance(data, str):
            # Without a type, browsers guess one from what a stranger may have written (RFC 9110, 8.3).
            self._default(_IS_TEXT)
        if self._length is not None:
            exchange.start(self._status, self._headers or (), self._length)
            return exchange.write(piece)
        if self._answer is None:
            self._answer = []
        self._answer.append(piece)
        self._held += len(piece)
        if self._held <= _HELD_BACK:
            return SENT
        answer, self._answer = self._answer, None
        exchange.start(self._status, self._headers or (), None)
        return exchange.write(b"".join(answer))

    def set_length(self, length: int) -> None:
        """Announce the bytes of the body, for an answer that is written in pieces: it leaves unchunked.

        A short answer has its length without this. What is written beyond it is cut off; an action that
        writes less leaves its client with a connection that ends early, as HTTP has no other way to say so.
        Raises ValueError for a negative length and RuntimeError once something was written.
        """
        if length < 0:
            raise ValueError(f"set_length({length!r}): give the bytes of the body, 0 or more")
        self._nothing_written("set_length()")
        self._length = length

    def redirect(self, location: str, status: int = 302) -> None:
        """Send the client to another path or URL (RFC 9110, 15.4), and complete the answer.

        303 has it fetch the result of a POST, 307 and 308 send the same request there, 301 and 308 are for
        good. Raises ValueError for another status and for a location that no header can hold: quote it.
        """
        if status not in _REDIRECTS:
            raise ValueError(f"redirect(status={status!r}): give one of {', '.join(map(str, _REDIRECTS))}")
        if not location.isascii() or " " in location:
            raise ValueError(f"redirect({location!r}): percent-encode what is not ASCII, and blanks")
        check_field("Location", location)
        exchange = self._nothing_written("redirect()")
        exchange.start(status, self._beside([("Location", location)]), 0)
        exchange.end()

    async def send_file(self, path: str | Path, content_type: str | None = None) -> None:
        """Answer a GET or HEAD with a file, of any folder, and complete the answer.

        As a static file is sent: with its validators, conditional requests, ranges; a large one is never
        loaded whole. `content_type` is by the name where neither it nor `set_header` gives one. Raises
        HttpError 404 where there is no such file, 405 for another method, 412 and 416 for what the client
        asks: let them through. What path it is comes from you alone: one that is made of what a client sent
        may lead anywhere.
        """
        exchange = self._nothing_written("send_file()")
        if self.method not in ("GET", "HEAD"):
            raise HttpError(405, "This takes GET and HEAD (RFC 9110 15.5.6)", [("Allow", "GET, HEAD")])
        path = Path(path)
        if content_type is None:
            content_type = self._own("Content-Type") or media_type(path.name, self.host.config.mime)
        find = partial(one_file, self.request, path, content_type)
        with await off_the_loop(find, FileResponse.close) as response:
            if exchange.done:
                return
            status = response.status if response.status != 200 else self._status
            exchange.start(status, self._beside(response.headers), response.length)
            if self.method == "HEAD":
                exchange.end()
            else:
                await send_parts(exchange, response, self.path)

    def _nothing_written(self, what: str) -> Exchange:
        exchange = self._http(what)
        if self._answer is not None or exchange.answered:
            raise RuntimeError(f"{what} was called after an answer was begun: do one or the other")
        return exchange

    def write_json(self, value: object) -> Awaitable[None]:
        """Write `value` as JSON, with its Content-Type unless `set_header` gave one.

        Raises TypeError or ValueError for what is no JSON.
        """
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        self._default(_IS_JSON)
        return self.write(text)

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
            self._nothing_written("write_event()")
            # No cache may hold it back or repeat it.
            self._default(_NOT_CACHED)
            exchange.start(self._status, self._beside([("Content-Type", EVENT_STREAM)]), None)
            exchange.stream()
        return exchange.write(encoded)

    def error(self, status: int, text: str) -> None:
        """Answer with an error status and one line of text, instead of whatever was written so far.

        Raises ValueError for a status that is not 200 to 599.
        """
        _final_status("error", status)
        exchange = self._http("error()")
        if exchange.answered:
            raise RuntimeError(
                "error() was called after a part of the answer was sent: it is too late to refuse"
            )
        self._answer = None
        body = text.encode() + b"\n"
        exchange.start(status, self._beside([("Content-Type", _TEXT)]), len(body))
        exchange.write(body)
        exchange.end()

    def _own(self, name: str) -> str | None:
        return next((value for own, value in self._headers or () if own.lower() == name.lower()), None)

    def _default(self, field: tuple[str, str]) -> None:
        if self._own(field[0]) is None:
            self._headers = [*(self._headers or ()), field]

    def _beside(self, ours: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """`ours`, and of the action's own fields those that do not say the same differently."""
        names = {name.lower() for name, _ in ours}
        return [*ours, *(field for field in self._headers or () if field[0].lower() not in names)]

    def _complete_answer(self) -> None:
        exchange = self._exchange
        if exchange is not None and not exchange.done:
            if not exchange.answered:
                body = b"".join(self._answer or ())
                length = len(body) if self._length is None else self._length
                status = self._status if length or self._status != 200 else 204
                exchange.start(status, self._headers or (), length)
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
