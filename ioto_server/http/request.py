"""What the parser hands out: a request's header, the pieces of its body, its end."""

from __future__ import annotations

from ioto_server.http.headers import Headers


class Request:
    """The header of one request (RFC 9112 2, 3), already checked.

    target           the request target as received
    path             decoded once, dot segments removed, begins with `/`; `*` only for `OPTIONS *`
    query            what follows the first `?`, as received; empty without one
    version          `1.0` or `1.1`
    host             host and port, of the target (absolute-form) or of Host; empty: HTTP/1.0 without Host
    keep_alive       the client allows another request after this one (RFC 9112 9.3)
    upgrade          Upgrade has the token `websocket`
    content_length   bytes of the body, None without Content-Length
    chunked          the body comes in chunks
    expect_continue  the client waits for 100 (Continue) before it sends its body (RFC 9110 10.1.1)
    trailers         trailer fields, set when the end of a chunked body has been read; never part of headers
    shared           the same object stands for every request of these words (`http.heads`): not to be changed
    model            of an upgrade: what stands for every request that differs from this one in nothing but
                     Sec-WebSocket-Key, where it may be kept; what is found out of it holds for all of them
    kept             of a model, for who keeps requests small (`session.kept`)
    """

    __slots__ = (
        "chunked",
        "content_length",
        "expect_continue",
        "headers",
        "host",
        "keep_alive",
        "kept",
        "method",
        "model",
        "path",
        "query",
        "shared",
        "target",
        "trailers",
        "upgrade",
        "version",
    )

    def __init__(
        self,
        method: str,
        target: str,
        path: str,
        query: str,
        version: str,
        headers: Headers,
        host: str,
    ) -> None:
        self.method = method
        self.target = target
        self.path = path
        self.query = query
        self.version = version
        self.headers = headers
        self.host = host
        self.keep_alive = version == "1.1"
        self.upgrade = False
        self.content_length: int | None = None
        self.chunked = False
        self.expect_continue = False
        self.trailers: Headers | None = None
        self.shared = False
        self.model: Request | None = None
        self.kept: tuple[str, str] | None = None

    def own(self) -> Request:
        """This request for one who may change it: itself, or a copy where it is shared."""
        if not self.shared:
            return self
        return self._with(self.headers)

    def _with(self, headers: Headers) -> Request:
        """One of the same words without a body, with these header fields."""
        made = Request.__new__(Request)
        made.method = self.method
        made.target = self.target
        made.path = self.path
        made.query = self.query
        made.version = self.version
        made.headers = headers
        made.host = self.host
        made.keep_alive = self.keep_alive
        made.upgrade = False
        made.content_length = None
        made.chunked = False
        made.expect_continue = False
        made.trailers = None
        made.shared = False
        made.model = None
        made.kept = None
        return made

    def with_key(self, key: str) -> Request:
        """An upgrade in the words of this one, with a Sec-WebSocket-Key of its own."""
        request = self._with(self.headers.replacing("sec-websocket-key", key))
        request.upgrade = True
        request.model = self
        return request

    @property
    def has_body(self) -> bool:
        """Whether at least one byte of body is announced, or chunks are."""
        return self.chunked or bool(self.content_length)

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.target} HTTP/{self.version}>"


class Body:
    """A piece of a request's body, never empty. How a body is cut into pieces means nothing."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"<Body {len(self.data)} bytes>"


class EndOfRequest:
    """The request is complete; the next pull looks for the next one."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<EndOfRequest>"


END_OF_REQUEST = EndOfRequest()
