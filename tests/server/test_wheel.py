"""The wheel: what is due comes, once, in time; what is late is never blamed on a peer (SPEC 5)."""

from __future__ import annotations

import asyncio
import random
from math import inf

import pytest
from structlog.testing import capture_logs

from ioto_server.server.wheel import TICK, Wheel
from tests.session.harness import in_loop

from .harness import Client, StillWheel, make_server


class Timer:
    """Notes when its time had come, and asks for what comes next in `then`."""

    def __init__(self, at: float = 0.0, *then: float) -> None:
        self.slot = -1
        self.at = at
        self.calls: list[float] = []
        self._then = list(then)

    def expire(self, now: float) -> float:
        if now < self.at:
            return self.at
        self.calls.append(now)
        self.at = self._then.pop(0) if self._then else inf
        return self.at


def turn(wheel: Wheel, seconds: float) -> None:
    """Turn in time, tick by tick."""
    for _ in range(round(seconds / TICK)):
        wheel.turn(wheel._clock + TICK)


def test_a_deadline_comes_once_not_before_its_time_and_soon_after() -> None:
    wheel = Wheel(5000.0)
    seconds_off = (0.0, 0.05, 0.1, 0.15, 1.0, 59.99, 60.0, 102.4, 300.0, 4000.0)
    timers = {seconds: Timer(5000.0 + seconds) for seconds in seconds_off}
    for timer in timers.values():
        wheel.schedule(timer, timer.at)
    turn(wheel, 4001)
    for seconds, timer in timers.items():
        [called] = timer.calls
        assert 0 <= called - 5000.0 - seconds + 1e-6 <= 2 * TICK
    assert len(wheel) == 0


@pytest.mark.parametrize("seed", range(5))
def test_it_keeps_what_a_sorted_list_would_keep(seed: int) -> None:
    """Random setting, moving and dropping, compared with the plainest way to do it."""
    chance = random.Random(seed)
    wheel = Wheel(0.0)
    timers = [Timer() for _ in range(50)]
    wanted: dict[int, float] = {}
    for _ in range(1500):
        number = chance.randrange(50)
        if chance.random() < 0.3:
            wheel.cancel(timers[number])
            wanted.pop(number, None)
        else:
            at = wheel.now + chance.choice((0, 0.3, 5, 101, 103, 500)) * chance.random()
            timers[number].at = at
            wheel.schedule(timers[number], at)
            wanted[number] = at
        if chance.random() < 0.5:
            turn(wheel, chance.choice((0.1, 0.5, 30)))
        for number, at in list(wanted.items()):
            calls, timers[number].calls = timers[number].calls, []
            if calls:
                assert calls[0] >= at - 1e-6
                del wanted[number]
            else:
                assert wheel.now <= at + 3 * TICK
        assert len(wheel) == len(wanted)


def test_what_expire_returns_is_the_next_time() -> None:
    wheel = Wheel(0.0)
    timer = Timer(1.0, 2.0, 5.0)
    wheel.schedule(timer, 1.0)
    turn(wheel, 10)
    assert timer.calls == pytest.approx([1.0, 2.0, 5.0], abs=2 * TICK)


def test_one_may_drop_or_move_another_that_is_due_at_the_same_time() -> None:
    wheel = Wheel(0.0)

    class Dropper(Timer):
        def expire(self, now: float) -> float:
            for other in others:
                wheel.cancel(other)
            return super().expire(now)

    others = [Timer() for _ in range(10)]
    for timer in (*others[:5], Dropper(), *others[5:]):
        wheel.schedule(timer, 1.0)
    turn(wheel, 5)
    assert len(wheel) == 0
    # Sets have no order: some may have been called before the dropper, none after it.
    assert sum(len(other.calls) for other in others) <= 10


