"""Topics: who hears what."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ioto_server.session import Carrier, Cause, Topics
from ioto_server.session.publication import Publication

from .harness import Connection, Told, in_loop, make_host, turns


class Listener:
    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def deliver(self, publication: Publication) -> bool:
        self.heard += publication.frames(None)
        return True


def listeners(topics: Topics, topic: str) -> list[object]:
    return list(topics.subscribers(topic))


def test_a_topic_is_heard_by_those_who_named_it_in_the_order_they_came() -> None:
    topics = Topics()
    one, two, other = Listener(), Listener(), Listener()
    topics.subscribe(one, "room/a")
    topics.subscribe(two, "room/a")
    topics.subscribe(other, "room/b")
    assert listeners(topics, "room/a") == [one, two]
    assert topics.count("room/a") == 2
    assert topics.count("room") == 0


def test_a_star_hears_everything_below_and_nothing_else() -> None:
    topics = Topics()
    all_rooms = Listener()
    topics.subscribe(all_rooms, "room/*")
    assert listeners(topics, "room/a") == [all_rooms]
    assert listeners(topics, "room/a/b") == [all_rooms]
    assert listeners(topics, "room") == []
    assert listeners(topics, "rooms/a") == []


def test_who_hears_a_topic_in_two_ways_hears_it_once() -> None:
    topics = Topics()
    one = Listener()
    for topic in ("a/b", "a/*", "a/b/*", "a/b"):
        topics.subscribe(one, topic)
    assert listeners(topics, "a/b") == [one]


def test_an_unsubscribed_topic_is_gone() -> None:
    topics = Topics()
    one = Listener()
    topics.subscribe(one, "a")
    topics.subscribe(one, "a/*")
    for topic in ("a", "a/*", "never subscribed"):
        topics.unsubscribe(one, topic)
    assert listeners(topics, "a") == listeners(topics, "a/b") == []


@pytest.mark.parametrize("topic", ["", "*", "a/*/b", "a*", "/*"])
def test_what_is_no_topic_is_refused(topic: str) -> None:
    with pytest.raises(ValueError, match="topic"):
        Topics().subscribe(Listener(), topic)


@pytest.mark.parametrize("topic", ["", "a/*"])
def test_messages_are_on_one_topic_not_on_a_pattern(topic: str) -> None:
    topics = Topics()
    for ask in (topics.subscribers, topics.count):
        with pytest.raises(ValueError, match=rf"^{re.escape(repr(topic))} is not one topic: .* without '\*'"):
            ask(topic)


@in_loop
async def test_a_subscriber_that_is_lost_while_it_is_told_harms_nobody() -> None:
    core = make_host(limits={"maxBacklog": 1000})
    ones = [Connection(core, callback=Told([])) for _ in range(3)]
    for one in ones:
        one.ws.subscribe("news")
    ones[1].link.room = 0
    for number in range(3):
        core.publish("news", f"{number} {'x' * 1000}")
        await turns()
    assert len(ones[0].seen()) == len(ones[2].seen()) == 3
    assert ones[1].outcome[1] == 1008


@in_loop
async def test_an_unsubscribed_websocket_hears_no_more() -> None:
    core = make_host()
    one = Connection(core, callback=Told([]))
    one.ws.subscribe("news")
    core.publish("news", "a")
    one.ws.unsubscribe("news")
    core.publish("news", "b")
    await turns()
    assert one.seen() == [("message", "a")]


@in_loop
async def test_with_several_workers_and_no_broker_topics_raise() -> None:
    core = make_host(workers=2)
    one = Connection(core, callback=Told([]))
    with pytest.raises(RuntimeError, match=r"topics\.broker"):
        one.ws.subscribe("news")
    with pytest.raises(RuntimeError, match=r"topics\.broker"):
        core.publish("news", "a")


# What is retained


@in_loop
async def test_who_comes_later_hears_what_is_retained_at_once_and_first() -> None:
    core = make_host()
    core.publish("news/a", "not retained")
    core.publish("news/a", "old", retain=True)
    core.publish("news/b", b"b", retain=True)
    core.publish("news/a", "a", retain=True)
    one, all_news = Connection(core, callback=Told([])), Connection(core, callback=Told([]))
    one.ws.subscribe("news/a")
    all_news.ws.subscribe("news/*")
    core.publish("news/a", "then")
    await turns()
    assert one.seen() == [("message", "a"), ("message", "then")]
    assert all_news.seen() == [("message", b"b"), ("message", "a"), ("message", "then")]
    assert (core.topics.last("news/a"), core.topics.last("news/b")) == ("a", b"b")


@in_loop
async def test_what_is_retained_is_heard_once_by_whoever_asks_twice() -> None:
    core = make_host()
    core.publish("news/a", "a", retain=True)
    one = Connection(core, callback=Told([]))
    for topic in ("news/*", "news/a", "news/a", "news/*"):
        one.ws.subscribe(topic)
    await turns()
    assert one.seen() == [("message", "a")]


@in_loop
async def test_what_is_forgotten_is_not_heard() -> None:
    core = make_host()
    core.publish("news", "a", retain=True)
    core.forget("news")
    core.forget("never retained")
    one = Connection(core, callback=Told([]))
    one.ws.subscribe("news")
    await turns()
    assert one.seen() == []
    assert (core.topics.last("news"), core.topics.retained.size) == (None, 0)


@in_loop
async def test_what_is_retained_is_bounded() -> None:
    core = make_host(limits={"memory": "1MB"})

    def fill() -> None:
        for number in range(10_000):
            core.publish(f"topic/{number}", "x" * 1000, retain=True)

    with pytest.raises(RuntimeError, match=r"a quarter of limits\.memory"):
        fill()
    kept = len(core.topics.retained)
    assert 50 < kept < 1000
    # What takes no more than before goes on.
    core.publish("topic/0", "y" * 1000, retain=True)
    core.forget("topic/1")
    core.publish("another", "z" * 900, retain=True)
    assert len(core.topics.retained) == kept


@in_loop
async def test_a_slow_subscriber_is_ended_by_what_is_retained_and_listens_to_nothing() -> None:
    core = make_host(limits={"maxBacklog": 1000})
    for number in range(5):
        core.publish(f"news/{number}", "x" * 1000, retain=True)
    slow = Connection(core, callback=Told([]))
    slow.link.room = 0
    slow.ws.send("y" * 1000)
    await turns()
    slow.ws.subscribe("news/*")
    assert slow.outcome[1] == 1008
    assert core.topics.count("news/1") == 0


# What carries topics to other processes


class Recorder:
    """A carrier that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def publish(self, topic: str, message: str | bytes, retain: bool) -> None:
        self.told.append(("publish", topic, message, retain))

    def forget(self, topic: str) -> None:
        self.told.append(("forget", topic))

    def subscribed(self, pattern: str, count: int) -> None:
        self.told.append(("subscribed", pattern, count))

    def count(self, topic: str) -> int:
        return 40


