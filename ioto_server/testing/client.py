"""`Client`: one WebSocket to an action, driven line by line."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote, urlencode

from ioto_server.client import Opening, Response
from ioto_server.session import Closed, Host
from ioto_server.websocket import DeflateSettings

from .engine import AUTHORITY, Connection
from .failures import Failure, TimedOut, is_asleep
from .peer import Close, WebSocketPeer
from .subject import Subject

if TYPE_CHECKING:
    from ioto_server.config import Config

    from .server import Server

# Seconds of the test's clock for an action to end, where timeouts.close is not shorter.
_LONGEST: Final = 60.0

Query = str | Mapping[str, str]
Fields = Mapping[str, str] | Iterable[tuple[str, str]]


class Client:
    """A WebSocket client in memory.

    Pings and Closes of the server are answered as every client does it. Each call lets the actions do all
    that they can do at this moment; an exception that an action raises meanwhile is raised here, once, as
    ActionFailed.
    """

    def __init__(
        self,
        served: Subject | Server,
        path: str | None = None,
        *,
        query: Query = "",
        headers: Fields = (),
        origin: str | None = None,
        protocols: Sequence[str] = (),
        answer_pings: bool = True,
        compress: bool = False,
        config: str | Path | Config | None = None,
        settings: Mapping[str, object] | None = None,
        timeout: float | None = None,
    ) -> None:
        """Prepare a client of `served`: a Server, or what a Server of its own is to serve.

        `path` may be left out where one prefix is bound; `query` is text or a mapping; `compress` offers
        permessage-deflate. `config`, `settings` and `timeout` are those of the Server of its own.
        """
        from .server import TIMEOUT, Server

        self._own: Server | None = None
        if isinstance(served, Server):
            if config is not None or settings is not None or timeout is not None:
                raise TypeError("Give config, settings and timeout to the Server that the client is for")
            self._server = served
        else:
            limit = TIMEOUT if timeout is None else timeout
            self._server = self._own = Server(served, config=config, settings=settings, timeout=limit)
        self._path = path
        self._query = query
        self._headers = pairs(headers)
        self._origin = origin
        self._protocols = tuple(protocols)
        self._answer_pings = answer_pings
        self._compress = DeflateSettings() if compress else None
        self._peer: WebSocketPeer | None = None
        self._connection: Connection
        self._is_finished = False

    # ---- what is known --------------------------------------------------------------------------------

    @property
    def server(self) -> Server:
        """The server of this client: for `request`, `log`, and more clients of the same actions."""
        return self._server

    @property
    def host(self) -> Host:
        """The host that the actions share, as `web.host`."""
        return self._server.host

    @property
    def response(self) -> Response:
        """The 101 that opened the WebSocket, with its headers."""
        return self._opened.response

    @property
    def protocol(self) -> str | None:
        """The sub-protocol that was chosen."""
        accepted = self._opened.accepted
        return accepted.protocol if accepted is not None else None

    @property
    def messages(self) -> Sequence[str | bytes]:
        """The messages that have come and were not received yet, after all that can happen now."""
        __tracebackhide__ = True
        self._server.settle()
        return tuple(self._opened.messages)

    @property
    def pings(self) -> Sequence[bytes]:
        """The payloads of the pings that have come."""
        __tracebackhide__ = True
        self._server.settle()
        return tuple(self._opened.pings)

    @property
    def closed(self) -> Close | None:
        """Code and reason of the end, None while the WebSocket is open."""
        return self._opened.close

    # ---- the opening and the end ----------------------------------------------------------------------

    def open(self) -> Self:
        """Open the WebSocket; a `with` statement does it.

        Raises Refused, with the answer's status, headers and text, when the action or a rule of the
        handshake says no, TimedOut when neither yes nor no is said, ActionFailed when the action raised.
        """
        __tracebackhide__ = True
        server = self._server.open()
        try:
            self._open(server)
        except BaseException:
            if self._own is not None:
                self._abandon(self._own)
            raise
        return self

    def _open(self, server: Server) -> None:
        __tracebackhide__ = True
        if self._peer is not None:
            raise RuntimeError("This client was opened before: make another one")
        opening = Opening(
            AUTHORITY,
            self._target(),
            headers=self._headers,
            origin=self._origin,
            protocols=self._protocols,
            compress=self._compress,
        )
        peer = WebSocketPeer(
            opening, frame_size=server.host.config.limits.max_frame, answer_pings=self._answer_pings
        )
        engine = server.engine
        self._connection = engine.connect(peer)
        peer.transport.feed(opening.request)
        late = "The WebSocket was neither accepted nor refused"
        try:
            engine.run(peer.until(lambda: peer.is_decided), late, where=self._connection.where)
            engine.settle()
        except BaseException:
            peer.transport.reset()
            raise
        if peer.refusal is not None:
            peer.refusal.add_note(self._connection.where())
            # How our own parser came to it is no part of the story.
            raise peer.refusal.with_traceback(None)
        self._peer = peer
        server.adopt(self)

    def _abandon(self, own: Server) -> None:
        """The opening has failed, and why is being raised: what goes wrong now is a consequence."""
        with suppress(Failure):
            own.close()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the WebSocket in order and wait until its action has returned; may come twice.

        Raises TimedOut when the action does not return, ActionFailed when it raised. One that is asleep is
        given `timeouts.close`, without waiting for it; then it is cancelled, as the server does it, and a
        Python warning says so.
        """
        __tracebackhide__ = True
        peer = self._peer
        if peer is None or self._is_finished:
            return
        self._is_finished = True
        if not peer.protocol.closing and peer.close is None:
            peer.protocol.close(code, reason)
            peer.flush()
        self.resume_reading()
        self._wait(lambda: peer.is_ended, "The WebSocket was not closed by the server")
        self._wait_for_action()
        self._server.engine.settle()

    def drop(self) -> None:
        """Vanish without a Close, as a client does whose network has failed, and wait for the action."""
        __tracebackhide__ = True
        peer = self._opened
        self._is_finished = True
        peer.transport.reset()
        self._wait(lambda: peer.is_ended, "The server did not notice that the client has gone")
        self._wait_for_action()
        self._server.engine.settle()

    def wait_closed(self, timeout: float | None = None) -> Close:
        """Wait until the server has closed the WebSocket; returns code and reason."""
        __tracebackhide__ = True
        peer = self._opened
        self._wait(lambda: peer.is_ended, "The WebSocket was not closed", timeout)
        self._server.engine.settle()
        assert peer.close is not None
        return peer.close

    def _wait_for_action(self) -> None:
        __tracebackhide__ = True
        engine = self._server.engine
        task = self._connection.task
        if task is None:
            return
        self._server.settle()
        if not task.done() and is_asleep(task):
            # It will not notice before it wakes. The server gives it `timeouts.close`, then cancels it.
            where = self._connection.where()
            engine.advance(min(self.host.config.timeouts.close, _LONGEST) + 1)
            if task.cancelled():
                warnings.warn(
                    f"The client had gone, the action slept for timeouts.close, and was cancelled; {where}",
                    stacklevel=4,
                )
        try:
            self._wait(task.done, "The client has gone, but the action did not return")
        except TimedOut:
            task.cancel()
            raise

    # ---- sending --------------------------------------------------------------------------------------

    def send(self, message: str | bytes) -> None:
        """Send a message, `str` as text and `bytes` as binary. Raises Closed when the WebSocket is."""
        __tracebackhide__ = True
        peer = self._sendable()
        peer.protocol.send(message)
        self._flush(peer)

    def send_json(self, value: object) -> None:
        """Send `value` as JSON text."""
        __tracebackhide__ = True
        self.send(json.dumps(value))

    def send_fragments(self, *pieces: str | bytes) -> None:
        """Send one message in as many frames, all `str` or all `bytes`."""
        __tracebackhide__ = True
        peer = self._sendable()
        for number, piece in enumerate(pieces, 1):
            peer.protocol.send_fragment(piece, fin=number == len(pieces))
        self._flush(peer)

    def ping(self, payload: bytes = b"ping") -> None:
        """Send a ping, of at most 125 bytes, and wait for its pong."""
        __tracebackhide__ = True
        peer = self._sendable()
        peer.protocol.ping(payload)
        self._flush(peer)
        self._wait(lambda: payload in peer.pongs or peer.close, "No pong came")
        self._server.engine.raise_failures()
        if payload not in peer.pongs:
            raise Closed(*peer.close) if peer.close else Failure("No pong came")
        peer.pongs.remove(payload)

    def _sendable(self) -> WebSocketPeer:
        __tracebackhide__ = True
        peer = self._opened
        if peer.close is not None or peer.protocol.closing:
            self._server.engine.raise_failures()
            raise Closed(*(peer.close or (1006, "")))
        return peer

    def _flush(self, peer: WebSocketPeer) -> None:
        __tracebackhide__ = True
        peer.flush()
        self._server.engine.settle()

    # ---- receiving ------------------------------------------------------------------------------------

    def receive(self, timeout: float | None = None) -> str | bytes:
        """The next message.

        Raises TimedOut when none comes within `timeout` seconds (None: the server's), Closed when the
        WebSocket was closed instead, ActionFailed when the action raised.
        """
        __tracebackhide__ = True
        peer = self._opened
        self._wait(lambda: peer.messages or peer.close, "Nothing was received", timeout)
        if peer.messages:
            return peer.take()
        self._server.settle()
        assert peer.close is not None
        raise Closed(*peer.close)

    def receive_json(self, timeout: float | None = None) -> Any:
        """The next message, which has to be JSON text, as a Python value."""
        __tracebackhide__ = True
        message = self.receive(timeout)
        try:
            return json.loads(message)
        except ValueError as error:
            raise Failure(f"The message is not JSON ({error}): {message!r}") from None

    def __iter__(self) -> Iterator[str | bytes]:
        """Messages, until the WebSocket is closed."""
        __tracebackhide__ = True
        while True:
            try:
                yield self.receive()
            except Closed:
                return

    def pause_reading(self) -> None:
        """Take nothing from the server from now on, as a client does that is too slow."""
        self._opened.transport.pause_client()

    def resume_reading(self) -> None:
        """Take what waits, and what comes."""
        self._opened.transport.resume_client()

    def advance(self, seconds: float) -> None:
        """Let time pass; see `Server.advance`."""
        __tracebackhide__ = True
        self._server.advance(seconds)

    # ---- mechanics ------------------------------------------------------------------------------------

    @property
    def _opened(self) -> WebSocketPeer:
        if self._peer is None:
            raise RuntimeError("The client is not open: use it in a `with` statement, or call open()")
        return self._peer

    def _target(self) -> str:
        path = self._path
        if path is None:
            prefixes = self._server.prefixes
            if len(prefixes) != 1:
                raise TypeError(f"Say which path to connect to: there are {', '.join(prefixes) or 'none'}")
            path = prefixes[0]
        return with_query(path, self._query)

    def _wait(self, ready: Callable[[], object], late: str, timeout: float | None = None) -> None:
        __tracebackhide__ = True
        peer = self._opened
        self._server.engine.run(peer.until(ready), late, timeout=timeout, where=self._connection.where)

    def __enter__(self) -> Self:
        __tracebackhide__ = True
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        try:
            try:
                self.close()
            finally:
                if self._own is not None:
                    self._own.close()
        except Failure as failure:
            if error is None:
                raise
            error.add_note(str(failure))


def pairs(fields: Fields) -> list[tuple[str, str]]:
    """Header fields as a list."""
    return list(fields.items()) if isinstance(fields, Mapping) else list(fields)


def with_query(path: str, query: Query) -> str:
    """A request's target."""
    if not path.startswith("/"):
        raise ValueError(f"The path {path!r} does not begin with /: write it as in the URL")
    text = query if isinstance(query, str) else urlencode(query)
    target = quote(path, safe="/?:@!$&'()*+,;=-._~%")
    if not text:
        return target
    return f"{target}{'&' if '?' in target else '?'}{text}"
