"""What is agreed on with those who ask for a WebSocket, and what follows from it for all who are alike."""

from __future__ import annotations

from ioto_server.websocket import Deflate
from ioto_server.websocket.protocol import Protocol

from .action import Action
from .core import Core, first_phase
from .keepalive import KeepAlive
from .opening import encode_terms


class Terms:
    """What every WebSocket begins with that one action accepts, on one agreement, under one configuration.

    Limits and deadlines are found out once, and copied from here for each.
    """

    __slots__ = ("_codec", "_common", "_core", "_keepalive", "config", "fields")

    def __init__(self, core: Core, action: Action, compression: tuple[Deflate, str] | None) -> None:
        """As the configuration of `core` is now; `compression` is what was agreed of permessage-deflate."""
        self._core = core
        self._common = core.config
        # The configuration, with the action's own limits and timeouts where it has some.
        self.config = config = core.config_of(action.own)
        self._keepalive = keepalive = core.keepalive(config)
        limits = config.limits
        self._codec = Protocol(
            max_message=limits.max_message,
            max_frame=limits.max_frame,
            max_fragments=limits.max_fragments,
            validate_utf=config.web_sockets.validate_utf,
            text_bytes=action.text is bytes,
            stream=action.stream,
            deflate=None if compression is None else compression[0],
        )
        # The fields of the 101 that say so.
        extensions = None if compression is None else compression[1]
        self.fields = encode_terms(extensions, keepalive.inactivity, keepalive.request)

    def hold(self) -> bool:
        """Whether the configuration is still the one that they follow from."""
        return self._core.config is self._common

    def codec(self) -> Protocol:
        """The codec of one connection."""
        return self._codec.another()

    def keepalive(self) -> KeepAlive:
        """Deadlines and pings of a WebSocket that opens now."""
        return self._keepalive.another(self._core.clock.now, first_phase())


class Upgrade:
    """A WebSocket handshake that passed every check: what is agreed on, for all that are alike."""

    __slots__ = ("_terms", "compression", "protocol")

    def __init__(self, protocol: str | None, compression: tuple[Deflate, str] | None) -> None:
        """Keep the chosen sub-protocol, and what was agreed of permessage-deflate."""
        self.protocol = protocol
        self.compression = compression
        self._terms: Terms | None = None

    def terms(self, core: Core, action: Action) -> Terms:
        """What it means for `action`, which all handshakes that are alike are sent to."""
        terms = self._terms
        if terms is None or not terms.hold():
            terms = self._terms = Terms(core, action, self.compression)
        return terms
