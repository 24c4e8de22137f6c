"""Certificate files that change are taken up while the server runs (SPEC 8)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from ioto_server.config.validity import read_validity

from .tls import Facts, TlsContext, TlsError, facts_of

# How often the files are looked at, in seconds. Two or three system calls: nothing else tells of a
# certificate that reaches us through links, a container's volume or a network disk.
EVERY: Final = 1.0

CallLater = Callable[[float, Callable[[], None]], asyncio.TimerHandle]

_log = structlog.get_logger("ioto_server.tls")


class TlsWatch:
    """Looks at the files of one context, and renews it when they have changed and are left alone since.

    Files that cannot be used are refused, once each, and what was in force stays in force.
    """

    def __init__(self, context: TlsContext, call_later: CallLater) -> None:
        """Begin to look, every `EVERY` seconds of `call_later`, until `stop`."""
        self._context = context
        self._call_later = call_later
        self._seen: Facts = context.facts
        self._refused: Facts | None = None
        self._next = call_later(EVERY, self._turn)

    def stop(self) -> None:
        """Look no more."""
        self._next.cancel()

    def _turn(self) -> None:
        self._next = self._call_later(EVERY, self._turn)
        self.look()

    def look(self) -> None:
        """Look once."""
        context = self._context
        facts = facts_of(context.tls)
        seen, self._seen = self._seen, facts
        # Certificate and key are written one after the other: they are tried when both have come to rest.
        if facts != seen or facts in (context.facts, self._refused):
            return
        try:
            context.renew()
        except TlsError as error:
            self._refused = facts
            _log.error("certificate refused", why=str(error), in_use="the one before")
            return
        self._refused = None
        validity = read_validity(context.tls.certificate)
        _log.info(
            "certificate renewed",
            certificate=str(context.tls.certificate),
            until=validity and validity[1].isoformat(),
        )
