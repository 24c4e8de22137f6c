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
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog

from ioto_server.config import Config, Endpoint
from ioto_server.plugins import BeingSaved
from ioto_server.server import FileReceiver, TlsContext, make_context
from ioto_server.server.tls_watch import TlsWatch
from ioto_server.websocket import BUILD

from . import logs
from .control import Answer, Command, CommandError
from .hand import Hand
from .line import Message, Refused
from .operations import change_level, unknown, wanted
from .roster import LISTED_ORDERS
from .sockets import Held, Sockets
from .staff import Orders, Staff
from .status import Uptime, line
from .worker import pack

if TYPE_CHECKING:
    from .sums import Sums

_log = structlog.get_logger("ioto_server.workers")

T = TypeVar("T")

# How long a worker may take to answer an operator; one that is stuck is left out.
_PATIENCE: Final = 5.0
# Beyond what a stop may take by its own timeouts, in seconds.
_MARGIN: Final = 5.0


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
        self._tasks: set[asyncio.Task[None]] = set()

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
        await self._staff.all("leave")
        self._close(self.config.listen)

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
        await self.leave()
        timeouts = self.config.timeouts
        hands = self._staff.hands
        try:
            async with asyncio.timeout(timeouts.drain + 2 * timeouts.close + _MARGIN):
                # The answer of each is its end.
                await self._staff.all("stop", hands, code=code, reason=reason)
                await asyncio.gather(*(hand.gone() for hand in hands))
        except TimeoutError:
            _log.error("workers do not end", workers=[hand.place for hand in self._staff.hands])
            await self._staff.end()

    # ---- what it says of itself -----------------------------------------------------------------------

    def line(self) -> str:
        """The state in a few words."""
        serving = self._staff.serving
        return line(self.connections, sum(hand.websockets for hand in serving))

    def healthy(self) -> bool:
        """Whether a worker serves, and all of them answer."""
        serving = self._staff.serving
        patience = inf if self._watchdog is None else self._watchdog
        return bool(serving) and all(hand.silent_for < patience for hand in serving)

    async def _ask(self, command: str, **arguments: Any) -> dict[Hand, Message]:
        """What each worker answers; those that are stuck or have died are left out."""
        hands = self._staff.serving
        answers = await asyncio.gather(*(_in_time(hand, command, arguments) for hand in hands))
        return {hand: answer for hand, answer in zip(hands, answers, strict=True) if answer is not None}

    async def report(self) -> dict[str, Any]:
        """The state at this moment, ready for JSON; what workers have is added up."""
        answers = await self._ask("report")
        open_at = () if self._left else self.config.listen
        listeners = [held for endpoint in open_at for held in self._sockets.at(endpoint)]

        def total(name: str) -> int:
            return sum(answer[name] for answer in answers.values())

        by_place = {hand.place: hand for hand in self._staff.hands}
        return {
            "pid": os.getpid(),
            "started": self._uptime.started,
            "uptime_seconds": self._uptime.seconds,
            "listening": list(dict.fromkeys(listener.url for listener in listeners)),
            "connections": total("connections"),
            "websockets": total("websockets"),
            "actions": max((answer["actions"] for answer in answers.values()), default=0),
            "held_bytes": total("held_bytes"),
            "log_level": logs.level(),
            "codec": BUILD,
            **_brokers([answer["broker"] for answer in answers.values() if "broker" in answer]),
            "workers": [self._describe(place, by_place.get(place), answers) for place in self._staff.places],
        }

    def _describe(self, place: int, hand: Hand | None, answers: Mapping[Hand, Message]) -> dict[str, Any]:
        found: dict[str, Any] = {"worker": place, "restarts": self._staff.restarts[place]}
        if hand is None:
            return {**found, "state": "down"}
        if hand not in answers:
            return {**found, "state": "stuck" if hand.serves else "starting", "pid": hand.pid}
        told = answers[hand]
        names = ("pid", "uptime_seconds", "connections", "websockets", "held_bytes")
        found |= {"state": "serving", **{name: told[name] for name in names}}
        return {**found, "broker": told["broker"]["state"]} if "broker" in told else found

    def reopen_log(self) -> None:
        """Go on in a new log file where the old one was renamed."""
        logs.reopen()
        self._later(self._staff.all("reopen"))

    def _later(self, order: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(order)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- what operators ask ---------------------------------------------------------------------------

    @property
    def commands(self) -> Mapping[str, Command]:
        """Each asks the workers that it concerns."""
        return {"connections": self._connections, "close": self._close_one, "log": self._level}

    async def _connections(self, request: Mapping[str, Any]) -> Answer:
        order, limit = wanted(request)
        answers = (await self._ask("connections", sort=order, limit=limit)).values()
        listed = [one for answer in answers for one in answer["connections"]]
        return {
            "total": sum(answer["total"] for answer in answers),
            "connections": nsmallest(limit, listed, key=LISTED_ORDERS[order]),
        }

    async def _close_one(self, request: Mapping[str, Any]) -> Answer:
        shown = str(request.get("id"))
        serial, _, _ = shown.partition("-")
        hand = next((one for one in self._staff.serving if str(one.serial) == serial), None)
        if hand is None:
            raise unknown(shown)
        try:
            return await hand.ask("close", **{name: request[name] for name in request if name != "command"})
        except Refused as error:
            raise CommandError(str(error)) from None
        except ConnectionError:
            raise unknown(shown) from None

    async def _level(self, request: Mapping[str, Any]) -> Answer:
        answer = change_level(request)
        await self._staff.all("level", level=answer["now"])
        return answer

    # ---- metrics --------------------------------------------------------------------------------------

    def measure(self) -> None:
        """Begin to count for the metrics: the workers have begun when they started."""
        assert self._sums is not None
        logs.watch(self._sums.watch)

    async def metrics(self) -> bytes:
        """The metrics of all in Prometheus' text format."""
        assert self._sums is not None
        for hand, answer in (await self._ask("metrics")).items():
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
        """Make everything new here and in every worker, or nothing anywhere."""
        await self._staff.turn.acquire()
        try:
            async with AsyncExitStack() as undo:
                tls = make_context(config.tls) if config.tls is not None else None
                FileReceiver(config).prepare()
                fresh = [endpoint for endpoint in config.listen if endpoint not in self.config.listen]
                for endpoint in fresh:
                    self._sockets.open(endpoint)
                    undo.callback(self._close, [endpoint])
                hands = self._staff.serving
                undo.push_async_callback(self._staff.all, "abort", hands)
                answers = await self._prepare_all(hands, config, fresh, while_saving)
                undo.pop_all()
        except BaseException:
            self._staff.turn.release()
            raise
        self._next = config, tls, hands
        return answers[0]

    async def _prepare_all(
        self, hands: list[Hand], config: Config, fresh: list[Endpoint], while_saving: bool
    ) -> list[Message]:
        """Have the workers make everything new. Raises Refused at the first that cannot."""
        silent = [str(hand.place) for hand in hands if hand.stuck]
        if silent or not hands:
            raise Refused(f"worker {', '.join(silent)} does not answer" if silent else "no worker is up")
        data = pack(config)

        async def prepare(hand: Hand) -> Message | None:
            shares = [(one, place) for place, one in self._shares(hand, config, fresh)]
            try:
                return await hand.ask(
                    "prepare",
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
        found = [await prepare(first), *await asyncio.gather(*map(prepare, others))]
        answers = [answer for answer in found if answer is not None]
        if not answers:
            raise Refused("every worker has died meanwhile")
        return answers

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
            async with self._staff.recalled():
                gone = [endpoint for endpoint in orders.config.listen if endpoint not in config.listen]
                await self._staff.all("commit", hands)
                if orders.tls is not None and tls is not None:
                    orders.tls.follow(tls)
                else:
                    orders.tls = tls
                orders.config = config
                self._close(gone)
        finally:
            self._staff.turn.release()
        self._watch_tls()
        logs.set_level(config.log.level)
        self._staff.hurry()

    async def abort(self) -> None:
        """Let go of what was prepared."""
        if self._next is not None:
            (config, _, hands), self._next = self._next, None
            await self._staff.all("abort", hands)
            self._close([endpoint for endpoint in config.listen if endpoint not in self.config.listen])
            self._staff.turn.release()


def _brokers(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """What the workers say of their broker: up when it is up for each, since the latest; sums."""
    if not reports:
        return {}
    sums = ("published", "received", "waiting_bytes", "dropped", "refused")
    worst = max(reports, key=lambda report: (report["state"] == "down", report["since"]))
    return {"broker": {**worst, **{name: sum(report[name] for report in reports) for name in sums}}}


async def _in_time(hand: Hand, command: str, arguments: Mapping[str, Any]) -> Message | None:
    try:
        async with asyncio.timeout(_PATIENCE):
            return await hand.ask(command, **arguments)
    except (TimeoutError, ConnectionError, Refused):
        return None
