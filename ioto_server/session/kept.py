"""A request kept small: as long as its WebSocket is open, one string stands for a dozen objects."""

from __future__ import annotations

from typing import Final

from ioto_server.http import Headers, Request

# In no part of a request that was let in: the parser refuses NUL everywhere.
_BETWEEN: Final = "\0"


# In no field of a request either: it holds the place of the key.
_KEY: Final = "\1"


def pack(request: Request) -> str:
    """What an author may still ask of a request that has become a WebSocket."""
    model = request.model
    if model is None:
        return _pack(request)
    if model.kept is None:
        before, _, after = _pack(model.with_key(_KEY)).partition(_KEY)
        model.kept = before, after
    before, after = model.kept
    return f"{before}{request.headers.get('sec-websocket-key')}{after}"


def _pack(request: Request) -> str:
    parts = [request.method, request.target, request.path, request.query, request.version, request.host]
    for field in request.headers.items():
        parts += field
    return _BETWEEN.join(parts)


def unpack(kept: str) -> Request:
    """The request again, as it was when it asked for the upgrade."""
    method, target, path, query, version, host, *fields = kept.split(_BETWEEN)
    found: dict[str, list[str]] = {}
    for name, value in zip(fields[::2], fields[1::2], strict=True):
        found.setdefault(name.lower(), []).append(value)
    request = Request(method, target, path, query, version, Headers.of_fields(found), host)
    request.upgrade = True
    return request
