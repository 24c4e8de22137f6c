"""Request headers that came before: the same bytes are the same request, and need no second parsing.

A browser, a monitor, a device asks for the same things again and again, in the same words. A header is kept
with the request that was made of it once every check had passed, and found again by its bytes, all of them.
"""

from __future__ import annotations

from typing import Final

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
        if (
            len(block) <= MOST_BYTES
            and request.method in ("GET", "HEAD")
            and not request.has_body
            and _HARMLESS.issuperset(fields)
            and "?" not in request.target
            and not any("?" in value for value in fields.get("referer", ()))
        ):
            request.shared = True
            self._keep(block, request)

    def _keep(self, block: bytes, request: Request) -> None:
        if len(self._young) >= MOST_HEADS:
            self._old, self._young = self._young, {}
        self._young[block] = request

    def __len__(self) -> int:
        return len(self._young) + len(self._old)


HEADS: Final = Heads()
"""Those of this process. What they hold follows from their bytes alone, so all servers share it."""
