"""The 101 that opens a WebSocket (RFC 6455, 4.2.2): all but the answer to the key is always the same."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Final

from ioto_server.http import encode_fields, encode_head

# What stands behind the name of the last field, and what ends that and the head.
_BEFORE_KEY: Final = encode_head(
    101, [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", "")]
).removesuffix(b"\r\n\r\n")


def encode_opening(
    accept: str,
    protocol: str | None,
    terms: bytes,
    own: Iterable[tuple[str, str]],
) -> bytes:
    """The head of a 101 with the answer to the client's key.

    `terms` are the fields of `encode_terms`, `own` those of the action. Raises ValueError for a field that
    would not be read back as one line.
    """
    parts = [_BEFORE_KEY, accept.encode("ascii"), b"\r\n"]
    if protocol is not None:
        parts.append(encode_fields([("Sec-WebSocket-Protocol", protocol)]))
    parts.append(terms)
    if own:
        parts.append(encode_fields(own))
    parts.append(b"\r\n")
    return b"".join(parts)


def encode_terms(extensions: str | None, inactivity: float, request: float) -> bytes:
    """The fields that follow from what was agreed on, and from the timeouts, in seconds."""
    fields = []
    if extensions is not None:
        fields.append(("Sec-WebSocket-Extensions", extensions))
    if inactivity != inf:
        fields.append(("X-Inactivity-Timeout", str(round(inactivity))))
    if request != inf:
        fields.append(("X-Request-Timeout", str(round(request))))
    return encode_fields(fields)
