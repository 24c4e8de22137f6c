"""Clients that are closed when a test ends, whatever came of it (fixture `all_are_closed`)."""

from __future__ import annotations

from .raw import RawClient

_kept: list[RawClient] = []


def keep(client: RawClient) -> RawClient:
    """Have a client closed when the test ends."""
    _kept.append(client)
    return client


def close_kept() -> None:
    """Close all of them."""
    while _kept:
        _kept.pop().close()
