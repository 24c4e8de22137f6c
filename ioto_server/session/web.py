"""The request that an action was called for: to be upgraded to a WebSocket, or answered, or refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import parse_qsl

import structlog

from ioto_server.http import Headers, HttpError, Request, encode_head, parse_cookies, set_cookie
from ioto_server.http.headers import check_field
from ioto_server.websocket import Deflate, Protocol
from ioto_server.websocket.handshake import accept_key, offered_protocols

from .action import Action
from .bodies import read_form
from .delivery import Callback
from .ending import NO_CLOSE
from .errors import Closed
from .kept import pack, unpack
from .outbox import SENT
from .websocket import WebSocket

if TYPE_CHECKING:
    from ioto_server.http.forms import Form

    from .exchange import Exchange
    from .host import Host

_log = structlog.get_logger("ioto_server.action")

# A plain answer is held back up to this many bytes, so that most leave with a Content-Length.
_HELD_BACK: Final = 65536

# What a WebSocket-only action answers to a plain request (RFC 9110, 15.5.22; RFC 6455, 4.2.2).
_UPGRADE_REQUIRED: Final = (
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
)


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


class Upgrade:
    """A WebSocket handshake that passed every check and waits for the action's word."""

    __slots__ = ("compression", "key", "protocol")

    def __init__(self, key: str, protocol: str | None, compression: tuple[Deflate, str] | None) -> None:
        """Keep the client's key, the chosen sub-protocol, and what was agreed of permessage-deflate."""
        self.key = key
        self.protocol = protocol
        self.compression = compression


