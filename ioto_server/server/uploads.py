"""Receive files: PUT and DELETE where a route allows them, driven off the loop (SPEC 8)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from ioto_server.config import Config
from ioto_server.http import HttpError, Match, Upload, Uploads
from ioto_server.session import Closed, Core

from .exchange import Exchange

Result = TypeVar("Result")

METHODS = ("PUT", "DELETE")


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
            if set(METHODS) & set(route.methods) and route.documents is not None:
                route.documents.mkdir(parents=True, exist_ok=True)
                self._folder(route.documents).clean()

    def receive(self, exchange: Exchange, match: Match, host: Core) -> None:
        """Begin to carry out a PUT or DELETE."""
        config = self._config
        folder = self._folder((match.route and match.route.documents) or config.documents)
        if exchange.request.method == "DELETE":
            exchange.task = host.create_task(_delete(exchange, folder, match.path))
            return
        exchange.allow_body(config.limits.upload)
        exchange.task = host.create_task(_put(exchange, folder, match.path))

    def _folder(self, documents: Path) -> Uploads:
        folder = self._folders.get(documents)
        if folder is None:
            config = self._config
            read_only = documents == config.documents and config.documents_is_site
            folder = Uploads(documents, config.limits.upload, read_only=read_only)
            self._folders[documents] = folder
        return folder


async def _off_the_loop(work: Callable[[], Result]) -> Result:
    """Do `work` in a thread; where the task is cancelled meanwhile, wait for it: its files are in use."""
    doing = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait([doing])
        raise


async def _begin(exchange: Exchange, folder: Uploads, path: str) -> Upload:
    """Begin an upload in a thread: a disk that is busy lets whoever makes a file wait."""
    beginning = asyncio.get_running_loop().run_in_executor(None, folder.put, exchange.request, path)
    try:
        return await asyncio.shield(beginning)
    except asyncio.CancelledError:
        await asyncio.wait([beginning])
        if beginning.exception() is None:
            beginning.result().abort()
        raise


async def _put(exchange: Exchange, folder: Uploads, path: str) -> None:
    """Store the body as it comes; the old file stays whole until the new one is."""
    try:
        upload = await _begin(exchange, folder, path)
        try:
            while piece := await exchange.read():
                await _off_the_loop(partial(upload.write, piece))
            response = await _off_the_loop(upload.finish)
        finally:
            await _off_the_loop(upload.abort)
    except HttpError as error:
        # Who is told so finds nothing of the upload any more.
        exchange.refuse(error)
        return
    except Closed:
        # The client has left: nobody waits for an answer.
        return
    exchange.start(response.status, response.headers, 0)
    exchange.end()


async def _delete(exchange: Exchange, folder: Uploads, path: str) -> None:
    try:
        response = await _off_the_loop(partial(folder.delete, exchange.request, path))
    except HttpError as error:
        exchange.refuse(error)
        return
    exchange.start(response.status, response.headers, 0)
    exchange.end()