def test_a_failing_timer_stops_no_other() -> None:
    wheel = Wheel(0.0)

    class Broken(Timer):
        def expire(self, now: float) -> float:
            raise RuntimeError("test")

    good = [Timer() for _ in range(3)]
    for timer in (*good, Broken()):
        wheel.schedule(timer, 1.0)
    with capture_logs() as lines:
        turn(wheel, 2)
    assert [len(timer.calls) for timer in good] == [1, 1, 1]
    assert [line["event"] for line in lines] == ["timer failed"]


def test_while_the_loop_is_blocked_time_stands_still() -> None:
    wheel = Wheel(0.0)
    timer = Timer()
    wheel.schedule(timer, 2.0)
    turn(wheel, 1.0)
    wheel.turn(31.0)
    assert wheel.stalled == pytest.approx(30)
    assert wheel.now == pytest.approx(1.0 + 2 * TICK)
    turn(wheel, 0.7)
    assert timer.calls == []
    turn(wheel, 0.3)
    assert len(timer.calls) == 1


def test_what_falls_due_during_a_stall_waits_until_all_has_been_read() -> None:
    """The answer that would have stopped it may have arrived while nobody could read."""
    wheel = Wheel(0.0)
    timer = Timer()
    wheel.schedule(timer, 1.05)
    turn(wheel, 1.0)
    wheel.turn(31.0)
    assert timer.calls == [], "this turn comes before anything was read"
    wheel.cancel(timer)
    turn(wheel, 1.0)
    assert timer.calls == []


def test_after_a_pause_without_timers_time_goes_on_where_it_was() -> None:
    wheel = Wheel(0.0)
    turn(wheel, 1)
    wheel.resume(1000.0)
    timer = Timer()
    wheel.schedule(timer, wheel.now + 1)
    turn(wheel, 0.9)
    assert timer.calls == []
    turn(wheel, 0.3)
    assert len(timer.calls) == 1
    assert wheel.stalled == 0


def test_of_many_that_are_due_at_once_some_wait_for_the_loop() -> None:
    wheel = Wheel(0.0)
    wheel.most = 2
    called: list[int] = []

    class One:
        def __init__(self, number: int) -> None:
            self.slot = -1
            self.number = number

        def expire(self, now: float) -> float:
            called.append(self.number)
            return inf

    ones = [One(number) for number in range(6)]
    for one in ones:
        wheel.schedule(one, TICK)
    while not called:
        turn(wheel, TICK)
    assert len(called) == 2
    assert wheel.late
    dropped, moved, *_ = [one for one in ones if one.number not in called]
    wheel.cancel(dropped)
    wheel.schedule(moved, wheel.now + 5 * TICK)
    while wheel.late:
        wheel.go_on()
    assert len(called) == 4
    turn(wheel, 10 * TICK)
    assert sorted(called) == sorted({one.number for one in ones} - {dropped.number})
    assert called[-1] == moved.number
    assert len(wheel) == 0


def test_what_is_late_is_called_before_what_is_due_after_it() -> None:
    wheel = Wheel(0.0)
    wheel.most = 1
    called: list[str] = []

    class One:
        def __init__(self, name: str) -> None:
            self.slot = -1
            self.name = name

        def expire(self, now: float) -> float:
            called.append(self.name)
            return inf

    for name, at in (("first", TICK), ("first", TICK), ("second", 2 * TICK)):
        wheel.schedule(One(name), at)
    while wheel.late or len(wheel):
        turn(wheel, TICK)
    assert called == ["first", "first", "second"]


@in_loop
async def test_whatever_goes_wrong_in_a_tick_the_next_one_comes() -> None:
    """Nobody else would turn the wheel: no deadline of any connection would ever come."""

    class BrokenWheel(StillWheel):
        def turn(self, clock: float) -> None:
            turned.append(clock)
            if len(turned) == 3:
                enough.set()
            raise RuntimeError("test")

    turned: list[float] = []
    enough = asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    client = Client(make_server(wheel=BrokenWheel(0.0)))
    await asyncio.wait_for(enough.wait(), 30)
    client.reset()
