"""Send files: what `http.files` decides, driven on a connection; the loop never waits for the disk."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ioto_server.config import Config, Route
from ioto_server.http import Match, Representation, StaticFiles, encode_fields, with_common
from ioto_server.session import Core, send_parts

from .exchange import Exchange

# What separates the settings under which the same folder may be served.
_Settings = tuple[Path, bool, str | None]


class FileSender:
    """Answers the requests that go to files."""

    def __init__(self, config: Config) -> None:
        """Serve from `documents`, and from the folders of the routes that have one of their own."""
        self._config = config
        self._folders: dict[_Settings, StaticFiles] = {}
        # The same by the route, whose objects live as long as the configuration.
        self._routes: dict[int, StaticFiles] = {}

    def send(self, exchange: Exchange, match: Match, host: Core) -> None:
        """Answer with the file at `match.path`; raises HttpError for what cannot be had.

        Names are looked up here and now: they are in the kernel's cache or soon will be. A body that is not
        in memory is sent by a task.
        """
        files = self._folder(match)
        found = files.repeat(exchange.request, match.path)
        if found is not None and found.content is not None:
            exchange.respond_encoded(found.encoded or self._encode(found), found.content)
            return
        response = files.respond(exchange.request, match.path)
        if response.descriptor < 0:
            exchange.respond(response.status, response.headers, response.content)
            return
        exchange.start(response.status, response.headers, response.length)
        if exchange.request.method == "HEAD":
            response.close()
            exchange.end()
            return
        exchange.task = host.create_task(exchange.drive(partial(send_parts, exchange, response, match.path)))

    def _encode(self, found: Representation) -> bytes:
        """Write down the header fields of an answer with the whole, for all that follow."""
        length = ("Content-Length", str(found.size))
        found.encoded = encode_fields(with_common(self._config.headers, [*found.fields, length]))
        return found.encoded

    def _folder(self, match: Match) -> StaticFiles:
        route = match.route
        files = self._routes.get(id(route))
        if files is None:
            files = self._routes[id(route)] = self._folder_of(route)
        return files

    def _folder_of(self, route: Route | None) -> StaticFiles:
        config = self._config
        settings: _Settings = (
            (config.documents, True, None)
            if route is None
            else (route.documents or config.documents, route.compressed, route.cache)
        )
        files = self._folders.get(settings)
        if files is None:
            documents, compressed, cache = settings
            files = StaticFiles(documents, config.index, config.mime, compressed=compressed, cache=cache)
            self._folders[settings] = files
        return files
