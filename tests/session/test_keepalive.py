"""Deadlines and pings: what is due when, by a clock that the test turns (SPEC 5)."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from math import inf
from typing import Any

import pytest

from ioto_server.session import Closed
from ioto_server.session.keepalive import Due, KeepAlive
from ioto_server.session.pings import MOST_REMEMBERED, Pings

from .harness import Connection, Told, in_loop, make_host, result, turns


def make(**settings: float) -> KeepAlive:
    ours = {"inactivity": inf, "request": inf, "ping": inf, "pong": 20.0, "now": 0.0, "phase": 1.0}
    return KeepAlive(**{**ours, **settings})


def test_without_limits_nothing_is_ever_due() -> None:
    idle = make()
    assert idle.next_at() == inf
    assert idle.due(1e12) is Due.NOTHING


def test_inactivity_counts_from_the_last_byte() -> None:
    one = make(inactivity=300)
    assert one.next_at() == 300
    one.last_io = 100
    assert one.due(399) is Due.NOTHING
    assert one.next_at() == 400
    assert one.due(400) is Due.INACTIVITY


def test_request_counts_from_the_beginning_whatever_is_said() -> None:
    one = make(request=60)
    one.last_io = 59
    assert one.due(59) is Due.NOTHING
    assert one.due(60) is Due.REQUEST


def test_update_deadline_restarts_both_and_may_change_them() -> None:
    one = make(inactivity=10, request=60)
    one.restart(50)
    assert (one.due(59), one.due(60)) == (Due.NOTHING, Due.INACTIVITY)
    one.last_io = 109
    assert (one.due(109), one.due(110)) == (Due.NOTHING, Due.REQUEST)
    one.restart(100, inactivity=1000, request=inf)
    assert one.next_at() == 1100


def test_pings_come_in_their_rhythm_and_a_late_one_is_not_made_up_for() -> None:
    one = make(ping=10, phase=0.5)
    assert one.next_at() == 5
    assert one.due(5) is Due.PING
    one.heard = True
    assert one.due(14.9) is Due.NOTHING
    assert one.due(15) is Due.PING
    one.heard = True
    assert one.due(100) is Due.PING
    assert one.due(100) is Due.NOTHING
    one.heard = True
    assert one.next_at() == 105


def test_silence_after_a_ping_is_a_timeout_any_byte_is_not() -> None:
    one = make(ping=60, pong=20)
    assert one.due(60) is Due.PING
    assert one.next_at() == 80
    assert one.due(79.9) is Due.NOTHING
    one.heard = True
    assert one.due(80) is Due.NOTHING
    assert one.due(120) is Due.PING
    assert one.due(140) is Due.PONG


def test_the_pong_time_runs_from_the_first_unanswered_ping() -> None:
    one = make(ping=1, pong=5)
    for now in range(1, 6):
        assert one.due(now) is Due.PING
    assert one.due(6) is Due.PONG


def test_while_we_do_not_read_only_the_request_time_runs() -> None:
    one = make(inactivity=5, request=100, ping=1, pong=2)
    assert one.due(1) is Due.PING
    one.pause()
    assert one.next_at() == 100
    assert one.due(50) is Due.NOTHING
    one.resume(50)
    assert one.due(50) is Due.PING
    assert one.due(51.9) is Due.PING
    assert one.due(52.1) is Due.PONG


def test_phases_are_spread() -> None:
    """Connections that open together do not ping together."""
    host = make_host(webSockets={"ping": 60})
    firsts = sorted(host.keepalive().next_at() - host.clock.now for _ in range(300))
    assert 30 <= firsts[0] < 35
    assert 55 < firsts[-1] <= 60
    assert max(later - earlier for earlier, later in pairwise(firsts)) < 3


# The same on a connection


@in_loop
async def test_inactivity_closes_with_1001() -> None:
    one = Connection(make_host(timeouts={"inactivity": 10}), callback=Told([]))
    one.turn(9.8)
    one.receive(one.frames("here"))
    one.turn(9.8)
    assert one.ws.state == "open"
    one.turn(0.4)
    await turns()
    assert one.seen() == [("close", 1001, "Inactivity timeout")]


@in_loop
async def test_what_is_sent_restarts_inactivity_too() -> None:
    one = Connection(make_host(timeouts={"inactivity": 10}), callback=Told([]))
    one.turn(9.8)
    one.ws.send("news")
    await turns()
    one.turn(9.8)
    assert one.ws.state == "open"


@in_loop
async def test_the_request_time_closes_with_1001() -> None:
    one = Connection(make_host(timeouts={"request": 10}), callback=Told([]))
    for _ in range(10):
        one.turn(1.1)
        one.receive(one.frames("here"))
    await turns()
    assert one.seen() == [("close", 1001, "Request timeout")]


@in_loop
async def test_silence_after_a_ping_closes_with_1011() -> None:
    one = Connection(make_host(webSockets={"ping": 10}, timeouts={"pong": 3}), callback=Told([]))
    one.turn(14)
    await turns()
    ping, close = one.seen()
    assert ping[0] == "ping"
    assert close == ("close", 1011, "Keep-alive timeout")


@in_loop
async def test_deadlines_of_one_connection_may_be_its_own() -> None:
    host = make_host(timeouts={"inactivity": 10})
    one, other = Connection(host, callback=Told([])), Connection(host, callback=Told([]))
    one.ws.update_deadline(inactivity=1000)
    for _ in range(12):
        one.turn(1)
        other.ws.expire(host.clock.now)
    assert (one.ws.state, other.ws.state) == ("open", "closing")


@in_loop
async def test_the_round_trip_is_measured_by_pings_of_both_kinds() -> None:
    one = Connection(make_host(webSockets={"ping": 10}), callback=Told([]))
    one.turn(11)
    await turns()
    [(_, payload)] = one.seen()
    assert one.ws.latency is None
    one.receive(one.pong(payload))
    assert one.ws.latency is not None
    assert one.ws.latency >= 0
    trip = asyncio.ensure_future(one.ws.ping(b"mine"))
    await turns()
    assert one.seen() == [("ping", b"mine")]
    one.receive(one.pong(b"unasked"))
    await turns()
    assert not trip.done()
    one.receive(one.pong(b"mine"))
    assert await result(trip) == one.ws.latency


@in_loop
async def test_who_waits_for_a_pong_is_told_of_the_end() -> None:
    one = Connection(callback=Told([]))
    trip = asyncio.ensure_future(one.ws.ping())
    await turns()
    one.receive(one.close(1000))
    with pytest.raises(Closed):
        await result(trip)


@in_loop
async def test_a_peer_that_takes_what_is_sent_is_alive_though_it_says_nothing() -> None:
    """It cannot answer a ping that waits behind what it is still reading."""
    one = Connection(
        make_host(webSockets={"ping": 2}, timeouts={"pong": 4, "inactivity": 6}), callback=Told([])
    )
    one.link.room = 0
    one.ws.send(bytes(900_000))
    await turns()
    for _ in range(40):
        one.turn(3)
        one.link.take(5000)
    assert one.ws.state == "open"
    one.turn(8)
    assert one.ws._ended_by is not None
    assert one.ws._ended_by.reason == "Inactivity timeout"


@in_loop
async def test_a_peer_is_not_blamed_for_a_ping_that_could_not_be_sent() -> None:
    """It is sent as soon as there is room, and only then the time for an answer runs."""
    one = Connection(make_host(webSockets={"ping": 2}, timeouts={"pong": 4}), callback=Told([]))
    one.link.room = 0
    one.ws.send(bytes(10_000))
    await turns()
    one.turn(60)
    assert one.ws.state == "open"
    one.link.take()
    one.turn(2)
    await turns()
    assert [event[0] for event in one.seen()][:2] == ["message", "ping"]
    one.turn(4)
    await turns()
    assert one.seen()[-1] == ("close", 1011, "Keep-alive timeout")


@in_loop
async def test_what_only_waits_to_be_sent_does_not_restart_inactivity() -> None:
    one = Connection(make_host(timeouts={"inactivity": 5}), callback=Told([]))
    one.turn(4)
    one.link.room = 1000
    one.ws.send(bytes(5000))
    await turns()
    one.turn(4)
    assert one.ws.state == "open", "of that, some bytes were written"
    one.ws.send("tick")
    await turns()
    one.turn(1.2)
    assert one.ws._ended_by is not None
    assert one.ws._ended_by.reason == "Inactivity timeout"


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), "5"])
@in_loop
async def test_what_is_no_length_of_a_deadline_changes_nothing(wrong: Any) -> None:
    one = Connection(make_host(timeouts={"inactivity": 5}), callback=Told([]))
    with pytest.raises((ValueError, TypeError)):
        one.ws.update_deadline(inactivity=wrong)
    one.turn(4)
    assert one.ws.state == "open"
    one.turn(2)
    assert one.ws.state == "closing"


@in_loop
async def test_pings_are_not_piled_up_for_a_peer_that_does_not_read() -> None:
    one = Connection(make_host(webSockets={"ping": 1}, timeouts={"pong": 3600}), callback=Told([]))
    one.link.room = 0
    one.ws.send(bytes(1000))
    await turns()
    backlog = one.ws.backlog
    one.turn(200)
    assert one.ws.backlog == backlog


# Pings by themselves


def test_a_pong_answers_its_ping_and_all_before() -> None:
    pings = Pings()
    for number in range(4):
        pings.sent(b"%d" % number, float(number), None)
    assert pings.answered(b"2", 10.0) == 8.0
    assert pings.answered(b"1", 11.0) is None
    assert pings.answered(b"3", 11.0) == 8.0
    assert len(pings) == 0


def test_pings_that_are_never_answered_are_forgotten() -> None:
    pings = Pings()
    for number in range(1000):
        pings.sent(b"%d" % number, 0.0, None)
    assert len(pings) == MOST_REMEMBERED
    assert pings.answered(b"999", 1.0) == 1.0
