"""The URL of `topics.broker`."""

from __future__ import annotations

import pytest

from ioto_server.config.broker import parse_broker


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://ada:secret@hub:6379/2", "redis://ada:***@hub:6379/2"),
        ("redis://:se@cr@et@hub", "redis://:***@hub"),
        ("redis://ada:'se\"cret@hub", "redis://ada:***@hub"),
        ("unix://:secret@/run/redis.sock", "unix://:***@/run/redis.sock"),
        ("redis://hub:6379", "redis://hub:6379"),
    ],
)
def test_a_broker_is_shown_without_its_password(url: str, shown: str) -> None:
    assert str(parse_broker(url)) == shown
