"""Request headers that came before: the same bytes are the same request, and need no second parsing.

A browser, a monitor, a device asks for the same things again and again, in the same words. A header is kept
with the request that was made of it once every check had passed, and found again by its bytes, all of them;
of a WebSocket's handshake, all but those of its key, which is another each time.
"""

from __future__ import annotations

from typing import Final

from ioto_server.http.key_field import KEY_SIZE, key_position, without_key
from ioto_server.http.request import Request

MOST_HEADS: Final = 256
"""Headers are kept by the generation: at most two of them, of so many headers each."""

MOST_BYTES: Final = 1024
"""A longer header is not kept."""

# Only what cannot be a secret is kept: no cookie, no credentials, no field that we do not know, no query.
_HARMLESS_NAMES: Final = """
    accept accept-encoding accept-language cache-control connection dnt host if-match if-modified-since
    if-none-match if-range if-unmodified-since origin pragma priority range referer sec-ch-ua
    sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user sec-gpc
    te upgrade-insecure-requests user-agent
"""
_HARMLESS: Final = frozenset(_HARMLESS_NAMES.split())
_HARMLESS_UPGRADE: Final = _HARMLESS | {
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "upgrade",
}

# Some clients bring a token among the names of sub-protocols: one of 128 bits has 22 characters at least.
_LONGEST_PROTOCOL: Final = 20


class Heads:
    """Requests by the bytes of their header. What was not asked for in two generations is forgotten."""

    __slots__ = ("_old", "_young")

    def __init__(self) -> None:
        self._young: dict[bytes, Request] = {}
        self._old: dict[bytes, Request] = {}

    def get(self, block: bytes) -> Request | None:
        """The request of these bytes, if they came lately. It is shared: nobody may change it."""
        request = self._young.get(block)
        if request is None:
            request = self._old.get(block)
            if request is not None:
                self._keep(block, request)
        return request

    def put(self, block: bytes, request: Request, fields: dict[str, list[str]]) -> None:
        """Keep a request, of the lower-case `fields`, if it may be kept: one without a body or a secret."""
        if request.method in ("GET", "HEAD") and _is_harmless(block, request, fields, _HARMLESS):
            request.shared = True
            self._keep(block, request)

    def find(self, block: bytes) -> Request | None:
        """The request of these bytes, if they came lately, or one that differs in nothing but its key."""
        if len(block) > MOST_BYTES:
            return None
        at = key_position(block)
        if at < 0:
            return self.get(block)
        # None that has a key is kept with it.
        model = self.get(without_key(block, at))
        return None if model is None else model.with_key(block[at : at + KEY_SIZE].decode("ascii"))

    def put_upgrade(self, block: bytes, request: Request, fields: dict[str, list[str]]) -> None:
        """Keep what a WebSocket's handshake has in common with all others like it, if it may be kept."""
        at = key_position(block)
        if (
            at >= 0
            and len(fields["sec-websocket-key"]) == 1
            and request.method == "GET"
            and _is_harmless(block, request, fields, _HARMLESS_UPGRADE)
            and all(len(name) <= _LONGEST_PROTOCOL for name in _names(fields.get("sec-websocket-protocol")))
        ):
            model = request.with_key("")
            model.model = None
            model.shared = True
            request.model = model
            self._keep(without_key(block, at), model)

    def _keep(self, block: bytes, request: Request) -> None:
        if len(self._young) >= MOST_HEADS:
            self._old, self._young = self._young, {}
        self._young[block] = request

    def __len__(self) -> int:
        return len(self._young) + len(self._old)


def _is_harmless(block: bytes, request: Request, fields: dict[str, list[str]], names: frozenset[str]) -> bool:
    """Whether a request is short and without a body, and has no fields but `names`, and no secret there."""
    return (
        len(block) <= MOST_BYTES
        and not request.has_body
        and names.issuperset(fields)
        and "?" not in request.target
        and not any("?" in value for value in fields.get("referer", ()))
    )


def _names(values: list[str] | None) -> list[str]:
    return [] if values is None else [name.strip() for name in ",".join(values).split(",")]


HEADS: Final = Heads()
"""Those of this process. What they hold follows from their bytes alone, so all servers share it."""
