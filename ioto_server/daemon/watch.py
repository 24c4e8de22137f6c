"""`start --watch`: a file that is saved is live at once; one that is broken changes nothing, and is named.

What changes on the disk only wakes this up. Whether anything is different, and what has to be loaded anew, is
found out by a reload as ever, so a change too many costs nothing but a look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from .control import CommandError
from .outcome import say

if TYPE_CHECKING:
    from watchfiles import Change

_log = structlog.get_logger("ioto_server.watch")


class Watch:
    """Follows the folders of plugins, with all below them, and the configuration's file."""

    def __init__(
        self,
        reload: Callable[[], Awaitable[object]],
        folders: Callable[[], Sequence[Path]],
        config: Path,
    ) -> None:
        """Call `reload` after changes; `folders` are those of the plugins, which a reload may change."""
        self._reload = reload
        self._folders = folders
        self._config = config.resolve()
        self._turn = asyncio.Lock()
        # The configuration names other folders.
        self._moved = asyncio.Event()

    async def run(self) -> None:
        """Watch until cancelled; when that is not possible any more, it is logged, and the server goes on."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    folders = tuple(self._folders())
                    config = group.create_task(self._watch_config())
                    # Both end when the configuration names other folders.
                    await self._watch_plugins(folders)
                    await config
        except* (OSError, RuntimeError) as errors:
            _log.error("watching ended", why="; ".join(str(error) for error in errors.exceptions))

    async def _watch_plugins(self, folders: tuple[Path, ...]) -> None:
        """Reload after each change below `folders`, until the configuration names others."""
        there = [folder for folder in folders if folder.is_dir()]
        for folder in set(folders) - set(there):
            _log.warning(
                "not watched", folder=str(folder), why="it is not there", hint="make it, and restart"
            )
        self._moved.clear()
        if not there:
            await self._moved.wait()
            return

        def matters(_change: Change, name: str) -> bool:
            below = next((folder for folder in there if Path(name).is_relative_to(folder)), None)
            return below is None or _is_authors(Path(name).relative_to(below))

        await self._follow_changes(there, matters, recursive=True)

    async def _watch_config(self) -> None:
        def matters(_change: Change, name: str) -> bool:
            return Path(name) == self._config

        # Its folder, as most editors put a new file in the place of the old one.
        await self._follow_changes([self._config.parent], matters, recursive=False)

    async def _follow_changes(
        self, folders: Sequence[Path], matters: Callable[[Change, str], bool], recursive: bool
    ) -> None:
        """Reload now, and after each change, until other folders are to be watched."""
        from watchfiles import awatch

        changes = awatch(*folders, watch_filter=matters, recursive=recursive, stop_event=self._moved)

        async def next_one() -> object:
            return await anext(changes, None)

        waiting = asyncio.ensure_future(next_one())
        try:
            # It watches from here on. What was saved before, since the start, is found by the first reload.
            await asyncio.sleep(0)
            _log.info("watching", what=[str(folder) for folder in folders])
            while True:
                await self._follow()
                if await waiting is None:
                    return
                # While a reload is under way, what is saved is noted, not missed.
                waiting = asyncio.ensure_future(next_one())
                await asyncio.sleep(0)
        finally:
            waiting.cancel()

    async def _follow(self) -> None:
        async with self._turn:
            before = tuple(self._folders())
            try:
                await self._reload()
            except CommandError as error:
                say(f"{error} The old code goes on.")
            if tuple(self._folders()) != before:
                self._moved.set()


def _is_authors(place: Path) -> bool:
    """Whether a path may be a plugin's, and not an editor's for its own use, such as `.a.py.swp`, `a.py~`."""
    return not any(part.startswith((".", "#")) or part == "__pycache__" for part in place.parts) and (
        # A folder that comes or goes has no suffix to go by.
        place.suffix in (".py", "")
    )
