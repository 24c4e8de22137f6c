"""The two connections to the broker: one brings what is published, the other takes it there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Final

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, RedisError

from ioto_server.config.broker import Broker

from .counts import Counts
from .envelope import octets
from .outgoing import Outgoing, Queue
from .store import ANSWER, Store

if TYPE_CHECKING:
    from redis.asyncio.client import PubSub

_log = structlog.get_logger("ioto_server.broker")

# Seconds for a connection to be made.
_CONNECT: Final = 5.0
# Messages that are heard before clients get a turn.
_AT_ONCE: Final = 50
# Most subscriptions that are made with one command.
_PIECE: Final = 1000
# What a pattern of the broker takes for more than itself.
_SPECIAL: Final = re.compile(rb"([*?\[\]\\^])")
_HELLO: Final = b"hello"
# Seconds in which changes of the counts gather.
_GATHER: Final = 0.1


class Heard(Enum):
    """By which channel a message came."""

    TOPIC = 1
    KEPT = 2
    COUNTS = 3


Hear = Callable[[Heard, bytes], None]
Step = Callable[[], Awaitable[None]]


class Connection:
    """Speaks with the broker until one of the connections is lost; `serve` may be called again then."""

    def __init__(self, broker: Broker, publisher: bytes, counts: Counts, queue: Queue) -> None:
        """`broker` says where it is, and which names there are ours."""
        self._broker = broker
        self._counts = counts
        self._queue = queue
        self._store = Store(broker.world, publisher)
        base = f"{{{broker.world}}}"
        self._topics = f"{base}:topic:".encode()
        self._kept = self._store.channel.encode()
        self._told = f"{base}:counts".encode()
        self._redis: Redis | None = None
        self._wanted: dict[str, None] = {}
        self._news = asyncio.Event()
        self._empty = asyncio.Event()
        self._tell_all = self._ask = False
        self._to_tell = asyncio.Event()
        self._silence: asyncio.Timeout

    # ---- what is to be done ---------------------------------------------------------------------------

    def wake(self) -> None:
        """There is something to be sent."""
        self._empty.clear()
        self._news.set()

    def tell_counts(self) -> None:
        """The number of subscribers has changed."""
        self._to_tell.set()

    def follow(self, pattern: str) -> None:
        """Somebody has subscribed to a topic or pattern, or nobody has any more."""
        self._wanted[pattern] = None
        self._news.set()

    def ask_for_counts(self) -> None:
        """Have every process tell how many subscribers it has, this one too."""
        self._ask = True
        self._to_tell.set()

    async def drained(self) -> None:
        """Wait until nothing waits to be sent."""
        if len(self._queue):
            await self._empty.wait()

    # ---- life -----------------------------------------------------------------------------------------

    async def serve(self, begin: Step, hear: Hear, beat: Step, every: float, silence: float) -> None:
        """Connect, `begin`, then bring what comes to `hear` and send what waits, and `beat` `every` seconds.

        Ends only with an error: an ExceptionGroup, of a TimeoutError where nothing was heard for `silence`
        seconds (what we send every few seconds comes back to us).
        """
        redis = self._redis = Redis.from_url(
            self._broker.url,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=_CONNECT,
            # It would be waited for with asyncio.wait_for, which in Python 3.11 may lose a cancellation.
            socket_timeout=None,
            client_name="ioto-server",
        )
        self._store.attend(redis)
        pubsub = redis.pubsub()
        ready = asyncio.Event()
        self._wanted.clear()
        try:
            async with asyncio.TaskGroup() as group:
                async with asyncio.timeout(ANSWER):
                    await pubsub.subscribe(self._told, self._kept)
                group.create_task(self._listen(pubsub, hear, ready, silence))
                async with asyncio.timeout(ANSWER):
                    await ready.wait()
                    await self._subscribe(pubsub, list(self._counts))
                await begin()
                self._silence.reschedule(asyncio.get_running_loop().time() + silence)
                await self._tell(redis, _HELLO)
                group.create_task(self._send(redis, pubsub))
                group.create_task(self._keep_beating(redis, beat, every))
        finally:
            self._redis = None
            await _close(pubsub, redis)

    async def epoch(self) -> bytes:
        """What names the life of the store."""
        async with asyncio.timeout(ANSWER):
            return await self._store.epoch(self._connected)

    def stored(self) -> AsyncIterator[tuple[str, bytes]]:
        """What the store retains."""
        return self._store.all(self._connected)

    @property
    def _connected(self) -> Redis:
        assert self._redis is not None
        return self._redis

    # ---- in -------------------------------------------------------------------------------------------

    async def _listen(self, pubsub: PubSub, hear: Hear, ready: asyncio.Event, silence: float) -> None:
        loop = asyncio.get_running_loop()
        heard = 0
        # What the store holds may take its time; only then is silence a sign.
        async with asyncio.timeout(None) as self._silence:
            while True:
                found = await pubsub.get_message(timeout=None)
                if found is None:
                    continue
                if found["type"] == "subscribe" and found["channel"] == self._kept:
                    ready.set()
                if found["type"] not in ("message", "pmessage"):
                    continue
                if self._silence.when() is not None:
                    self._silence.reschedule(loop.time() + silence)
                self._bring(found["channel"], found["data"], hear)
                heard += 1
                if heard % _AT_ONCE == 0:
                    # Reading what has come already lets nobody else have a turn.
                    await asyncio.sleep(0)

    def _bring(self, channel: bytes, data: bytes, hear: Hear) -> None:
        if channel == self._kept:
            hear(Heard.KEPT, data)
        elif channel != self._told:
            hear(Heard.TOPIC, data)
        elif data == _HELLO:
            self._tell_all = True
            self._to_tell.set()
        else:
            hear(Heard.COUNTS, data)

    # ---- out ------------------------------------------------------------------------------------------

    async def _send(self, redis: Redis, pubsub: PubSub) -> None:
        while True:
            self._news.clear()
            if self._wanted:
                wanted, self._wanted = list(self._wanted), {}
                await self._subscribe(pubsub, [one for one in wanted if one in self._counts])
                await self._unsubscribe(pubsub, [one for one in wanted if one not in self._counts])
            batch = self._queue.batch()
            if batch:
                await self._send_batch(redis, batch)
                self._queue.sent()
            elif not self._news.is_set():
                self._empty.set()
                await self._news.wait()

    async def _send_batch(self, redis: Redis, batch: Sequence[Outgoing]) -> None:
        async with redis.pipeline(transaction=False) as pipeline:
            for entry in batch:
                if entry.lasting:
                    await self._store.change(pipeline, entry)
                else:
                    pipeline.publish(self._channel(entry.topic), entry.data)
            async with asyncio.timeout(ANSWER):
                results = await pipeline.execute(raise_on_error=False)
        refusal = None
        for entry, result in zip(batch, results, strict=True):
            if isinstance(result, RedisConnectionError | ReadOnlyError):
                raise result
            if isinstance(result, RedisError):
                refusal = result
                self._queue.refused(entry)
            elif entry.lasting and result == 0:
                # It had it already, and shows it to nobody a second time.
                self._queue.arrived(entry.topic)
        if refusal is not None:
            _log.warning("the broker refuses messages", why=str(refusal), dropped=self._queue.dropped)

    async def _keep_beating(self, redis: Redis, beat: Step, every: float) -> None:
        while True:
            self._to_tell.clear()
            await beat()
            if self._ask:
                self._ask = False
                await self._tell(redis, _HELLO)
            everything, self._tell_all = self._tell_all, False
            for message in self._counts.everything() if everything else self._counts.changes():
                await self._tell(redis, message)
            # Of clients that come by the thousand, one message tells of many.
            await asyncio.sleep(_GATHER)
            with suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await self._to_tell.wait()

    async def _tell(self, redis: Redis, message: str | bytes) -> None:
        async with asyncio.timeout(ANSWER):
            await redis.publish(self._told, message)

    # ---- subscriptions --------------------------------------------------------------------------------

    async def _subscribe(self, pubsub: PubSub, patterns: list[str]) -> None:
        topics, below = self._names(patterns)
        for start in range(0, len(topics), _PIECE):
            await pubsub.subscribe(*topics[start : start + _PIECE])
        for start in range(0, len(below), _PIECE):
            await pubsub.psubscribe(*below[start : start + _PIECE])

    async def _unsubscribe(self, pubsub: PubSub, patterns: list[str]) -> None:
        topics, below = self._names(patterns)
        # With none named, everything would be unsubscribed.
        if topics:
            await pubsub.unsubscribe(*topics)
        if below:
            await pubsub.punsubscribe(*below)

    def _names(self, patterns: list[str]) -> tuple[list[bytes], list[bytes]]:
        """The broker's channels for topics, and its patterns for ours."""
        topics = [self._channel(one) for one in patterns if not one.endswith("/*")]
        below = [
            _SPECIAL.sub(rb"\\\1", self._channel(one[:-1])) + b"*" for one in patterns if one.endswith("/*")
        ]
        return topics, below

    def _channel(self, topic: str) -> bytes:
        return self._topics + octets(topic)


async def _close(pubsub: PubSub, redis: Redis) -> None:
    """Let go of both connections, also of what is broken."""
    for closing in (pubsub.aclose, redis.aclose):
        with suppress(RedisError, OSError):
            await closing()
