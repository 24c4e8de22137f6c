"""The carrier: what is published here goes to the broker, what others publish comes from it."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from datetime import UTC, datetime
from itertools import count
from random import uniform
from typing import TYPE_CHECKING, Any, Final

import structlog

from ioto_server.config.broker import Broker, without_password
from ioto_server.websocket import MessageTooBig

from .connection import Connection, Heard
from .counts import Counts
from .envelope import Envelope, Kind
from .outgoing import Change, Outgoing, Queue
from .store import version_of

if TYPE_CHECKING:
    from ioto_server.session import Core

_log = structlog.get_logger("ioto_server.broker")

# The part of limits.memory that may wait for the broker.
SHARE: Final = 16
# Seconds between two attempts to reach the broker: at first, and at most.
_FIRST_DELAY: Final = 0.25
_LONGEST_DELAY: Final = 15.0
# So often the counts of subscribers are told, and the broker is seen to be alive, in seconds.
_BEAT: Final = 2.0
# Who was silent for so long is gone, the broker too.
_SILENCE: Final = 15.0
# Publishers of whom it is known which messages have come.
_PUBLISHERS: Final = 4096
# Topics whose versions are known though nothing is retained there any more.
_FORGOTTEN: Final = 1000
# So often, at most, the log tells of messages that were dropped, in seconds.
_COMPLAIN_EVERY: Final = 10.0


class BrokerCarrier:
    """A `Carrier` through a Redis server: see `session/carrier.py`.

    Messages leave in the order in which they were published and are kept until the broker has taken them;
    each has a number, so that one that was sent twice, or comes by two subscriptions, is heard once.
    """

    def __init__(self, broker: Broker, core: Core) -> None:
        """Carry between the topics of `core` and the broker, once `start` was called."""
        self._core = core
        self._shown = str(broker)
        self._publisher = os.urandom(8)
        self._numbers = count(1)
        self._queue = Queue()
        self._counts = Counts(self._publisher)
        self._connection = Connection(broker, self._publisher, self._counts, self._queue)
        # The latest message of each publisher, who spoke last at the end.
        self._latest: OrderedDict[bytes, int] = OrderedDict()
        self._versions: dict[str, int] = {}
        self._epoch: bytes | None = None
        self._task: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()
        self._up = False
        self._since = _now()
        self._closing = False
        self._complained = {"dropped": float("-inf"), "refused": float("-inf")}
        self.published = self.received = self.refused = 0

    # ---- the interface of a carrier -------------------------------------------------------------------

    def publish(self, topic: str, message: str | bytes, retain: bool) -> None:
        """Queue a message for the others."""
        self._put(topic, message, "put" if retain else "")

    def forget(self, topic: str) -> None:
        """Queue that nothing is retained on `topic` any more."""
        self._put(topic, None, "forget")

    def subscribed(self, pattern: str, count: int) -> None:
        """Note how many subscribers there are, and hear what they want to hear."""
        if self._counts.set(pattern, count):
            self._connection.follow(pattern)
        self._connection.tell_counts()

    def count(self, topic: str) -> int:
        """How many subscribers the others have."""
        return self._counts.of(topic)

    def _put(self, topic: str, message: str | bytes | None, change: Change) -> None:
        number = next(self._numbers)
        data = Envelope.of(self._publisher, number, topic, message).pack()
        limit = self._core.config.limits.memory / SHARE
        dropped = self._queue.put(Outgoing(topic, number, data, change), limit)
        self.published += 1
        if dropped:
            self._complain(
                "dropped",
                "messages for the broker dropped",
                dropped=self._queue.dropped,
                hint="the broker is down or slow; a sixteenth of limits.memory may wait for it",
            )
        self._connection.wake()

    # ---- life -----------------------------------------------------------------------------------------

    async def start(self, patience: float) -> None:
        """Begin, and give the first attempt to reach the broker at most `patience` seconds.

        A broker that is not there is no error: topics reach this process until it is.
        """
        self._task = asyncio.get_running_loop().create_task(self._run())
        try:
            async with asyncio.timeout(patience):
                await self._tried.wait()
        except TimeoutError:
            _log.warning("broker is slow", broker=self._shown, hint="it is not waited for any longer")

    async def close(self, patience: float) -> None:
        """Give what waits at most `patience` seconds to leave, then end."""
        task, self._task = self._task, None
        if task is None:
            return
        if self._up:
            try:
                async with asyncio.timeout(patience):
                    await self._connection.drained()
            except TimeoutError:
                _log.warning("messages for the broker lost", count=len(self._queue))
        self._closing = True
        task.cancel()
        await asyncio.wait((task,))

    async def _run(self) -> None:
        delay = _FIRST_DELAY
        # A task group that is cancelled while one of its tasks fails ends with the failure alone.
        while not self._closing:
            try:
                await self._connection.serve(self._begin, self._hear, self._beat, _BEAT, _SILENCE)
            except* Exception as group:
                if self._up:
                    delay = _FIRST_DELAY
                if not self._closing:
                    self._lost(_first(group))
            if not self._closing:
                await asyncio.sleep(uniform(delay / 2, delay))
            delay = min(2 * delay, _LONGEST_DELAY)

    def _lost(self, why: BaseException) -> None:
        self._counts.forget_all()
        if self._up or not self._tried.is_set():
            self._up = False
            self._since = _now()
            _log.warning(
                "broker down",
                broker=self._shown,
                why=without_password(f"{type(why).__name__}: {why}" if str(why) else "it does not answer"),
                hint="topics reach the clients of this process until it is back",
            )
        self._tried.set()

    async def _begin(self) -> None:
        """The connection stands, and what is published comes already: catch up with the store."""
        epoch = await self._connection.epoch()
        lost = self._epoch is not None and epoch != self._epoch
        self._queue.begin_anew()
        if epoch != self._epoch:
            self._versions.clear()
        self._epoch = epoch
        await self._catch_up(lost)
        self._pay_debts()
        self._up = True
        self._since = _now()
        self._tried.set()
        _log.info("broker up", broker=self._shown, retained=len(self._core.topics.retained))

    async def _beat(self) -> None:
        """Every few seconds: the store is the one that it was, and who is silent is not counted."""
        if await self._connection.epoch() != self._epoch:
            raise ConnectionError("the broker has lost what it had stored")
        self._counts.forget_silent(asyncio.get_running_loop().time() - _SILENCE)
        self._pay_debts()
        retained = self._core.topics.retained
        if len(self._versions) > 2 * len(retained) + _FORGOTTEN:
            self._versions = {
                topic: version for topic, version in self._versions.items() if retained.find(topic)
            }

    # ---- what is retained -----------------------------------------------------------------------------

    async def _catch_up(self, lost: bool) -> None:
        """Retain what the store does; where it has `lost` all, it gets from us what it has not got again."""
        before = {topic: self._versions.get(topic) for topic, _ in self._core.topics.retained.items()}
        found = set()
        async for topic, told in self._connection.stored():
            found.add(topic)
            version, data = version_of(told)
            if not self._is_news(topic, version):
                continue
            envelope = self._open(data)
            if envelope is not None and self._message(envelope) != self._core.topics.last(topic):
                self._deliver(envelope, retain=True)
        for topic, version_before in before.items():
            if topic in found or self._queue.pending[topic] or topic in self._queue.owed:
                continue
            if self._versions.get(topic) != version_before:
                # Somebody has published there meanwhile.
                continue
            message = self._core.topics.last(topic)
            if lost and message is not None:
                self._put(topic, message, "add")
            else:
                self._core.hear_forget(topic)
                self._versions.pop(topic, None)

    def _is_news(self, topic: str, version: int) -> bool:
        """Whether a change of what is retained comes after all that we know of the topic; noted if so."""
        if version <= self._versions.get(topic, 0):
            return False
        self._versions[topic] = version
        # Ours is on its way, and comes after this one.
        return not self._queue.pending[topic]

    def _pay_debts(self) -> None:
        """Queue the state of topics whose changes were dropped, as long as there is room."""
        limit = self._core.config.limits.memory / SHARE / 2
        while self._queue.owed and self._queue.bytes < limit:
            topic = next(iter(self._queue.owed))
            message = self._core.topics.last(topic)
            self._put(topic, message, "forget" if message is None else "put")

    # ---- what comes -----------------------------------------------------------------------------------

    def _hear(self, kind: Heard, data: bytes) -> None:
        self.received += 1
        if kind is Heard.COUNTS:
            try:
                if self._counts.hear(data, asyncio.get_running_loop().time()):
                    self._connection.ask_for_counts()
            except (ValueError, KeyError, TypeError, AttributeError):
                self._refuse("something else uses our channels: give the URL a ?prefix= of its own")
            return
        version = 0
        if kind is Heard.KEPT:
            try:
                version, data = version_of(data)
            except ValueError as error:
                self._refuse(str(error))
                return
        envelope = self._open(data)
        if envelope is None:
            return
        topic = envelope.topic
        if envelope.publisher == self._publisher:
            # Our own: it was heard here when it was published.
            if version:
                self._queue.arrived(topic)
                self._versions[topic] = version
            return
        if not self._first_time(envelope):
            return
        if not version:
            self._deliver(envelope, retain=False)
        elif envelope.kind is Kind.FORGET:
            if self._is_news(topic, version):
                self._core.hear_forget(topic)
        else:
            stale = version <= self._versions.get(topic, 0)
            retain = self._is_news(topic, version)
            if not stale:
                self._deliver(envelope, retain)

    def _first_time(self, envelope: Envelope) -> bool:
        """Whether it was not heard before: by another subscription, or before the connection was lost."""
        publisher = envelope.publisher
        latest = self._latest.pop(publisher, 0)
        self._latest[publisher] = max(latest, envelope.number)
        if len(self._latest) > _PUBLISHERS:
            self._latest.popitem(last=False)
        return envelope.number > latest

    def _open(self, data: bytes) -> Envelope | None:
        try:
            return Envelope.unpack(data)
        except ValueError as error:
            self._refuse(f"not understood: {error}")
            return None

    def _message(self, envelope: Envelope) -> str | bytes | None:
        try:
            return envelope.message
        except ValueError:
            return None

    def _deliver(self, envelope: Envelope, retain: bool) -> None:
        try:
            self._core.hear(envelope.topic, envelope.message, retain)
        except MessageTooBig:
            self._refuse("larger than limits.maxMessage")
        except ValueError as error:
            self._refuse(f"not understood: {error}")
        except RuntimeError as error:
            # More is retained than this process may: its subscribers hear it all the same.
            self._refuse(str(error))
            self._core.hear(envelope.topic, envelope.message, False)

    # ---- what is told of it ---------------------------------------------------------------------------

    def _refuse(self, why: str) -> None:
        self.refused += 1
        self._complain("refused", "message from the broker refused", refused=self.refused, why=why)

    def _complain(self, what: str, event: str, **facts: Any) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._complained[what] >= _COMPLAIN_EVERY:
            self._complained[what] = now
            _log.warning(event, broker=self._shown, **facts)

    def report(self) -> dict[str, Any]:
        """The state at this moment, ready for JSON."""
        return {
            "url": self._shown,
            "state": "up" if self._up else "down",
            "since": self._since,
            "published": self.published,
            "received": self.received,
            "waiting_bytes": self._queue.bytes,
            "dropped": self._queue.dropped,
            "refused": self.refused,
        }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first of the errors that a group is made of."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
