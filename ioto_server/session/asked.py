"""What a client asks of an action: the request, its body, its cookies, its form."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from ioto_server.http import Headers, HttpError, Request, parse_cookies

from .action import Action
from .ending import NO_CLOSE
from .errors import Closed
from .kept import unpack

if TYPE_CHECKING:
    from ioto_server.http.forms import Form

    from .exchange import Exchange
    from .host import Host


class _NoJson(ValueError):
    """What Python's json takes and RFC 8259 does not."""


def _refuse_constant(name: str) -> None:
    raise _NoJson(f"{name} is no JSON value")


class Asked:
    """The reading side of a `Web`."""

    __slots__ = (
        "_exchange",
        "_form",
        "_request",
        "action",
        "data",
        "host",
        "path_rest",
        "peer",
        "tls",
    )

    def _begin_asked(
        self,
        request: Request,
        host: Host,
        action: Action,
        exchange: Exchange,
        path_rest: str,
        peer: str,
        tls: Mapping[str, Any] | None,
    ) -> None:
        # Packed into a string once it has become a WebSocket.
        self._request: Request | str = request
        self.host = host
        self.action = action
        self.path_rest = path_rest
        self.peer = peer
        self.tls = tls
        self.data: Any = None
        # None once the request has become a WebSocket: HTTP is over then, and nothing of it is kept.
        self._exchange: Exchange | None = exchange
        self._form: Form | None = None

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
        """The first value of a query parameter, decoded; `default` where it is absent.

        Raises HttpError 400 for a query of more than 1,000 fields: let it through.
        """
        try:
            fields = parse_qsl(self.query, keep_blank_values=True, max_num_fields=1000)
        except ValueError:
            raise HttpError(400, "The query has more than 1,000 fields: send fewer") from None
        return next((value for key, value in fields if key == name), default)

    async def read(self) -> bytes:
        """The request's whole body, at most `limits.body` bytes."""
        return b"".join([piece async for piece in self.read_pieces()])

    async def read_pieces(self) -> AsyncIterator[bytes]:
        """The request's body piece by piece, as it arrives: `async for piece in web.read_pieces()`.

        What is not read yet is not taken from the client. Where a piece ends means nothing. Raises HttpError
        for a body that breaks a rule or is over `limits.body`, and `Closed` when the client has left.
        """
        exchange = self._http("read()")
        while piece := await exchange.read():
            yield piece

    async def read_json(self) -> Any:
        """The request's body as JSON; raises HttpError 400 where it is none: let it through."""
        try:
            return json.loads(await self.read(), parse_constant=_refuse_constant)
        except (json.JSONDecodeError, UnicodeDecodeError, _NoJson, RecursionError) as error:
            raise HttpError(400, f"The body is not JSON ({error}): send a JSON text") from None
        except ValueError:
            # Of int(), for a number that takes it too long (CVE-2020-10735), in words for programmers.
            most = sys.get_int_max_str_digits()
            raise HttpError(
                400, f"The body has an integer of more than {most} digits: send a shorter one, or a string"
            ) from None

    async def form(self) -> Form:
        """The form in the request's body, with its files, which are removed when the action has returned.

        Raises HttpError 415 for a body that is no form, 400 for a broken one, 413 for one over
        `limits.body` (its fields) or `limits.upload` (the whole): let it through, it is answered.
        """
        # The library for forms is loaded by the first form: most servers never see one.
        from .bodies import read_form

        form = await read_form(self.request, self._http("form()"), self.host.config)
        self._form = form
        return form

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that the client has sent."""
        return parse_cookies(self.headers.get("cookie"))

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
