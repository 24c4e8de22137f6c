"""Topics between processes through a real Redis: here each "process" is a core of its own in one loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from ioto_server.broker import BrokerCarrier
from ioto_server.broker.envelope import Envelope
from ioto_server.config import Config
from ioto_server.config.broker import parse_broker
from ioto_server.session import Core
from ioto_server.session.publication import Publication
from tests.session.harness import Clock
from tests.support.broker import Redis
from tests.support.daemon import DEADLINE

RUBBISH = (b"", b"rubbish", b"9:", b"\x01" * 40, b"\x02" * 40, b"{}", b"[1]", b"1:x")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


class Listener:
    """A subscriber that notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[str | bytes] = []

    def deliver(self, publication: Publication) -> bool:
        self.heard.append(publication.message)
        return True


class Member:
    """One process of several."""

    def __init__(self, redis: Redis, query: str = "", **limits: Any) -> None:
        self.core = Core(Config(workers=2, limits=limits), Clock())
        self.carrier = BrokerCarrier(parse_broker(redis.url + query), self.core)
        self.core.topics.carry(self.carrier)

    def listen(self, topic: str, listener: Listener | None = None) -> Listener:
        listener = listener or Listener()
        for publication in self.core.topics.subscribe(listener, topic):
            listener.deliver(publication)
        return listener

    @property
    def up(self) -> bool:
        return bool(self.carrier.report()["state"] == "up")


async def until(condition: Callable[[], object], what: str) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.005)


@asynccontextmanager
async def members(redis: Redis, count: int = 2, **limits: Any) -> AsyncIterator[list[Member]]:
    """So many processes, each of which the broker knows."""
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(count):
            member = Member(redis, **limits)
            await member.carrier.start(DEADLINE)
            stack.push_async_callback(member.carrier.close, 0.1)
            made.append(member)
        yield made


async def heard_by(redis: Redis, listeners: int) -> None:
    """Wait until the broker knows of so many subscriptions beside those that every process has."""
    client = redis.client()

    def known() -> bool:
        return len(client.pubsub_channels("*:topic:*")) + client.pubsub_numpat() >= listeners  # type: ignore[arg-type,operator]

    await until(known, "subscriptions")
    client.close()


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def watched() -> None:
        await test()

    asyncio.run(watched())


def test_everybody_hears_each_message_once_and_in_order(redis: Redis) -> None:
    async def test() -> None:
        async with members(redis, 3) as (one, two, three):
            here, there = one.listen("room/a"), two.listen("room/a")
            # By three subscriptions of one process, two of them the same listener's.
            twice = three.listen("room/*", three.listen("room/a"))
            elsewhere = three.listen("room")
            await heard_by(redis, 3)
            said = [f"text {number}" for number in range(1000)]
            for text in said:
                assert one.core.publish("room/a", text) == 1
            one.core.publish("room/a", b"\x00\xff bytes")
            one.core.publish("room", "the end")
            await until(lambda: elsewhere.heard, "the last message")
            for listener in (here, there, twice):
                assert listener.heard == [*said, b"\x00\xff bytes"]

    run(test)


def test_names_that_mean_something_to_the_broker(redis: Redis) -> None:
    async def test() -> None:
        async with members(redis) as (one, two):
            topics = ["a[b]/x", "a?/x", "a\\/x", "a^/x", "é/\ud800/x", "{}/ \r\n/x"]
            listeners = [two.listen(topic.removesuffix("x") + "*") for topic in topics]
            wrong = two.listen("aq/*")
            await heard_by(redis, len(topics) + 1)
            for topic in topics:
                one.core.publish(topic, "x")
            one.core.publish("aq/x", "end")
            await until(lambda: wrong.heard, "the last message")
            assert [listener.heard for listener in listeners] == [["x"]] * len(topics)

    run(test)


def test_who_unsubscribes_hears_no_more(redis: Redis) -> None:
    async def test() -> None:
        async with members(redis) as (one, two):
            listener, other = two.listen("x"), two.listen("y")
            await heard_by(redis, 2)
            two.core.topics.unsubscribe(listener, "x")
            with redis.client() as client:
                await until(lambda: not client.pubsub_numsub("{ioto:0}:topic:x")[0][1], "unsubscribed")
            before = two.carrier.received
            one.core.publish("x", "1")
            one.core.publish("y", "2")
            await until(lambda: other.heard, "the other topic")
            assert listener.heard == []
            assert two.carrier.received >= before + 1

    run(test)


