"""The request that an action was called for: to be upgraded to a WebSocket, or answered, or refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

import structlog

from ioto_server.http import HttpError, Request
from ioto_server.websocket.handshake import accept_key, offered_protocols

from .action import Action
from .answer import Answer, check_own_field, is_final
from .delivery import Callback
from .errors import Closed
from .events import Event
from .faults import log_fault
from .keepalive import check_lengths
from .kept import pack
from .opening import encode_opening
from .terms import Upgrade
from .websocket import WebSocket
from .whereabouts import authors_part

if TYPE_CHECKING:
    from .exchange import Exchange
    from .host import Host

Argument = TypeVar("Argument")

_log = structlog.get_logger("ioto_server.action")

# What a WebSocket-only action answers to a plain request (RFC 9110, 15.5.22; RFC 6455, 4.2.2).
_UPGRADE_REQUIRED: Final = (
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
)


class Web(Answer):
    """One request, as an action sees it.

    A WebSocket opens (the 101 is sent, then OPEN follows) at `accept()`, `wait()` or the first use of
    `websocket`. Until then, `error()` or `write()` refuse it with a plain HTTP answer.
    """

    __slots__ = ("_callback", "_ended", "_upgrade", "_websocket")

    def __init__(
        self,
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
        self._begin_answer(request, host, action, exchange, path_rest, peer, tls)
        self._ended = ended
        self._upgrade = upgrade
        self._websocket: WebSocket | None = None
        self._callback: tuple[Callback, Any] | None = None

    # ---- the WebSocket --------------------------------------------------------------------------------

    @property
    def upgrade(self) -> bool:
        """Whether the client asks for a WebSocket."""
        return self._upgrade is not None or self._websocket is not None

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
        own = self._headers or []
        if headers:
            own = own.copy()
            for name, value in headers.items():
                check_own_field(name, value)
                own.append((name, value))
        host = self.host.core
        action = self.action
        terms = upgrade.terms(host, action)
        request = self.request
        key = request.headers.get("sec-websocket-key") or ""
        head = encode_opening(accept_key(key), chosen, terms.fields, own)
        link = exchange.switch(head)
        # Nothing is kept of HTTP but what an author may ask for.
        self._exchange = self._upgrade = self._headers = None
        self._request = pack(request)
        websocket = WebSocket(
            host,
            link,
            terms.codec(),
            terms.keepalive(),
            chosen,
            request.path,
            self.peer,
            action.drop_when_slow,
            terms.config,
        )
        self._websocket = websocket
        if self._callback is not None:
            callback, arg = self._callback
            self._callback = None
            websocket.on_event(callback, arg)
        link.begin(websocket, head)
        return websocket

    @overload
    def on_event(self, callback: Callable[[WebSocket, Event, str | bytes | None, None], object]) -> None: ...

    @overload
    def on_event(
        self, callback: Callable[[WebSocket, Event, str | bytes | None, Argument], object], arg: Argument
    ) -> None: ...

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

    # ---- either ---------------------------------------------------------------------------------------

    def update_deadline(self, inactivity: float | None = None, request: float | None = None) -> None:
        """Restart the inactivity and request timeouts (webUpdateDeadline), with new seconds if given.

        Raises ValueError for a length that is not positive; `math.inf` is no limit.
        """
        check_lengths(inactivity, request)
        if self.upgrade:
            self.websocket.update_deadline(inactivity, request)
        else:
            self._http("update_deadline()").update_deadline(inactivity, request)

    def finalize(self) -> None:
        """Complete the answer, or begin to close the WebSocket with 1000 (webFinalize); may come twice."""
        if self._websocket is not None:
            self._websocket.send_close()
        else:
            self._complete_answer()

    # ---- what the runner calls ------------------------------------------------------------------------

    def task_done(self, task: asyncio.Task[None]) -> None:
        """The task of the action has ended."""
        if not task.cancelled():
            error = task.exception()
            if error is not None:
                self.raised(authors_part(error))
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
        elif isinstance(error, HttpError) and is_final(error.status) and not exchange.answered:
            log_fault(error, self.path)
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
