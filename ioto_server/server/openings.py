"""Handshakes that came before: what was decided on one holds for all that differ in nothing but their key.

A page, a device, a back office opens its WebSocket again and again, in the same words. Which action that is,
that Host and Origin may come in, what sub-protocol and compression are agreed on: all follows from the words,
the address that was connected to, and the configuration. It is decided once, and only the key answered anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ioto_server.http import Request

if TYPE_CHECKING:
    from ioto_server.plugins import Plugin
    from ioto_server.session import Action, Upgrade

    from .http_connection import HttpConnection

# More are forgotten, all together.
_MOST: Final = 512


class Opening:
    """Where a request goes: an action, and what is agreed on where it asks for a WebSocket."""

    __slots__ = ("action", "path_rest", "plugin", "upgrade")

    def __init__(self, plugin: Plugin, action: Action, path_rest: str, upgrade: Upgrade | None) -> None:
        """To `action` of `plugin`, with what follows its prefix in the path."""
        self.plugin = plugin
        self.action = action
        self.path_rest = path_rest
        self.upgrade = upgrade


class Openings:
    """The decisions made under one configuration: with another they are all made anew."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[Request, str, str], Opening] = {}

    def find(self, connection: HttpConnection, model: Request) -> Opening | None:
        """What was decided on a handshake in the words of `model` that came in at the same address."""
        return self._known.get((model, connection.scheme, connection.local))

    def remember(self, connection: HttpConnection, model: Request, opening: Opening) -> None:
        """Keep a decision that the peer's own address has no part in."""
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[model, connection.scheme, connection.local] = opening
