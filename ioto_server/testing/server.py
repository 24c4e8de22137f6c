"""`Server`: actions served in memory, to as many clients as a test needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from ioto_server.client import Response, encode_request
from ioto_server.config import Config
from ioto_server.session import Host

from .client import Client, Fields, Query, pairs, with_query
from .engine import AUTHORITY, Engine
from .failures import Failure, TimedOut
from .peer import HttpPeer
from .settings import make_config
from .subject import Subject, Subjects

Result = TypeVar("Result")

#: Seconds that any wait may take, if nothing else is said.
TIMEOUT: Final = 5.0


class Server:
    """The daemon's own server without its sockets: what it does with a connection is what the daemon does.

    Use it in a `with` statement. It runs only while one of its methods, or of its clients', is called, so
    tests are repeatable; its clock can be moved on with `advance`.
    """

    def __init__(
        self,
        *subjects: Subject,
        config: str | Path | Config | None = None,
        settings: Mapping[str, object] | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """Serve `subjects`: decorated functions, modules, plugin files or folders of plugins.

        Without a subject, those of the `actions` directive. `config` is a web.json5, `settings` changes
        single directives, such as `{"limits.maxMessage": "1KB"}`. No wait takes longer than `timeout`
        seconds. Raises PluginError, ConfigError, TypeError or ValueError for what cannot be served.
        """
        self._config = make_config(config, settings)
        self._subjects = Subjects.load(subjects or self._config.actions)
        self._timeout = timeout
        self._clients: list[Client] = []
        self._running: Engine | None = None

    @property
    def host(self) -> Host:
        """The host that the actions share, as `web.host`; what it does, not what it has, needs `call`."""
        return self.engine.host

    @property
    def log(self) -> Sequence[Mapping[str, Any]]:
        """The lines that the server has logged, each with its `event`, such as `websocket close`."""
        return self.engine.journal.lines

    def open(self) -> Self:
        """Call every `io_start`; a `with` statement does it. Raises PluginError when one fails."""
        if self._running is None:
            engine = Engine(self._config, self._subjects.plugins, self._timeout)
            engine.start()
            self._running = engine
        return self

    def connect(
        self,
        path: str | None = None,
        *,
        query: Query = "",
        headers: Fields = (),
        origin: str | None = None,
        protocols: Sequence[str] = (),
        answer_pings: bool = True,
        compress: bool = False,
    ) -> Client:
        """Open a WebSocket; see `Client`, whose `open` it calls."""
        __tracebackhide__ = True
        client = Client(
            self,
            path,
            query=query,
            headers=headers,
            origin=origin,
            protocols=protocols,
            answer_pings=answer_pings,
            compress=compress,
        )
        return client.open()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query = "",
        headers: Fields = (),
        body: bytes | str = b"",
        json: object = None,
        timeout: float | None = None,
    ) -> Response:
        """Send a plain HTTP request and return the whole answer.

        `body`, or `json` as its JSON text, is sent with its Content-Length. Raises TimedOut when the answer
        is not complete in time, ActionFailed when the action raised.
        """
        __tracebackhide__ = True
        content, fields = _content(body, json)
        own = pairs(headers)
        names = {name.lower() for name, _ in own}
        lines = [("Host", AUTHORITY), *fields]
        head = encode_request(
            method, with_query(path, query), [*(one for one in lines if one[0].lower() not in names), *own]
        )
        peer = HttpPeer(method)
        engine = self.engine
        connection = engine.connect(peer)
        peer.transport.feed(head + content)
        what = f"The answer to {method} {path} was not complete"
        try:
            engine.run(peer.until(lambda: peer.is_done), what, timeout=timeout, where=connection.where)
        except TimedOut:
            peer.transport.reset()
            raise
        peer.end()
        engine.settle()
        if peer.error is not None:
            raise Failure(f"{method} {path}: {peer.error}; {connection.where()}")
        response = peer.parser.response
        assert response is not None
        return response

    def get(self, path: str, *, query: Query = "", headers: Fields = ()) -> Response:
        """`request` with GET."""
        __tracebackhide__ = True
        return self.request("GET", path, query=query, headers=headers)

    def call(self, function: Callable[..., Result], *arguments: object) -> Result:
        """Call a plain function inside the server's event loop, as actions are: `host.publish`, say.

        Returns what it returns, after all that it caused has happened.
        """
        __tracebackhide__ = True

        async def inside() -> Result:
            return function(*arguments)

        engine = self.engine
        result = engine.run(inside(), "The call did not end")
        engine.settle()
        return result

    def advance(self, seconds: float) -> None:
        """Let time pass for timers, pings, timeouts and `asyncio.sleep` at once, without waiting for it."""
        __tracebackhide__ = True
        self.engine.advance(seconds)

    def settle(self) -> None:
        """Let everything happen that can happen now; the methods of clients do it by themselves."""
        __tracebackhide__ = True
        self.engine.settle()

    def close(self) -> None:
        """Close the clients, stop the plugins; a `with` statement does it.

        Raises what actions raised and no call has reported, TimedOut for an action that does not return when
        its client has gone, and Leaked for tasks that are left behind.
        """
        __tracebackhide__ = True
        engine = self._running
        if engine is None:
            return
        try:
            for client in self._clients:
                client.close()
        finally:
            self._running = None
            try:
                engine.stop()
            finally:
                self._subjects.forget()

    def __enter__(self) -> Self:
        __tracebackhide__ = True
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        try:
            self.close()
        except Failure as failure:
            if error is None:
                raise
            # What the test found comes first; why it may be so is added.
            error.add_note(str(failure))

    # ---- what clients use -----------------------------------------------------------------------------

    @property
    def engine(self) -> Engine:
        """The mechanics, for `Client`."""
        if self._running is None:
            raise RuntimeError("The server is not open: use it in a `with` statement, or call open()")
        return self._running

    @property
    def prefixes(self) -> list[str]:
        """What is bound, for `Client`."""
        return [prefix for prefix, _ in self._subjects.plugins.prefixes.items()]

    def adopt(self, client: Client) -> None:
        """Close this client before the server stops."""
        self._clients.append(client)


def _content(body: bytes | str, value: object) -> tuple[bytes, list[tuple[str, str]]]:
    content = body.encode() if isinstance(body, str) else body
    if value is None:
        return content, [("Content-Length", str(len(content)))] if content else []
    if content:
        raise TypeError("A request has one body: give body or json, not both")
    content = json.dumps(value).encode()
    return content, [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
