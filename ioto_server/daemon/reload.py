"""Reload: take up a changed configuration and changed plugins whole, or go on as before (SPEC 2, 7)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from ioto_server.config import Config, ConfigError, Loaded
from ioto_server.config.diff import diff
from ioto_server.plugins import BeingSaved, PluginError
from ioto_server.server import ListenError, TlsError

from . import descriptors
from .control import CommandError
from .engine import Engine
from .line import Refused

_log = structlog.get_logger("ioto_server.reload")

Loader = Callable[[], Loaded]


class Reloader:
    """Reloads what serves; orders that come meanwhile wait for their turn."""

    def __init__(self, engine: Engine, load: Loader) -> None:
        """Reload `engine` from what `load()` gives."""
        self._engine = engine
        self._load = load
        self._turn = asyncio.Lock()
        self._preparing: asyncio.Task[dict[str, Any]] | None = None
        self._given_up = False
        self._booted = engine.config
        self.reloads = 0
        self.last: str | None = None

    @property
    def busy(self) -> bool:
        """Whether a reload is under way."""
        return self._turn.locked()

    def refuse(self, why: str) -> CommandError:
        """Log that there is no reload, and why; returns what to tell who ordered it."""
        self.last = f"refused: {why}"
        _log.error("reload refused", why=why)
        return CommandError(f"{why}\nNothing was changed.")

    async def give_up(self) -> None:
        """Reload no more: what is only prepared is let go of, what is being put in place is awaited."""
        self._given_up = True
        cancelled = self._preparing is not None and self._preparing.cancel()
        if self.busy and not cancelled:
            async with self._turn:
                pass

    async def reload(self, quietly: bool = False) -> dict[str, Any]:
        """Reload, log the outcome and return it; raises CommandError with every reason for a refusal.

        `quietly` is for who only supposes that something has changed: then nothing is said if it has not,
        and nothing done while a file is being saved.
        """
        async with self._turn:
            try:
                answer = await self._reload(quietly)
            except BeingSaved as error:
                _log.info("not reloaded", why=str(error))
                return {"changed": [], "restart": [], "warnings": []}
            except (ConfigError, PluginError, TlsError, ListenError, Refused, OSError) as error:
                refusal = self.refuse(str(error))
                raise CommandError(f"{getattr(error, 'trace', '')}{refusal}") from None
        if quietly and not answer["changed"] and not answer["restart"]:
            return answer
        self.reloads += 1
        self.last = "done"
        _log.info("reloaded", changed=answer["changed"], restart=answer["restart"])
        return answer

    async def _reload(self, while_saving: bool) -> dict[str, Any]:
        engine = self._engine
        self._check()
        # Reading takes its time: the json5 package parses some 40 KB a second.
        loaded = await engine.aside(self._load)
        old = engine.config
        prepared = await self._prepare(loaded.config, while_saving)
        await engine.commit()
        return {
            "changed": [str(change) for change in diff(old, loaded.config).live] + prepared["plugins"],
            "restart": [str(change) for change in diff(self._booted, loaded.config).restart],
            "warnings": [
                *(str(warning) for warning in loaded.warnings),
                *filter(None, [descriptors.shortage(loaded.config)]),
                *prepared["warnings"],
            ],
        }

    async def _prepare(self, config: Config, while_saving: bool) -> dict[str, Any]:
        """As Engine.prepare, until `give_up`. Raises Refused then."""
        self._check()
        engine = self._engine
        self._preparing = asyncio.get_running_loop().create_task(engine.prepare(config, while_saving))
        try:
            await asyncio.wait((self._preparing,))
            if self._preparing.cancelled():
                self._check()
            return self._preparing.result()
        finally:
            self._preparing.cancel()
            self._preparing = None

    def _check(self) -> None:
        if self._given_up:
            raise Refused("The server was told to stop meanwhile, and does")
