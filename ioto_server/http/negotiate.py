"""Accept-Encoding: which coding of a representation a client wants (RFC 9110 12.5.3)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

IDENTITY = "identity"

# Browsers have few ways to say this. A longer field is parsed each time.
_REMEMBERED = 64

_MEMBER = re.compile(
    r"([!#$%&'*+\-.^_`|~0-9A-Za-z]++)(?>(?:[ \t]*+;[ \t]*+[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?)"
)


def choose_coding(accept: str | None, available: Sequence[str]) -> str:
    """The content coding to answer with: one of `available` (in order of preference), or `identity`.

    The highest weight wins, among equals the one that comes first in `available`; a coding that the client
    names wins over `identity` that it does not name. Where nothing is acceptable, the answer is `identity`,
    as the clause advises.
    """
    if not accept or not available:
        return IDENTITY
    weights = _weights(accept) if len(accept) <= _REMEMBERED else _weights.__wrapped__(accept)
    other = weights.get("*", 0.0)
    chosen, best = IDENTITY, weights.get(IDENTITY, other)
    for coding in reversed(available):
        weight = weights.get(coding, other)
        if weight > 0 and weight >= best:
            chosen, best = coding, weight
    return chosen


@lru_cache(maxsize=128)
def _weights(accept: str) -> dict[str, float]:
    """Coding to weight; members that are malformed are left out."""
    weights: dict[str, float] = {}
    for part in accept.split(","):
        match = _MEMBER.fullmatch(part.strip(" \t"))
        if match is not None:
            coding = match[1].lower()
            # RFC 9110 8.4.1.3: x-gzip is gzip.
            weights["gzip" if coding == "x-gzip" else coding] = 1.0 if match[2] is None else float(match[2])
    return weights
