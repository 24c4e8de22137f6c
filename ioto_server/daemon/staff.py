"""The workers of a supervisor: forked, watched, and replaced when they die (SPEC 9)."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf, isfinite
from time import monotonic
from typing import Final

import structlog

from ioto_server.config import Config
from ioto_server.server import Listener, TlsContext

from . import logs
from .asking import PATIENCE
from .deputies import Deputies
from .engine import TO_IMPORT, StartError
from .fork import fork
from .hand import Hand
from .line import Refused
from .sockets import Sockets
from .worker import Post, work

_log = structlog.get_logger("ioto_server.workers")

# Before a dead worker is replaced, in seconds: doubled each time its successor does not last, up to the most.
_FIRST_DELAY: Final = 0.1
_LONGEST_DELAY: Final = 30.0
# A worker has lasted when it has lived for this long, and for twice the delay before it.
_LASTING: Final = 1.0

# How often workers are asked how they are; after how long without an answer others accept for one of them.
PULSE: Final = 1.0
_SILENCE: Final = 3.0

# What a worker may take to answer before it is ended at once: without, its last words are wanted, in seconds.
_TO_ANSWER: Final = 0.5

# What a start of a worker takes before the log says what it waits for, in seconds.
_LONG: Final = 5.0


@dataclass(slots=True)
class Orders:
    """What new workers are to serve by; a reload changes it."""

    config: Config
    tls: TlsContext | None


class Staff:
    """As many workers as `workers` says, each at its place, from 1 on."""

    def __init__(self, sockets: Sockets, orders: Orders, count: int, buried: Callable[[Hand], None]) -> None:
        """Have `count` workers accept at their shares of `sockets`; tell `buried` of each that has ended."""
        self._sockets = sockets
        self._orders = orders
        self._buried = buried
        self._hands: dict[int, Hand] = {}
        self._serials = 0
        self._keepers: list[asyncio.Task[None]] = []
        self._watching: asyncio.Task[None] | None = None
        # Workers are started one at a time, and never amid a reload; reloads that want the turn.
        self._turn = asyncio.Lock()
        self._claims = 0
        self._hurry = asyncio.Event()
        self.places = range(1, count + 1)
        self.deputies = Deputies(self.places, self._share, lambda: orders.config.listen)
        self.restarts = dict.fromkeys(self.places, 0)
        # Seconds without an answer after which a worker is ended; that of systemd's watchdog.
        self.patience = inf

    @property
    def hands(self) -> list[Hand]:
        """The workers that live, by their places."""
        return [hand for _, hand in sorted(self._hands.items()) if hand.lives]

    @property
    def serving(self) -> list[Hand]:
        """The workers that accept clients."""
        return [hand for hand in self.hands if hand.serves]

    @property
    def starting(self) -> list[Hand]:
        """The workers that do not accept clients yet."""
        return [hand for hand in self.hands if not hand.serves]

    # ---- life -----------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start all. Raises StartError, with none left."""
        first, *others = self.places
        try:
            # What is wrong with a plugin is wrong in each: one alone finds out, and says it once.
            await self._recruit(first, warn=True)
            outcomes = await asyncio.gather(*map(self._recruit, others), return_exceptions=True)
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
        except BaseException:
            await self.end()
            raise

    async def accept(self) -> None:
        """Have all accept clients, and replace from now on those that die. Raises StartError."""
        try:
            for hand in self.hands:
                await hand.accept()
        except StartError:
            await self.end()
            raise
        loop = asyncio.get_running_loop()
        self._watching = loop.create_task(self._watch())
        self._keepers = [loop.create_task(self._keep(place)) for place in self.places]
        self._keepers.append(loop.create_task(self._keep_covered()))

    async def retire(self) -> None:
        """Replace nobody any more, and have nobody accept for others."""
        for keeper in self._keepers:
            keeper.cancel()
        if self._keepers:
            await asyncio.wait(self._keepers)
        self._keepers = []

    async def end(self) -> None:
        """End all at once."""
        await self.retire()
        for hand in self.hands:
            hand.kill(signal.SIGKILL)
        await asyncio.gather(*(hand.gone() for hand in self._hands.values()))
        self._stop_watching()

    async def break_off(self) -> None:
        """End all at once; those that are held by something say by what."""
        asked = {hand: hand.pulse() for hand in self.hands}
        pulses = [pulse for pulse in asked.values() if pulse is not None]
        if pulses:
            await asyncio.wait(pulses, timeout=_TO_ANSWER)
        left = self.hands
        held = [hand for hand in left if (pulse := asked.get(hand)) is None or not pulse.done()]
        for hand in held:
            _log.error("worker ended", worker=hand.place, pid=hand.pid, why="it does not answer")
        for hand in set(left).difference(held):
            hand.kill(signal.SIGKILL)
        await asyncio.gather(*(hand.end() for hand in held), *(hand.gone() for hand in left))

    def _stop_watching(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None

    async def dismiss(self, code: int, reason: str, drain: float, patience: float) -> None:
        """Have all stop, which ends them; end those that have not after `patience` seconds.

        One that does not even answer is ended when the time to `drain` is over.
        """
        await self.retire()
        loop = asyncio.get_running_loop()
        begun = monotonic()
        told = [loop.create_task(_stop(hand, code, reason)) for hand in self.hands]
        left = self.hands
        ends = {hand: loop.create_task(hand.gone()) for hand in left}
        named: set[Hand] = set()
        limit = drain + PATIENCE
        when = f"{limit:g} seconds after the order to stop" if isfinite(limit) else "by a second signal"
        while left:
            await asyncio.wait([ends[hand] for hand in left], timeout=PULSE)
            took = monotonic() - begun
            left = [hand for hand in left if hand.lives]
            silent = {hand for hand in left if hand.silent_for > PATIENCE}
            for hand in silent - named:
                _log.warning(
                    "worker does not stop",
                    worker=hand.place,
                    pid=hand.pid,
                    silent_seconds=round(hand.silent_for, 1),
                    next=f"it is ended {when}",
                )
            named |= silent
            late = set(left) if took > patience else silent if took > limit else set()
            for hand in late:
                _log.error("worker ended", worker=hand.place, pid=hand.pid, why="it did not stop")
            await asyncio.gather(*(hand.end() for hand in late))
        await asyncio.gather(*told)
        self._stop_watching()

    async def _recruit(self, place: int, *, warn: bool = False) -> Hand:
        """Fork a worker and have it load everything. Raises StartError."""
        self._serials += 1
        serial = self._serials
        orders = self._orders
        post = Post(place, serial, orders.config, orders.tls, self._share(place))
        keep = [logs.descriptor(), *(one.socket.fileno() for one in post.listeners)]
        try:
            pid, connection = await fork(f"ioto-worker {place}", partial(work, post), keep)
        except OSError as error:
            raise StartError(f"a worker cannot be started: {error}") from None
        hand = self._hands[place] = Hand(place, serial, pid, connection)
        if self._claims:
            # A reload has come while it was forked, and has not seen it.
            hand.kill(signal.SIGKILL)
        await hand.start(warn=warn, patience=orders.config.timeouts.start + TO_IMPORT)
        return hand

    def _share(self, place: int) -> list[Listener]:
        return [
            held
            for endpoint in self._orders.config.listen
            for held in self._sockets.share(endpoint, place - 1)
        ]

    # ---- death ----------------------------------------------------------------------------------------

    async def _keep(self, place: int) -> None:
        """Replace the worker at a place, again and again."""
        delay = 0.0
        while True:
            hand = self._hands[place]
            how = await hand.gone()
            lived = monotonic() - hand.born
            self._buried(hand)
            _log.error("worker died", worker=place, pid=hand.pid, how=how, seconds=round(lived, 1))
            await self.deputies.cover(self.serving)
            lasted = lived >= max(_LASTING, 2 * delay)
            delay = await self._replace(place, _FIRST_DELAY if lasted else _longer(delay))

    async def _replace(self, place: int, delay: float) -> float:
        """Start a worker after `delay` seconds, and again until one starts; returns the last delay."""
        while True:
            await self._wait(delay)
            async with self._turn:
                if not self._claims and await self._try_to_replace(place):
                    break
                put_off = self._claims
            delay = _FIRST_DELAY if put_off else _longer(delay)
        await self.deputies.cover(self.serving)
        return delay

    async def _try_to_replace(self, place: int) -> bool:
        self.restarts[place] += 1
        slow = asyncio.get_running_loop().call_later(_LONG, self._name_slow, place)
        try:
            successor = await self._recruit(place)
            await successor.accept()
        except StartError as error:
            if self._claims:
                _log.info("worker put off", worker=place, why="a reload comes first")
            else:
                _log.error("worker not started", worker=place, why=f"{error.trace}{error}")
            return False
        finally:
            slow.cancel()
        _log.info("worker started", worker=place, pid=successor.pid)
        return True

    def _name_slow(self, place: int) -> None:
        hand = self._hands[place]
        _log.warning("worker still starts", worker=place, pid=hand.pid, waits_for=hand.waits_for)

    async def _wait(self, delay: float) -> None:
        """Wait before a restart, or until something was changed that may have been the reason."""
        self._hurry.clear()
        try:
            async with asyncio.timeout(delay):
                await self._hurry.wait()
        except TimeoutError:
            return

    def hurry(self) -> None:
        """Try again now to replace those that are down: a reload was done."""
        self._hurry.set()

    # ---- reload ---------------------------------------------------------------------------------------

    async def claim(self) -> None:
        """Start no workers until `release`: what they are to serve by changes.

        One that is only starting is given up, and started when that is over: it may be waiting for the very
        thing that the reload is to mend.
        """
        self._claims += 1
        try:
            for hand in self.starting:
                hand.kill(signal.SIGKILL)
            await self._turn.acquire()
        finally:
            self._claims -= 1

    def release(self) -> None:
        """Start workers again."""
        self._turn.release()

    # ---- health ---------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Feel the workers' pulses, and end one that does not answer in time."""
        while True:
            for hand in self.serving:
                hand.pulse()
            await asyncio.sleep(PULSE)
            for hand in self.serving:
                hand.judge(stuck=hand.silent_for > _SILENCE)
            await asyncio.gather(*(hand.end() for hand in self.serving if hand.silent_for > self.patience))

    async def _keep_covered(self) -> None:
        while True:
            await asyncio.sleep(PULSE)
            await self.deputies.cover(self.serving)


def _longer(delay: float) -> float:
    return min(max(2 * delay, _FIRST_DELAY), _LONGEST_DELAY)


async def _stop(hand: Hand, code: int, reason: str) -> None:
    try:
        await hand.ask("stop", code=code, reason=reason)
    except ConnectionError:
        # Its answer is its end.
        return
    except Refused as error:
        _log.error("worker refused", worker=hand.place, command="stop", why=str(error))
