"""Topics: who hears what."""

from __future__ import annotations

import pytest

from ioto_server.session import Topics
from ioto_server.session.publication import Publication

from .harness import Connection, Told, in_loop, make_host, turns


class Listener:
    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def deliver(self, publication: Publication) -> None:
        self.heard += publication.frames(None)


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
def test_nothing_can_be_published_to_a_pattern(topic: str) -> None:
    with pytest.raises(ValueError, match="topic"):
        Topics().subscribers(topic)


@in_loop
async def test_a_subscriber_that_is_lost_while_it_is_told_harms_nobody() -> None:
    host = make_host(limits={"maxBacklog": 1000})
    ones = [Connection(host, callback=Told([])) for _ in range(3)]
    for one in ones:
        one.ws.subscribe("news")
    ones[1].link.room = 0
    for number in range(3):
        host.publish("news", f"{number} {'x' * 1000}")
        await turns()
    assert len(ones[0].seen()) == len(ones[2].seen()) == 3
    assert ones[1].outcome[1] == 1008


@in_loop
async def test_an_unsubscribed_websocket_hears_no_more() -> None:
    host = make_host()
    one = Connection(host, callback=Told([]))
    one.ws.subscribe("news")
    host.publish("news", "a")
    one.ws.unsubscribe("news")
    host.publish("news", "b")
    await turns()
    assert one.seen() == [("message", "a")]


@in_loop
async def test_with_several_workers_and_no_broker_topics_raise() -> None:
    host = make_host(workers=2)
    one = Connection(host, callback=Told([]))
    with pytest.raises(RuntimeError, match=r"topics\.broker"):
        one.ws.subscribe("news")
    with pytest.raises(RuntimeError, match=r"topics\.broker"):
        host.publish("news", "a")
