"""The broker's side of what is retained: one hash, a script that changes it and tells everybody, its age."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from .envelope import octets, topic_of

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import Pipeline
    from redis.commands.core import AsyncScript

    from .outgoing import Outgoing

# Seconds for an answer.
ANSWER: Final = 10.0

# KEYS: retained, version, seen. ARGV: topic, envelope, number, 'put', 'add' or 'forget', channel.
#
# One script, so that what is kept and what is told are in the same order for all. A publisher that does not
# know whether the broker has got a message sends it again: its number tells. Who forgets is told to all, too.
# The version, which is a number and a colon before the envelope, orders the changes of all publishers.
_CHANGE: Final = """
local seen = tonumber(redis.call('GET', KEYS[3]) or '0')
if tonumber(ARGV[3]) <= seen then return 0 end
redis.call('SET', KEYS[3], ARGV[3], 'EX', 3600)
if ARGV[4] == 'add' and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 0 end
local version = redis.call('INCR', KEYS[2])
local told = string.format('%d:', version) .. ARGV[2]
if ARGV[4] == 'forget' then
    redis.call('HDEL', KEYS[1], ARGV[1])
else
    redis.call('HSET', KEYS[1], ARGV[1], told)
end
redis.call('PUBLISH', ARGV[5], told)
return version
"""


class Store:
    """What is retained, in the broker."""

    def __init__(self, world: str, publisher: bytes) -> None:
        """Keep it below names of our own in the broker's world of names."""
        # Braces: where a cluster divides the names, these stay together, as the script needs it.
        base = f"{{{world}}}"
        self.channel = f"{base}:kept"
        self._retained = f"{base}:retained"
        self._epoch = f"{base}:epoch"
        self._keys = [self._retained, f"{base}:version", f"{base}:seen:{publisher.hex()}"]
        self._script: AsyncScript | None = None

    def attend(self, redis: Redis) -> None:
        """Work with this client from now on."""
        self._script = redis.register_script(_CHANGE)

    async def change(self, pipeline: Pipeline, entry: Outgoing) -> None:
        """Add to `pipeline` what a message changes."""
        assert self._script is not None
        arguments: list[str | bytes | int | float]
        arguments = [octets(entry.topic), entry.data, entry.number, entry.change, self.channel]
        await self._script(keys=self._keys, args=arguments, client=pipeline)

    async def epoch(self, redis: Redis) -> bytes:
        """What names the store's life: another one, and what it held before is lost."""
        async with redis.pipeline(transaction=False) as pipeline:
            pipeline.set(self._epoch, os.urandom(8).hex(), nx=True)
            pipeline.get(self._epoch)
            _, epoch = await pipeline.execute()
        return bytes(epoch)

    async def all(self, redis: Redis) -> AsyncIterator[tuple[str, bytes]]:
        """Every topic with its version and envelope."""
        cursor = 0
        while True:
            async with asyncio.timeout(ANSWER):
                found: dict[bytes, bytes]
                cursor, found = await redis.hscan(self._retained, cursor, count=200)  # type: ignore[assignment]
            for topic, told in found.items():
                yield topic_of(topic), told
            if cursor == 0:
                return


def version_of(told: bytes) -> tuple[int, bytes]:
    """Take the version off an envelope. Raises ValueError where there is none."""
    number, colon, data = told.partition(b":")
    if not colon:
        raise ValueError("without a version")
    return int(number), data
