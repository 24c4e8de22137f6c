"""The workers of a supervisor: forked, watched, and replaced when they die (SPEC 9)."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from math import inf
from time import monotonic
from typing import Final

import structlog

from ioto_server.config import Config
from ioto_server.server import Listener, TlsContext

from . import logs
from .engine import StartError
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
_PATIENCE: Final = 3.0
# From the signal that makes a stuck worker say where it is stuck to the one that ends it, in seconds.
_LAST_WORDS: Final = 2.0


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
        self._deputies: dict[int, Hand] = {}
        self._covering = asyncio.Lock()
        self._keepers: list[asyncio.Task[None]] = []
        # Workers are started one at a time, and never amid a reload.
        self.turn = asyncio.Lock()
        self._hurry = asyncio.Event()
        self.places = range(1, count + 1)
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
        self._keepers = [loop.create_task(self._keep(place)) for place in self.places]
        self._keepers.append(loop.create_task(self._watch()))

    async def retire(self) -> None:
        """Replace nobody any more."""
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
        await hand.start(warn=warn)
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
            await self._cover()
            lasted = lived >= max(_LASTING, 2 * delay)
            delay = _FIRST_DELAY if lasted else min(max(2 * delay, _FIRST_DELAY), _LONGEST_DELAY)
            await self._wait(delay)
            async with self.turn:
                self.restarts[place] += 1
                try:
                    successor = await self._recruit(place)
                    await successor.accept()
                except StartError as error:
                    _log.error("worker not started", worker=place, why=f"{error.trace}{error}")
                    continue
            _log.info("worker started", worker=place, pid=successor.pid)
            await self._cover()

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

    async def _watch(self) -> None:
        """Feel the workers' pulses; have others accept for one that does not answer, and end it in time."""
        while True:
            for hand in self.serving:
                hand.pulse()
            await asyncio.sleep(PULSE)
            for hand in self.serving:
                stuck = hand.silent_for > _PATIENCE
                if stuck != hand.stuck:
                    hand.stuck = stuck
                    report = _log.warning if stuck else _log.info
                    event = "worker does not answer" if stuck else "worker answers again"
                    report(event, worker=hand.place, pid=hand.pid)
                if hand.silent_for > self.patience + _LAST_WORDS:
                    hand.kill(signal.SIGKILL)
                elif hand.silent_for > self.patience:
                    # Its traceback names the action that is at fault (faulthandler).
                    hand.kill(signal.SIGABRT)
            await self._cover()

    # ---- deputies -------------------------------------------------------------------------------------

    async def _cover(self) -> None:
        """Have each place without a worker that answers be served by another, as long as that lasts.

        Who connects to its own sockets would wait for the next worker: the kernel does not choose again.
        """
        async with self._covering:
            able = [hand for hand in self.serving if not hand.stuck]
            manned = {hand.place for hand in able}
            for place, deputy in list(self._deputies.items()):
                if place in manned or deputy not in able:
                    del self._deputies[place]
                    await _try(deputy, "relieve", place=place)
            for place in self.places:
                if place not in manned and place not in self._deputies and able:
                    await self._deputise(min(able, key=lambda hand: hand.connections), place)

    async def _deputise(self, deputy: Hand, place: int) -> None:
        self._deputies[place] = deputy
        endpoints = self._orders.config.listen
        own = self._share(deputy.place)
        listeners = [one for one in self._share(place) if one not in own]
        await _try(
            deputy,
            "deputise",
            place=place,
            sockets=[one.socket for one in listeners],
            endpoints=[endpoints.index(one.endpoint) for one in listeners],
        )

    @asynccontextmanager
    async def recalled(self) -> AsyncIterator[None]:
        """End all deputising for as long as endpoints are changed."""
        async with self._covering:
            for place, deputy in self._deputies.items():
                await _try(deputy, "relieve", place=place)
            self._deputies = {}
            yield

    async def all(self, command: str, hands: Iterable[Hand] | None = None, **arguments: object) -> None:
        """Have every worker that serves carry out a command; what has gone meanwhile need not."""
        chosen = self.serving if hands is None else hands
        await asyncio.gather(*(_try(hand, command, **arguments) for hand in chosen))


async def _try(hand: Hand, command: str, **arguments: object) -> None:
    try:
        await hand.ask(command, **arguments)
    except ConnectionError:
        # It has died, which is seen to elsewhere.
        return
    except Refused as error:
        _log.error("worker refused", worker=hand.place, command=command, why=str(error))
