"""`log.show`: the headers and bodies of requests and their answers, in the log (SPEC 2, 10)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import structlog

from ioto_server.http import without_query

if TYPE_CHECKING:
    from ioto_server.http import Request

_log = structlog.get_logger("ioto_server.trace")

# Most bytes of a body that are shown.
EXCERPT: Final = 1024


class _Body:
    """The beginning of a body, and how long it was in all."""

    __slots__ = ("shown", "size")

    def __init__(self) -> None:
        self.shown = b""
        self.size = 0

    def add(self, data: bytes) -> None:
        if self.size < EXCERPT:
            self.shown += data[: EXCERPT - self.size]
        self.size += len(data)


class Trace:
    """Shows one request and its answer, as far as `show` asks: H and B of the request, h and b of the answer.

    Headers are shown when they are there, with all that is secret in them; a query never is, wherever it
    stands. Of bodies, the first 1024 bytes are shown at the end of the exchange: as text, with an escape for
    what is none.
    """

    __slots__ = ("_answer", "_body", "_method", "_path", "_peer", "_show")

    def __init__(self, show: str, peer: str, request: Request) -> None:
        """Show `request`, of the client `peer`."""
        self._show = show
        self._peer = peer
        self._method, self._path = request.method, request.path
        self._body = _Body() if "B" in show else None
        self._answer = _Body() if "b" in show else None
        if "H" in show:
            self._line("request header", version=request.version, headers=_lines(request.headers.items()))

    def request_body(self, data: bytes) -> None:
        """A piece of the request's body has arrived."""
        if self._body is not None:
            self._body.add(data)

    def answer_head(self, head: bytes) -> None:
        """The head of an answer is sent: also that which opens a WebSocket."""
        if "h" in self._show:
            status, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
            fields = (line.partition(": ")[::2] for line in lines)
            self._line("answer header", status=status, headers=_lines(fields))

    def answer_body(self, data: bytes) -> None:
        """A piece of the answer's body is sent."""
        if self._answer is not None:
            self._answer.add(data)

    def end(self) -> None:
        """The exchange has ended."""
        for event, body in (("request body", self._body), ("answer body", self._answer)):
            if body is not None and body.size:
                text = body.shown.decode("utf-8", "backslashreplace")
                self._line(event, bytes=body.size, body=text)
        self._body = self._answer = None

    def _line(self, event: str, **facts: object) -> None:
        _log.info(event, peer=self._peer, method=self._method, path=self._path, **facts)


def _lines(fields: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{name}: {without_query(name, value)}" for name, value in fields]
