"""What is sent outside of a read leaves at the end of the loop's turn: one system call for all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

_log = structlog.get_logger("ioto_server.websocket")


class Corked(Protocol):
    """A connection that gathers what it sends."""

    def uncork(self) -> None:
        """Send what has gathered."""


class Turn:
    """The connections that wait for the end of this turn; one callback of the loop serves them all."""

    __slots__ = ("_corked",)

    def __init__(self) -> None:
        self._corked: list[Corked] = []

    def add(self, connection: Corked) -> None:
        """Uncork `connection` when everything that is due in this turn has run."""
        if not self._corked:
            asyncio.get_running_loop().call_soon(self.end)
        self._corked.append(connection)

    def call_next(self, function: Callable[[], None]) -> None:
        """Call `function` in the next turn, when all sockets have been read in between."""
        asyncio.get_running_loop().call_soon(function)

    def end(self) -> None:
        """Uncork everybody."""
        corked, self._corked = self._corked, []
        interrupt: BaseException | None = None
        # A mistake of ours in one connection must not keep what the others have sent, nor must an interrupt.
        for connection in corked:
            try:
                connection.uncork()
            except Exception:
                _log.exception("uncorking failed")
            except BaseException as error:
                interrupt = error
        if interrupt is not None:
            raise interrupt