def test_what_is_retained_is_known_to_who_comes_later(redis: Redis) -> None:
    async def test() -> None:
        async with members(redis) as (one, two):
            listener = two.listen("lamp")
            one.core.publish("lamp", "on", retain=True)
            one.core.publish("lamp", "dim", retain=True)
            one.core.publish("door", b"open", retain=True)
            await until(lambda: two.core.topics.last("door"), "the door")
            assert listener.heard == ["on", "dim"]
            late = Member(redis)
            await late.carrier.start(DEADLINE)
            assert (late.core.topics.last("lamp"), late.core.topics.last("door")) == ("dim", b"open")
            assert late.listen("lamp").heard == ["dim"]
            two.core.forget("lamp")
            await until(lambda: late.core.topics.last("lamp") is None, "forgotten")
            await until(lambda: one.core.topics.last("lamp") is None, "forgotten")
            await late.carrier.close(1)
            with redis.client() as client:
                assert client.hkeys("{ioto:0}:retained") == [b"door"]

    run(test)


def test_all_agree_on_what_is_retained_whoever_spoke_last(redis: Redis) -> None:
    async def test() -> None:
        async with members(redis, 3) as all_of_them:
            for number in range(200):
                for name, member in enumerate(all_of_them):
                    member.core.publish("state", f"{name} says {number}", retain=True)
                if number % 10 == 0:
                    await asyncio.sleep(0)
            end = [member.listen("end") for member in all_of_them]
            for member in all_of_them:
                member.core.publish("end", "1", retain=True)
            await until(lambda: all(len(one.heard) == 3 for one in end), "the end")
            last = {member.core.topics.last("state") for member in all_of_them}
            late = Member(redis)
            await late.carrier.start(DEADLINE)
            assert last == {late.core.topics.last("state")}
            await late.carrier.close(0)

    run(test)


def test_subscribers_of_others_are_counted_until_they_are_gone(redis: Redis) -> None:
    async def test() -> None:
        async with members(redis) as (one, two):
            first, second = two.listen("room/a"), two.listen("room/a")
            two.listen("room/*")
            one.listen("room/a")
            await until(lambda: one.core.topics.count("room/a") == 4, "counted")
            late = Member(redis)
            await late.carrier.start(DEADLINE)
            await until(lambda: late.core.topics.count("room/a") == 4, "counted by who came later")
            await late.carrier.close(0)
            for listener in (first, second):
                two.core.topics.unsubscribe(listener, "room/a")
            await until(lambda: one.core.topics.count("room/a") == 2, "uncounted")

    run(test)


def test_a_broker_that_is_down_is_no_error_and_gets_what_was_said_meanwhile(redis: Redis) -> None:
    async def test() -> None:
        redis.kill()
        with capture_logs() as lines:
            async with members(redis) as (one, two):
                assert [line["event"] for line in lines] == ["broker down", "broker down"]
                near, far = one.listen("x"), two.listen("x")
                one.core.publish("x", "1")
                one.core.publish("state", "early", retain=True)
                assert (near.heard, far.heard) == (["1"], [])
                assert not one.up
                redis.start()
                await until(lambda: one.up and two.up, "up again")
                await until(lambda: two.core.topics.last("state") == "early", "what was said meanwhile")
                await heard_by(redis, 1)
                # And again, while there are connections.
                far.heard.clear()
                redis.kill()
                await until(lambda: not one.up and not two.up, "down")
                assert one.core.topics.count("x") == 1
                redis.start()
                await until(lambda: one.up and two.up, "up again")
                one.core.publish("x", "3")
                await until(lambda: far.heard, "heard again")
                assert far.heard == ["3"]
                # The store had lost it: who knew put it back.
                with redis.client() as client:
                    await until(lambda: client.hkeys("{ioto:0}:retained") == [b"state"], "put back")

    run(test)


def test_an_outage_changes_what_is_retained_only_as_the_store_says(redis: Redis) -> None:
    async def test() -> None:
        async with members(redis) as (one, two):
            one.core.publish("gone", "1", retain=True)
            one.core.publish("changed", "1", retain=True)
            one.core.publish("same", "1", retain=True)
            await until(lambda: two.core.topics.last("same"), "retained")
            listener = two.listen("changed")
            two.listen("same", listener)
            listener.heard.clear()
            # One of them is cut off, and the other is not.
            with redis.client() as client:
                broken = two.carrier._connection._redis
                two.carrier._connection._broker = parse_broker("unix:///nowhere.sock")
                assert broken is not None
                await broken.connection_pool.disconnect()
                two.core.publish("mine", "2", retain=True)
                await until(lambda: not two.up, "cut off")
                one.core.forget("gone")
                one.core.publish("changed", "2", retain=True)
                await until(lambda: client.hlen("{ioto:0}:retained") == 2, "changed meanwhile")
                two.carrier._connection._broker = parse_broker(redis.url)
                await until(lambda: two.up, "back")
            assert two.core.topics.last("gone") is None
            assert listener.heard == ["2"]
            await until(lambda: one.core.topics.last("mine") == "2", "what the other had said")

    run(test)


