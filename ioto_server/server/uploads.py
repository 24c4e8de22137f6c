"""Receive files: PUT and DELETE where a route allows them, driven off the loop (SPEC 8)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from ioto_server.config import Config, Route, is_site
from ioto_server.http import (
    FileResponse,
    FolderBusy,
    HttpError,
    Match,
    Upload,
    Uploads,
    temporaries,
    trimmed,
)
from ioto_server.session import Core, off_the_loop

from .exchange import Exchange

METHODS = ("PUT", "DELETE")

# Who changes files of a folder holds it for a moment. How soon it is tried again, at first and later on, and
# how long a folder is waited for that stays held, by a program that is none of ours; in seconds.
_SOON: Final = 0.001
_LATER: Final = 0.05
PATIENCE: Final = 10.0


class FileReceiver:
    """Answers the requests that create, replace or remove files."""

    def __init__(self, config: Config) -> None:
        """Write to the folders of the routes that allow it, never to the packaged site."""
        self._config = config
        self._folders: dict[Path, Uploads] = {}

    def prepare(self) -> None:
        """Make the folders that uploads go to, and remove what a process that was killed left in them.

        Raises OSError where a folder cannot be made. Reads whole trees: not for the loop.
        """
        for route in self._config.routes or ():
            if set(METHODS) & set(route.methods) and route.handler == "file" and route.redirect is None:
                documents = route.documents or self._config.documents
                folder = self._folder(documents)
                place = _place(documents, route)
                if not is_site(place):
                    place.mkdir(parents=True, exist_ok=True)
                    folder.clean()
        forms = self._config.upload.dir
        forms.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporaries.remove_orphans(forms, temporaries.FORM, below=False)

    def receive(self, exchange: Exchange, match: Match, host: Core) -> None:
        """Begin to carry out a PUT or DELETE."""
        config = self._config
        folder = self._folder((match.route and match.route.documents) or config.documents)
        if exchange.request.method == "DELETE":
            exchange.task = host.create_task(exchange.drive(partial(_delete, exchange, folder, match.path)))
            return
        exchange.allow_body(config.limits.upload)
        exchange.task = host.create_task(exchange.drive(partial(_put, exchange, folder, match.path)))

    def _folder(self, documents: Path) -> Uploads:
        folder = self._folders.get(documents)
        if folder is None:
            folder = Uploads(documents, self._config.limits.upload, kept=is_site)
            self._folders[documents] = folder
        return folder


def _place(documents: Path, route: Route) -> Path:
    """The folder that the paths of a route begin with: who puts `/upload/a` cannot make `upload` first."""
    path = trimmed(route.match, route.trim)
    names = path[: path.rfind("/") + 1].split("/")
    return documents if any(name.startswith(".") for name in names) else documents.joinpath(*names)


async def _put(exchange: Exchange, folder: Uploads, path: str) -> None:
    """Store the body as it comes; the old file stays whole until the new one is.

    Who is refused finds nothing of the upload any more.
    """
    upload = await off_the_loop(partial(folder.put, exchange.request, path), Upload.abort)
    try:
        while piece := await exchange.read():
            await off_the_loop(partial(upload.write, piece))
        response = await when_free(upload.finish)
    finally:
        await off_the_loop(upload.abort)
    _answer(exchange, response)


async def _delete(exchange: Exchange, folder: Uploads, path: str) -> None:
    _answer(exchange, await when_free(partial(folder.delete, exchange.request, path)))


async def when_free(work: Callable[[], FileResponse]) -> FileResponse:
    """Do what needs a folder for itself, as soon as nobody holds it; no thread waits meanwhile.

    Raises HttpError 503 where somebody holds it for longer than `PATIENCE`, and what `work` raises.
    """
    loop = asyncio.get_running_loop()
    until, pause = loop.time() + PATIENCE, _SOON
    while True:
        try:
            return await off_the_loop(work)
        except FolderBusy as busy:
            if loop.time() >= until:
                text = "The folder is in use by another program: try again"
                fault = "another process holds a lock (flock) on the folder: see which (lslocks)"
                raise HttpError(503, text, [("Retry-After", "5")], fault=fault) from busy
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LATER)


def _answer(exchange: Exchange, response: FileResponse) -> None:
    exchange.start(response.status, response.headers, 0)
    exchange.end()