class Web:
    """One request, as an action sees it.

    A WebSocket opens (the 101 is sent, then OPEN follows) at `accept()`, `wait()` or the first use of
    `websocket`. Until then, `error()` or `write()` refuse it with a plain HTTP answer.
    """

    __slots__ = (
        "_answer",
        "_callback",
        "_ended",
        "_exchange",
        "_form",
        "_headers",
        "_request",
        "_status",
        "_upgrade",
        "_websocket",
        "action",
        "data",
        "host",
        "path_rest",
        "peer",
        "tls",
    )

    def __init__(
        self,
        *,
        request: Request,
        host: Host,
        action: Action,
        exchange: Exchange,
        path_rest: str,
        peer: str,
        tls: Mapping[str, Any] | None,
        upgrade: Upgrade | None,
        ended: Callable[[], None],
    ) -> None:
        """Made by the server for each request; authors never make one. `ended` is called when all is over."""
        # Packed into a string once it has become a WebSocket.
        self._request: Request | str = request
        self.host = host
        self.action = action
        self.path_rest = path_rest
        self.peer = peer
        self.tls = tls
        self.data: Any = None
        self._ended = ended
        # None once the request has become a WebSocket: HTTP is over then, and nothing of it is kept.
        self._exchange: Exchange | None = exchange
        self._upgrade = upgrade
        self._websocket: WebSocket | None = None
        self._callback: tuple[Callback, Any] | None = None
        self._status = 200
        self._headers: list[tuple[str, str]] | None = None
        self._answer: list[bytes] | None = None
        self._form: Form | None = None

    # ---- the request ----------------------------------------------------------------------------------

    @property
    def request(self) -> Request:
        """The request. Of an open WebSocket it is put together anew each time: keep what you need often."""
        request = self._request
        return unpack(request) if isinstance(request, str) else request

    @property
    def method(self) -> str:
        """The request's method, such as `GET`."""
        return self.request.method

    @property
    def path(self) -> str:
        """The path, decoded once; `path_rest` is what follows the action's prefix."""
        return self.request.path

    @property
    def query(self) -> str:
        """What follows the `?`, as it came."""
        return self.request.query

    @property
    def headers(self) -> Headers:
        """The request's header fields."""
        return self.request.headers

    def param(self, name: str, default: str | None = None) -> str | None:
        """The first value of a query parameter, decoded; `default` where it is absent."""
        for key, value in parse_qsl(self.query, keep_blank_values=True, max_num_fields=1000):
            if key == name:
                return value
        return default

    @property
    def upgrade(self) -> bool:
        """Whether the client asks for a WebSocket."""
        return self._upgrade is not None or self._websocket is not None

    async def read(self) -> bytes:
        """The request's whole body, at most `limits.body` bytes."""
        exchange = self._http("read()")
        pieces = []
        while piece := await exchange.read():
            pieces.append(piece)
        return b"".join(pieces)

    async def read_json(self) -> Any:
        """The request's body as JSON; raises HttpError 400 where it is none: let it through."""
        try:
            return json.loads(await self.read())
        except (ValueError, RecursionError) as error:
            raise HttpError(400, f"The body is not JSON ({error}): send a JSON text") from None

    async def form(self) -> Form:
        """The form in the request's body, with its files, which are removed when the action has returned.

        Raises HttpError 415 for a body that is no form, 400 for a broken one, 413 for one over
        `limits.body` (its fields) or `limits.upload` (the whole): let it through, it is answered.
        """
        form = await read_form(self.request, self._http("form()"), self.host.config)
        self._form = form
        return form

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that the client has sent."""
        return parse_cookies(self.headers.get("cookie"))

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

    # ---- the WebSocket --------------------------------------------------------------------------------

    @property
    def websocket(self) -> WebSocket:
        """The WebSocket; its first use accepts the handshake.

        Raises HttpError (426) when the client asked for no WebSocket: let it through, the server answers.
        """
        return self._websocket or self.accept()

    def accept(self, protocol: str | None = None, headers: Mapping[str, str] | None = None) -> WebSocket:
        """Answer 101 and open the WebSocket.

        `protocol` overrides the chosen sub-protocol; `headers` are added to the 101. Raises HttpError (426)
        for a plain request and RuntimeError when the request was answered or accepted already.
        """
        if self._websocket is not None:
            raise RuntimeError(
                "accept() was called for a WebSocket that is open already: call it first, or not at all"
            )
        upgrade = self._upgrade
        if upgrade is None:
            raise HttpError(
                426,
                f"{self.path} speaks WebSocket only: connect with a WebSocket client",
                list(_UPGRADE_REQUIRED),
            )
        exchange = self._http("accept()")
        if self._answer is not None or exchange.answered:
            raise RuntimeError("accept() was called after an HTTP answer was begun: do one or the other")
        chosen = upgrade.protocol if protocol is None else protocol
        if protocol is not None and protocol not in offered_protocols(self.headers):
            # RFC 6455, 4.1: the client would fail the connection.
            raise ValueError(
                f"accept(protocol={protocol!r}): choose one of those that the client has offered"
            )
        for name, value in (headers or {}).items():
            check_own_field(name, value)
        host = self.host
        limits = host.config.limits
        keepalive = host.keepalive()
        head = encode_head(
            101, self._opening_headers(upgrade, chosen, keepalive.inactivity, keepalive.request, headers)
        )
        link = exchange.switch()
        path = self.path
        # Nothing is kept of HTTP but what an author may ask for.
        self._exchange = self._upgrade = self._headers = None
        self._request = pack(self.request)
        websocket = WebSocket(
            host=host,
            link=link,
            codec=Protocol(
                max_message=limits.max_message,
                max_frame=limits.max_frame,
                max_fragments=limits.max_fragments,
                validate_utf=host.config.web_sockets.validate_utf,
                text_bytes=self.action.text is bytes,
                stream=self.action.stream,
                deflate=upgrade.compression and upgrade.compression[0],
            ),
            keepalive=keepalive,
            protocol=chosen,
            path=path,
            peer=self.peer,
            drop_when_slow=self.action.drop_when_slow,
        )
        self._websocket = websocket
        if self._callback is not None:
            websocket.on_event(*self._callback)
            self._callback = None
        link.begin(websocket, head)
        return websocket

    def _opening_headers(
        self,
        upgrade: Upgrade,
        protocol: str | None,
        inactivity: float,
        request: float,
        headers: Mapping[str, str] | None,
    ) -> list[tuple[str, str]]:
        lines = [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", accept_key(upgrade.key)),
        ]
        if protocol is not None:
            lines.append(("Sec-WebSocket-Protocol", protocol))
        if upgrade.compression is not None:
            lines.append(("Sec-WebSocket-Extensions", upgrade.compression[1]))
        if inactivity != inf:
            lines.append(("X-Inactivity-Timeout", str(round(inactivity))))
        if request != inf:
            lines.append(("X-Request-Timeout", str(round(request))))
        lines += self._headers or ()
        if headers:
            lines += headers.items()
        return lines

    def on_event(self, callback: Callback, arg: Any = None) -> None:
        """Have `callback(ws, event, data, arg)` called for each event of the WebSocket (webAsync).

        It may be a plain function, called in the midst of reading, or an async one, of which one call runs
        at a time while reading waits.
        """
        if self._websocket is not None:
            self._websocket.on_event(callback, arg)
        else:
            self._callback = (callback, arg)

    def wait(self) -> Awaitable[int]:
        """Run the WebSocket until it is closed (webWait): awaiting gives 0 after an orderly close, else -1.

        Orderly means that both Closes were exchanged and no error or timeout of ours came first. Messages
        that neither a callback nor a `receive()` asks for are read and dropped.
        """
        websocket = self.websocket
        websocket.discard_unasked()
        return websocket.closed()

    def update_deadline(self, inactivity: float | None = None, request: float | None = None) -> None:
        """Restart the inactivity and request timeouts (webUpdateDeadline), with new seconds if given.

        Raises ValueError for a length that is not positive; `math.inf` is no limit.
        """
        for name, value in (("inactivity", inactivity), ("request", request)):
            if value is not None and not (value > 0 and (isfinite(value) or value == inf)):
                raise ValueError(
                    f"update_deadline({name}={value!r}): give seconds greater than 0, or math.inf"
                )
        self.websocket.update_deadline(inactivity, request)

    # ---- a plain answer -------------------------------------------------------------------------------

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

    def finalize(self) -> None:
        """Complete the answer, or begin to close the WebSocket with 1000 (webFinalize); may come twice."""
        exchange = self._exchange
        if self._websocket is not None:
            self._websocket.send_close()
        elif exchange is not None and not exchange.done:
            if not exchange.answered:
                body = b"".join(self._answer or ())
                status = self._status if body or self._status != 200 else 204
                exchange.start(status, self._headers or (), len(body))
                if body:
                    exchange.write(body)
            exchange.end()

    def _http(self, what: str) -> Exchange:
        """The exchange, for what only HTTP has. Raises Closed where it is over."""
        exchange = self._exchange
        if exchange is None:
            raise RuntimeError(
                f"{what} belongs to HTTP, and this request is a WebSocket by now: use web.websocket"
            )
        if exchange.done:
            raise Closed(NO_CLOSE, "the client is gone, or was answered already")
        return exchange

    # ---- what the runner calls ------------------------------------------------------------------------

    def task_done(self, task: asyncio.Task[None]) -> None:
        """The task of the action has ended."""
        self.host.action_done(task)
        if not task.cancelled():
            error = task.exception()
            if error is not None:
                self.raised(error)
        elif not self._is_over:
            # Not by us: something that the action waited for was cancelled under its hands.
            self.raised(asyncio.CancelledError("the action was cancelled, or awaited what was cancelled"))
        self.returned()

    @property
    def _is_over(self) -> bool:
        if self._websocket is not None:
            return self._websocket.ending is not None
        return self._exchange is not None and self._exchange.done

    def raised(self, error: BaseException) -> None:
        """The action raised `error`: log it and end what it began; a `Closed` ends quietly."""
        exchange = self._exchange
        if isinstance(error, Closed):
            return
        if self._websocket is not None:
            self._websocket.failed(error)
        elif exchange is None or exchange.done:
            self._log_failure(error)
        elif isinstance(error, HttpError) and not exchange.answered:
            self._headers = list(error.headers)
            self.error(error.status, error.text)
        else:
            self._log_failure(error)
            if exchange.answered:
                exchange.abandon()
            else:
                self._headers = None
                self.error(500, "The action failed; its traceback is in the server's log")

    def _log_failure(self, error: BaseException) -> None:
        _log.error("action failed", path=self.path, peer=self.peer, action=self.action.where, exc_info=error)

    def returned(self) -> None:
        """The action has returned or raised: close its WebSocket, or complete its answer."""
        try:
            self._complete()
        except Exception as error:
            self.raised(error)
        finally:
            self._ended()

    def _complete(self) -> None:
        exchange = self._exchange
        if self._form is not None:
            self._form.remove()
        if self._websocket is not None:
            self._websocket.returned()
        elif (
            self._upgrade is not None
            and self._answer is None
            and exchange is not None
            and not exchange.answered
            and not exchange.done
        ):
            _log.warning(
                "action ignored a WebSocket",
                path=self.path,
                action=self.action.where,
                hint="use web.websocket, web.wait() or web.accept() to take it, web.error() to refuse it",
            )
            self.error(500, "The action neither accepted nor refused the WebSocket")
        else:
            self.finalize()