def test_a_stalled_broker_costs_bounded_memory_and_the_oldest_messages(redis: Redis) -> None:
    async def test() -> None:
        limits = {"memory": 1 << 20, "maxBacklog": 1 << 16}
        async with members(redis, **limits) as (one, two):
            far = two.listen("x")
            await heard_by(redis, 1)
            redis.stall()
            with capture_logs() as lines:
                one.core.publish("kept", "important", retain=True)
                for number in range(5000):
                    one.core.publish("x", f"{number} {'y' * 100}")
                    if number % 500 == 0:
                        await asyncio.sleep(0)
            report = one.carrier.report()
            # Those that had left for the broker already come on top, once.
            assert report["waiting_bytes"] <= (1 << 20) / 16 + (1 << 20)
            assert report["dropped"] > 3000
            assert [line["event"] for line in lines].count("messages for the broker dropped") == 1
            redis.go_on()
            await until(lambda: far.heard and str(far.heard[-1]).startswith("4999 "), "the newest")
            numbers = [int(str(text).split()[0]) for text in far.heard]
            assert numbers == sorted(set(numbers))
            assert len(numbers) == 5000 - report["dropped"]
            await until(lambda: two.core.topics.last("kept") == "important", "what is retained")

    run(test)


def test_what_makes_no_sense_is_refused_and_counted(redis: Redis) -> None:
    async def test() -> None:
        async with members(redis, maxMessage=1000, maxFrame=1000) as (one, two):
            far = two.listen("x")
            await heard_by(redis, 1)
            topic, kept = "{ioto:0}:topic:x", "{ioto:0}:kept"
            stranger = b"stranger"
            too_big = Envelope.of(stranger, 1, "x", "y" * 1001).pack()
            no_text = Envelope.of(stranger, 2, "x", b"\xff").pack().replace(b"\x01\x02", b"\x01\x01", 1)
            with redis.client() as client, capture_logs() as lines:
                for channel in (topic, kept, "{ioto:0}:counts"):
                    for rubbish in (
                        b"",
                        b"rubbish",
                        b"9:",
                        b"\x01" * 40,
                        b"\x02" * 40,
                        b"{}",
                        b"[1]",
                        b"1:x",
                    ):
                        client.publish(channel, rubbish)
                client.publish(topic, too_big)
                client.publish(topic, no_text)
            one.core.publish("x", "sense")
            await until(lambda: far.heard, "what makes sense")
            assert far.heard == ["sense"]
            assert two.carrier.report()["refused"] >= 20
            assert two.up
            assert [line["event"] for line in lines].count("message from the broker refused") <= 2

    run(test)


def test_other_databases_and_prefixes_are_other_worlds(redis: Redis) -> None:
    async def test() -> None:
        async with AsyncExitStack() as stack:
            worlds = [
                Member(redis, query) for query in ("", "?db=1", "?prefix=shop", "?db=1&prefix=shop", "")
            ]
            for member in worlds:
                await member.carrier.start(DEADLINE)
                stack.push_async_callback(member.carrier.close, 0.1)
            listeners = [member.listen("x") for member in worlds]
            await heard_by(redis, 4)
            worlds[0].core.publish("x", "1", retain=True)
            await until(lambda: listeners[-1].heard, "the same world")
            assert [listener.heard for listener in listeners] == [["1"], [], [], [], ["1"]]

    run(test)


def test_what_waits_leaves_before_the_end(redis: Redis) -> None:
    async def test() -> None:
        async with members(redis) as (one, two):
            far = two.listen("x")
            await heard_by(redis, 1)
            leaving = Member(redis)
            await leaving.carrier.start(DEADLINE)
            for number in range(100):
                leaving.core.publish("x", str(number))
            await leaving.carrier.close(DEADLINE)
            await until(lambda: len(far.heard) == 100, "the last words")
            assert one.up

    run(test)
