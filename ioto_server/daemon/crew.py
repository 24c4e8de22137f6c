"""An engine of several processes: a supervisor, which serves nobody itself, and its workers (SPEC 9)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack
from heapq import nsmallest
from importlib import import_module
from math import inf
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog

from ioto_server.config import Config, Endpoint
from ioto_server.plugins import BeingSaved
from ioto_server.server import FileReceiver, TlsContext, make_context
from ioto_server.server.tls_watch import TlsWatch
from ioto_server.websocket import BUILD

from . import logs
from .asking import ask, ask_one, order
from .control import Answer, Command, CommandError
from .engine import TO_IMPORT
from .hand import LAST_WORDS, Hand
from .line import Message, Refused
from .operations import change_level, unknown, wanted
from .process import MARGIN
from .roster import LISTED_ORDERS
from .sockets import Held, Sockets
from .staff import PULSE, Orders, Staff
from .status import Uptime, line
from .worker import pack

if TYPE_CHECKING:
    from .sums import Sums

_log = structlog.get_logger("ioto_server.workers")

T = TypeVar("T")

# What the status waits for figures that are of this moment, in seconds: who is busy counts with its last.
_FOR_FIGURES: Final = 0.025
# A reload is refused when a worker that prepares it has not answered for this long, in seconds.
_LONG_SILENCE: Final = 10.0

_LETS_GO: Final = "it lets go of what was made when it answers again"

# What a reload that no worker was there for says of the plugins.
_UNPROVEN: Final[Message] = {
    "plugins": [],
    "warnings": ["no worker is up: whether its plugins load is seen when the next one starts, see the log"],
}


class Crew:
    """An Engine: workers serve."""

    def __init__(
        self, config: Config, tls: TlsContext | None, sockets: Sockets, watchdog: float | None
    ) -> None:
        """Serve with `config.processes` workers; `watchdog` is systemd's patience with them, in seconds."""
        self._orders = Orders(config, tls)
        self._sockets = sockets
        self._watchdog = watchdog
        self._uptime = Uptime()
        self._staff = Staff(sockets, self._orders, config.processes, self._buried)
        if watchdog is not None:
            self._staff.patience = watchdog / 2
        self._next: tuple[Config, TlsContext | None, list[Hand]] | None = None
        self._sums: Sums | None = None
        if config.metrics is not None:
            from .sums import Sums

            # Loaded before there is a worker, so that all have the same version of it.
            import_module(".metrics", __package__)
            self._sums = Sums()
        if config.topics.broker is not None:
            import_module("ioto_server.broker")
        self._tls_watch: TlsWatch | None = None
        self._left = False
        self._tasks: set[asyncio.Task[object]] = set()

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._orders.config

    @property
    def connections(self) -> int:
        """How many connections are open, as the workers have last told."""
        return sum(hand.connections for hand in self._staff.serving)

    # ---- life -----------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the workers. Raises StartError."""
        await self._staff.start()

    @property
    def longest_start(self) -> float:
        """Seconds that a start may take: the first worker starts alone, then all others."""
        return 2 * (self.config.timeouts.start + TO_IMPORT)

    @property
    def longest_stop(self) -> float:
        """Seconds that a stop may take."""
        timeouts = self.config.timeouts
        return timeouts.drain + 2 * timeouts.close + MARGIN + LAST_WORDS

    @property
    def waits_for(self) -> str:
        """What a start waits for at this moment."""
        return ", ".join(
            f"worker {hand.place}: {hand.waits_for or 'its plugins to be imported'}"
            for hand in self._staff.starting
        )

    async def accept(self) -> None:
        """Have the workers accept clients. Raises StartError."""
        await self._staff.accept()
        self._watch_tls()

    def _watch_tls(self) -> None:
        """Keep the context up to date that workers are forked with: each of them watches its own."""
        tls = self._orders.tls
        if tls is not None and self._tls_watch is None:
            self._tls_watch = TlsWatch(tls, asyncio.get_running_loop().call_later)

    async def leave(self) -> None:
        """Accept nobody any more."""
        if self._left:
            return
        self._left = True
        await self._staff.retire()
        hands = self._staff.serving
        self._close(self.config.listen)
        await order(hands, "leave", after="it is ended when the time to drain is over")

    def _close(self, endpoints: Iterable[Endpoint]) -> None:
        gone = list(endpoints)
        for endpoint in gone:
            for held in self._sockets.at(endpoint):
                held.socket.close()
                held.remove()
        self._sockets.forget(gone)

    async def stop(self, code: int, reason: str) -> None:
        """Have every worker stop; end those that do not."""
        if self._tls_watch is not None:
            self._tls_watch.stop()
        if not self._left:
            self._left = True
            self._close(self.config.listen)
        drain = self.config.timeouts.drain
        await self._staff.dismiss(code, reason, drain, self.longest_stop - LAST_WORDS)

    async def break_off(self) -> None:
        """End every worker at once."""
        await self._staff.break_off()

    # ---- what it says of itself -----------------------------------------------------------------------

    def line(self) -> str:
        """The state in a few words."""
        serving = self._staff.serving
        return line(self.connections, sum(hand.websockets for hand in serving))

    def healthy(self) -> bool:
        """Whether all workers that serve answer; those that are down are being replaced.

        What keeps them from starting, such as a broken plugin, would keep a restarted service from it too.
        """
        patience = inf if self._watchdog is None else self._watchdog
        return all(hand.silent_for < patience for hand in self._staff.serving)

    async def report(self) -> dict[str, Any]:
        """The state, ready for JSON; what workers have is added up.

        Of this moment, but for workers that are too busy to say so at once: these count with what they have
        last told, which is as a rule at most a second old, and given with its age.
        """
        serving = self._staff.serving
        able = [hand for hand in serving if not hand.stuck]
        asked = [pulse for hand in able if (pulse := hand.pulse()) is not None]
        if asked:
            await asyncio.wait(asked, timeout=_FOR_FIGURES)
        told = [hand.figures for hand in serving]
        open_at = () if self._left else self.config.listen
        listeners = [held for endpoint in open_at for held in self._sockets.at(endpoint)]

        def total(name: str) -> int:
            return sum(figures[name] for figures in told)

        by_place = {hand.place: hand for hand in self._staff.hands}
        return {
            "pid": os.getpid(),
            "started": self._uptime.started,
            "uptime_seconds": self._uptime.seconds,
            "listening": list(dict.fromkeys(listener.url for listener in listeners)),
            "connections": total("connections"),
            "websockets": total("websockets"),
            "actions": max((figures["actions"] for figures in told), default=0),
            "held_bytes": total("held_bytes"),
            "log_level": logs.level(),
            "codec": BUILD,
            **_brokers([figures["broker"] for figures in told if "broker" in figures]),
            "workers": [self._describe(place, by_place.get(place)) for place in self._staff.places],
        }

    def _describe(self, place: int, hand: Hand | None) -> dict[str, Any]:
        found: dict[str, Any] = {"worker": place, "restarts": self._staff.restarts[place]}
        if hand is None:
            return {**found, "state": "down"}
        found["pid"] = hand.pid
        if not hand.serves:
            return {**found, "state": "starting", "waits_for": hand.waits_for}
        told = hand.figures
        names = ("uptime_seconds", "connections", "websockets", "held_bytes")
        found |= {"state": "stuck" if hand.stuck else "serving", **{name: told[name] for name in names}}
        found["figures_age_seconds"] = round(hand.silent_for, 2)
        if hand.stuck:
            found["silent_since"] = hand.silent_since
        return {**found, "broker": told["broker"]["state"]} if "broker" in told else found

    def reopen_log(self) -> None:
        """Go on in a new log file where the old one was renamed."""
        logs.reopen()
        self._later(
            order(self._staff.serving, "reopen", after="until it answers it writes into the old file")
        )

    def _later(self, ordered: Coroutine[Any, Any, object]) -> None:
        task = asyncio.get_running_loop().create_task(ordered)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- what operators ask ---------------------------------------------------------------------------

    @property
    def commands(self) -> Mapping[str, Command]:
        """Each asks the workers that it concerns."""
        return {"connections": self._connections, "close": self._close_one, "log": self._level}

    async def _connections(self, request: Mapping[str, Any]) -> Answer:
        by, limit = wanted(request)
        serving = self._staff.serving
        answers = await ask(serving, "connections", sort=by, limit=limit)
        listed = [one for answer in answers.values() for one in answer["connections"]]
        return {
            "total": sum(answer["total"] for answer in answers.values()),
            "connections": nsmallest(limit, listed, key=LISTED_ORDERS[by]),
            "silent_workers": [hand.place for hand in serving if hand not in answers],
        }

    async def _close_one(self, request: Mapping[str, Any]) -> Answer:
        shown = str(request.get("id"))
        serial, _, _ = shown.partition("-")
        hand = next((one for one in self._staff.serving if str(one.serial) == serial), None)
        if hand is None:
            raise unknown(shown)
        arguments = {name: value for name, value in request.items() if name != "command"}
        answer = await ask_one(hand, "close", **arguments)
        if answer is None:
            raise CommandError(
                f"Worker {hand.place}, which has {shown}, does not answer: it closes it when it answers again"
            )
        if isinstance(answer, Refused):
            raise CommandError(str(answer))
        if isinstance(answer, Exception):
            raise unknown(shown)
        return answer

    async def _level(self, request: Mapping[str, Any]) -> Answer:
        answer = change_level(request)
        late = await order(
            self._staff.serving, "level", after="it does so when it answers again", level=answer["now"]
        )
        return {**answer, "silent_workers": late}

    # ---- metrics --------------------------------------------------------------------------------------

    def measure(self) -> None:
        """Begin to count for the metrics: the workers have begun when they started."""
        assert self._sums is not None
        logs.watch(self._sums.watch)

    async def metrics(self) -> bytes:
        """The metrics of all in Prometheus' text format."""
        assert self._sums is not None
        for hand, answer in (await ask(self._staff.serving, "metrics")).items():
            hand.families = answer["families"]
        serving = self._staff.serving
        # One that is stuck counts with what it had last told.
        return self._sums.text([hand.families for hand in serving], len(serving))

    def _buried(self, hand: Hand) -> None:
        if self._sums is not None:
            self._sums.bury(hand.families)

    # ---- reload ---------------------------------------------------------------------------------------

    async def aside(self, function: Callable[[], T]) -> T:
        """Call it here: nobody is served by this process, and one with threads cannot be forked safely."""
        return function()

    async def prepare(self, config: Config, while_saving: bool = False) -> dict[str, Any]:
        """Make everything new here and in every worker, or nothing anywhere.

        Where no worker is up, those that start next make it: what they are to serve by may be the reason.
        """
        await self._staff.claim()
        try:
            async with AsyncExitStack() as undo:
                tls = make_context(config.tls) if config.tls is not None else None
                FileReceiver(config).prepare()
                fresh = [endpoint for endpoint in config.listen if endpoint not in self.config.listen]
                for endpoint in fresh:
                    self._sockets.open(endpoint)
                    undo.callback(self._close, [endpoint])
                hands = self._staff.serving
                undo.push_async_callback(order, hands, "abort", after=_LETS_GO)
                answer = await self._prepare_all(hands, config, fresh, while_saving) if hands else _UNPROVEN
                undo.pop_all()
        except BaseException:
            self._staff.release()
            raise
        self._next = config, tls, hands
        return answer

    async def _prepare_all(
        self, hands: list[Hand], config: Config, fresh: list[Endpoint], while_saving: bool
    ) -> Message:
        """Have the workers make everything new; returns what one of them says.

        Raises Refused at the first that cannot.
        """
        silent = [str(hand.place) for hand in hands if hand.stuck]
        if silent:
            raise Refused(f"worker {', '.join(silent)} does not answer")
        data = pack(config)

        async def prepare(hand: Hand) -> Message | None:
            shares = [(one, place) for place, one in self._shares(hand, config, fresh)]
            try:
                return await _prepared(
                    hand,
                    config.timeouts.start + TO_IMPORT,
                    while_saving=while_saving,
                    data=data,
                    sockets=[one.socket for one, _ in shares],
                    endpoints=[place for _, place in shares],
                )
            except Refused as error:
                if error.saving:
                    raise BeingSaved(Path(error.saving)) from None
                raise
            except ConnectionError:
                # It has died; who takes its place begins with what is in force then.
                return None

        first, *others = hands
        # What is wrong with a plugin is wrong in each: one finds out, and the others are left alone.
        found = [await prepare(first)]
        if found[0] is None and any(hand.lives for hand in others):
            raise Refused(f"worker {first.place} has died of it, or meanwhile: the others were not asked")
        for outcome in await asyncio.gather(*map(prepare, others), return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
            found.append(outcome)
        answers = [answer for answer in found if answer is not None]
        return answers[0] if answers else _UNPROVEN

    def _shares(self, hand: Hand, config: Config, fresh: list[Endpoint]) -> list[tuple[int, Held]]:
        return [
            (config.listen.index(endpoint), held)
            for endpoint in fresh
            for held in self._sockets.share(endpoint, hand.place - 1)
        ]

    async def commit(self) -> None:
        """Have all serve by what was prepared."""
        assert self._next is not None, "prepare comes first"
        (config, tls, hands), self._next = self._next, None
        orders = self._orders
        try:
            async with self._staff.deputies.recalled():
                gone = [endpoint for endpoint in orders.config.listen if endpoint not in config.listen]
                await order(hands, "commit", after="it goes on by the old until it answers again")
                if orders.tls is not None and tls is not None:
                    orders.tls.follow(tls)
                else:
                    orders.tls = tls
                orders.config = config
                self._close(gone)
        finally:
            self._staff.release()
        self._watch_tls()
        logs.set_level(config.log.level)
        self._staff.hurry()

    async def abort(self) -> None:
        """Let go of what was prepared."""
        if self._next is not None:
            (config, _, hands), self._next = self._next, None
            await order(hands, "abort", after=_LETS_GO)
            self._close([endpoint for endpoint in config.listen if endpoint not in self.config.listen])
            self._staff.release()


def _brokers(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """What the workers say of their broker: up when it is up for each, since the latest; sums."""
    if not reports:
        return {}
    sums = ("published", "received", "waiting_bytes", "dropped", "refused")
    worst = max(reports, key=lambda report: (report["state"] == "down", report["since"]))
    return {"broker": {**worst, **{name: sum(report[name] for report in reports) for name in sums}}}


async def _prepared(hand: Hand, patience: float, **arguments: Any) -> Message:
    """Have a worker make everything new, as long as it answers otherwise. Raises Refused, ConnectionError."""
    end = monotonic() + patience
    preparing = asyncio.get_running_loop().create_task(hand.ask("prepare", **arguments))
    try:
        while not preparing.done():
            await asyncio.wait((preparing,), timeout=PULSE)
            late = monotonic() > end
            if not preparing.done() and (late or hand.silent_for > _LONG_SILENCE):
                why = f"is not done after {patience:g}" if late else f"has not answered for {_LONG_SILENCE:g}"
                raise Refused(f"worker {hand.place} {why} seconds: it waits for {hand.waits_for}")
        return preparing.result()
    finally:
        preparing.cancel()
