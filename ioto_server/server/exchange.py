"""One request and its answer on an HTTP connection, as an action's Web drives it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic, time
from typing import TYPE_CHECKING, Any

import structlog

from ioto_server.http import HttpError, Request, encode_head, encode_start, http_date, with_common
from ioto_server.session import SENT, Closed, log_fault

from .websocket_connection import WebSocketConnection

if TYPE_CHECKING:
    from ioto_server.session import Action

    from .http_connection import HttpConnection
    from .trace import Trace

_log = structlog.get_logger("ioto_server.http")


class Exchange:
    """The request that is being answered; its connection goes on with the next one afterwards.

    A HEAD request's answer is the head that GET would get, without the body (RFC 9110, 9.3.2): who answers
    need not know.
    """

    __slots__ = (
        "_begun",
        "_body",
        "_body_error",
        "_chunked",
        "_connection",
        "_left",
        "_reader",
        "_sent",
        "_status",
        "_why",
        "action",
        "body_ended",
        "body_waiting",
        "done",
        "keep_alive",
        "request",
        "streaming",
        "task",
        "trace",
    )

    def __init__(self, connection: HttpConnection, request: Request, keep_alive: bool) -> None:
        self.request = request
        self.keep_alive = keep_alive
        self.body_ended = False
        # Bytes of the body that have arrived and were not read yet.
        self.body_waiting = 0
        # The answer is a stream of events.
        self.streaming = False
        # The answer is complete, or can no longer be sent.
        self.done = False
        self.task: asyncio.Task[Any] | None = None
        self.action: Action | None = None
        # Where `log.show` asks for it.
        self.trace: Trace | None = None
        self._connection = connection
        self._begun = monotonic()
        # Made by the first piece: most requests have no body.
        self._body: deque[bytes] | None = None
        self._body_error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._status = 0
        # Which rule a refusal goes by, for the log: it names the directive to set.
        self._why = ""
        self._sent = 0
        self._left: int | None = None
        self._chunked = False

    # ---- the body of the request ----------------------------------------------------------------------

    def allow_body(self, size: int) -> None:
        """Take a body of up to `size` bytes instead of `limits.body`; before anything of it is read."""
        self._connection.allow_body(size)

    @property
    def wants_body(self) -> bool:
        """Whether somebody waits for more of the body."""
        return self._reader is not None

    def push(self, data: bytes) -> None:
        """A piece of the body has arrived."""
        if self.trace is not None:
            self.trace.request_body(data)
        if self._body is None:
            self._body = deque()
        self._body.append(data)
        self.body_waiting += len(data)
        self._wake()

    def end_of_body(self) -> None:
        """The body is complete."""
        self.body_ended = True
        self._wake()

    def body_failed(self, error: Exception) -> None:
        """The body will not be complete: whoever reads it is told."""
        self._body_error = error
        self.keep_alive = False
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def read(self) -> bytes:
        """The next piece of the body, empty at its end.

        Raises HttpError where it breaks a rule or limit, and Closed when the client has left.
        """
        while True:
            if self._body:
                piece = self._body.popleft()
                self.body_waiting -= len(piece)
                if self.body_waiting == 0:
                    self._connection.advance()
                return piece
            if self._body_error is not None:
                raise self._body_error
            if self.body_ended:
                return b""
            if self._reader is not None:
                raise RuntimeError("Two tasks read the body of one request at once: let one of them do it")
            self._reader = asyncio.get_running_loop().create_future()
            self._connection.wants_body(self)
            try:
                await self._reader
            finally:
                self._reader = None

    # ---- the answer -----------------------------------------------------------------------------------

    @property
    def answered(self) -> bool:
        """Whether the head of an answer has been sent."""
        return self._status != 0

    def start(self, status: int, headers: Sequence[tuple[str, str]], length: int | None) -> None:
        """Send the head of the answer; `length` is its body's in bytes, None when it is not known yet."""
        self._connection.send(self._head(status, headers, length))

    def respond(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """Send a whole answer: its head and body leave together, in one system call."""
        data = self._head(status, headers, len(body))
        if self._left:
            self._left = 0
            self._sent = len(body)
            data += body
            if self.trace is not None:
                self.trace.answer_body(body)
        if self._connection.is_too_slow():
            self._cut_off()
            return
        self._connection.send(data)
        self.end()

    def respond_encoded(self, fields: bytes, body: bytes) -> None:
        """Send a whole answer, a 200, whose header `fields` are lines already.

        They have its Content-Length, and those of the `headers` directive: all but Date and Connection.
        """
        self._decide_to_keep()
        start = encode_start(int(time()))
        self._status = 200
        if self.request.method == "HEAD":
            body = b""
        else:
            self._sent = len(body)
        if self._connection.is_too_slow():
            self._cut_off()
            return
        if self.trace is not None:
            self.trace.answer_head(start + fields + self._connection_line())
            self.trace.answer_body(body)
        self._connection.send(b"".join((start, fields, self._connection_line(), body)))
        self.end()

    def _decide_to_keep(self) -> None:
        """Before the head: a client that asked whether to send its body, and was not told, may do it or not.

        Only a new connection is unambiguous then (RFC 9110, 10.1.1), and it is told (RFC 9112, 9.6).
        """
        if self.request.expect_continue and not self.body_ended:
            self.keep_alive = False

    def _connection_line(self) -> bytes:
        """What an encoded header ends with."""
        if not self.keep_alive:
            return b"Connection: close\r\n\r\n"
        return b"\r\n" if self.request.version == "1.1" else b"Connection: keep-alive\r\n\r\n"

    def _head(self, status: int, headers: Sequence[tuple[str, str]], length: int | None) -> bytes:
        self._decide_to_keep()
        request = self.request
        bodiless = request.method == "HEAD" or status in (204, 304)
        lines = [("Date", http_date(time())), *headers]
        if status in (204, 304):
            # RFC 9110, 8.6 and RFC 9112, 6.1: these end at their head, and are not framed.
            length = 0
        elif length is not None:
            lines.append(("Content-Length", str(length)))
        elif request.version == "1.1":
            lines.append(("Transfer-Encoding", "chunked"))
            self._chunked = not bodiless
        else:
            # RFC 9112, 6.3: an HTTP/1.0 client takes the end of the connection for the end of the body.
            self.keep_alive = False
        if not self.keep_alive:
            lines.append(("Connection", "close"))
        elif request.version == "1.0":
            lines.append(("Connection", "keep-alive"))
        head = encode_head(status, with_common(self._connection.common_headers, lines))
        self._status = status
        self._left = 0 if bodiless else length
        if self.trace is not None:
            self.trace.answer_head(head)
        return head

    def write(self, data: bytes) -> Awaitable[None]:
        """Send a piece of the body; awaiting waits while much is unsent.

        A client that is further behind than `limits.maxBacklog` is cut off (SPEC 5).
        """
        if self.done:
            return SENT
        if data and self._left != 0:
            if self._connection.is_too_slow():
                self._cut_off()
                return SENT
            if self._left is not None:
                data = data[: self._left]
                self._left -= len(data)
            self._sent += len(data)
            if self.trace is not None:
                self.trace.answer_body(data)
            self._connection.send(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
        return self._connection.room()

    def _cut_off(self) -> None:
        _log.warning("slow consumer", path=self.request.path, status=self._status)
        self.abandon()

    def unhurry(self) -> None:
        """The answer takes as long as its client reads on, unless `timeouts.request` is set."""
        self._connection.unhurry()

    def stream(self) -> None:
        """The answer that was begun is a stream of events: it has the timeouts of a WebSocket."""
        self.streaming = True
        self._connection.unhurry()

    def update_deadline(self, inactivity: float | None, request: float | None) -> None:
        """Restart both deadlines, with other lengths in seconds where given."""
        self._connection.update_deadline(inactivity, request)

    def end(self) -> None:
        """The answer is complete."""
        if self.done:
            return
        if self._left:
            # Fewer bytes than announced: only the end of the connection can tell the client.
            self.abandon()
            return
        if self._chunked:
            self._connection.send(b"0\r\n\r\n")
        self._finish()
        self._connection.answered(self)

    def refuse(self, error: HttpError) -> None:
        """Answer with an error: its status and one line of text that says which rule."""
        if error.close:
            self.keep_alive = False
        self._why = error.text
        log_fault(error, self.request.path)
        body = error.text.encode() + b"\n"
        headers = [("Content-Type", "text/plain; charset=utf-8"), *error.headers]
        self.respond(error.status, headers, body)

    async def drive(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do what answers, in a task: whatever it raises, the client is told as well as can be."""
        try:
            await work()
        except HttpError as error:
            if not self.done:
                self.refuse(error)
        except Closed:
            # The client has left: nobody waits for an answer.
            return
        except Exception as error:
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Whoever answers has raised what is no refusal: log it, and end the request as well as can be."""
        _log.error("request failed", path=self.request.path, exc_info=error)
        if self.answered:
            self.abandon()
        elif not self.done:
            self.refuse(HttpError(500, "The server failed; the traceback is in its log"))

    def abandon(self) -> None:
        """End the connection in the midst of the answer, so that nobody takes it for whole."""
        if not self.done:
            self._finish()
            self._connection.abort()

    def lost(self) -> None:
        """The connection is gone."""
        if not self.done:
            self._finish()
        self.body_failed(Closed(1006, "the client left before its request was complete"))

    def _finish(self) -> None:
        self.done = True
        if self.trace is not None:
            self.trace.end()
        # Asked first, as the line is not for nothing: it costs as much as a small file.
        log = self._connection.request_log
        if log.is_enabled_for(logging.INFO):
            self._log_line(log)

    def _log_line(self, log: structlog.typing.FilteringBoundLogger) -> None:
        log.info(
            "request",
            peer=self._connection.peer_name(self.request),
            method=self.request.method,
            path=self.request.path,
            status=self._status,
            bytes_out=self._sent,
            milliseconds=round((monotonic() - self._begun) * 1000, 1),
            **({"why": self._why} if self._why else {}),
        )

    def switch(self, head: bytes) -> WebSocketConnection:
        """Leave HTTP: the connection becomes a WebSocket's, which sends `head` first."""
        self.done = True
        if self.trace is not None:
            self.trace.answer_head(head)
        self._status = 101
        return self._connection.switch(self)