@in_loop
async def test_a_carrier_is_told_of_all_and_what_it_brings_goes_no_further() -> None:
    core = make_host(workers=2)
    carrier: Carrier = (recorder := Recorder())
    core.topics.carry(carrier)
    one = Connection(core, callback=Told([]))
    one.ws.subscribe("a/*")
    one.ws.subscribe("a/*")
    assert core.publish("a/b", "mine") == 1
    core.publish("a/b", b"kept", retain=True)
    core.forget("a/b")
    assert core.topics.count("a/b") == 41
    assert recorder.told == [
        ("subscribed", "a/*", 1),
        ("publish", "a/b", "mine", False),
        ("publish", "a/b", b"kept", True),
        ("forget", "a/b"),
    ]
    recorder.told.clear()
    core.hear("a/c", "theirs", retain=True)
    assert core.topics.last("a/c") == "theirs"
    core.hear_forget("a/c")
    assert core.topics.last("a/c") is None
    await turns()
    assert one.seen()[-1] == ("message", "theirs")
    one.ws.drop(Cause.CONNECTION_LOST)
    assert recorder.told == [("subscribed", "a/*", 0)]


@in_loop
async def test_a_carrier_that_comes_late_is_told_what_there_is() -> None:
    core = make_host()
    for topic in ("x", "a/*"):
        Connection(core, callback=Told([])).ws.subscribe(topic)
    core.publish("x", "1", retain=True)
    recorder = Recorder()
    core.topics.carry(recorder)
    assert recorder.told == [("subscribed", "x", 1), ("subscribed", "a/*", 1), ("publish", "x", "1", True)]


@pytest.mark.parametrize("wrong", [5, None, [1, 2]])
@in_loop
async def test_what_is_neither_text_nor_bytes_is_not_published(wrong: Any) -> None:
    core = make_host()
    one = Connection(core, callback=Told([]))
    one.ws.subscribe("news")
    with pytest.raises(TypeError, match=f"str or bytes-like, not {type(wrong).__name__}: .* as JSON"):
        core.publish("news", wrong)
    core.publish("news", bytearray(b"bytes"))  # type: ignore[arg-type]
    await turns()
    assert one.seen() == [("message", b"bytes")]
