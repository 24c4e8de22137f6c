"""Orders that come as signals, from before the first plugin is imported to the end."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

import structlog

from . import logs
from .outcome import FAILED

_log = structlog.get_logger("ioto_server")

# What a second order to stop, or one before we are ready, waits for a loop that does not turn, in seconds.
_FOR_LOOP: Final = 2.0
# What it may take to say why we end, in seconds: the log may be a full pipe that nobody reads any more.
_FOR_LAST_WORDS: Final = 1.0

_STOPS: Final = (signal.SIGTERM, signal.SIGINT)
# Before we are ready they would end us: nobody who sends one means that.
_HELD: Final = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Interrupted(KeyboardInterrupt):
    """Told to stop while there is no loop yet; the text is by what."""


class Signals:
    """Who is told what by a signal.

    `first` and `second` are the orders to stop, as futures of what each came by. The handlers are Python's
    own, not the loop's: they are called also while somebody's code holds the loop.
    """

    first: asyncio.Future[str]
    second: asyncio.Future[str]

    def __init__(self) -> None:
        """Take the signals from now on, and hold those that order something of a service that is ready."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._early: list[str] = []
        self._count = 0
        self._breaks_off = False
        self._held: list[signal.Signals] = []
        self._orders: Mapping[signal.Signals, Callable[[], object]] | None = None
        self._pardoned = False
        self._insisting: threading.Thread | None = None
        for number in _STOPS:
            signal.signal(number, self._told_to_stop)
        for number in _HELD:
            signal.signal(number, self._told)

    # ---- before there is a loop -----------------------------------------------------------------------

    @contextmanager
    def break_off(self) -> Iterator[None]:
        """Let an order to stop break off what is done in here, at whatever line it is: raises Interrupted."""
        self._breaks_off = True
        try:
            if self._early:
                raise Interrupted(self._early[0])
            yield
        finally:
            self._breaks_off = False

    # ---- with a loop ----------------------------------------------------------------------------------

    def attend(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have `loop` carry out what is ordered."""
        self.first, self.second = loop.create_future(), loop.create_future()
        self._loop = loop
        for by in self._early:
            self.stop(by)

    def obey(self, orders: Mapping[signal.Signals, Callable[[], object]]) -> None:
        """Carry out `orders` from now on, those that came before too: the service is ready."""
        self._orders = orders
        held, self._held = self._held, []
        for number in held:
            _log.info("signal was held", signal=number.name, why="it came before the service was ready")
            orders[number]()

    def stop(self, by: str) -> None:
        """Begin to stop, or, the second time, end at once."""
        if not self.first.done():
            self.first.set_result(by)
        elif self._pardoned:
            self._pardoned = False
            _log.info("draining goes on", by=by, why="a successor serves; another signal ends this at once")
        elif not self.second.done():
            self.second.set_result(by)

    def succeed(self) -> None:
        """Begin to stop because a successor serves.

        Who stops the whole service then, as systemd does, tells us too, and means no more than that: what
        comes next counts as a first order.
        """
        self.stop("upgrade")
        self._pardoned = True

    # ---- handlers -------------------------------------------------------------------------------------

    def _told_to_stop(self, number: int, _frame: object) -> None:
        by = signal.Signals(number).name
        if self._loop is None:
            self._early.append(by)
            if self._breaks_off:
                raise Interrupted(by)
            return
        self._count += 1
        insists = self._orders is None or self._count > 1 or (self.first.done() and not self._pardoned)
        self._in_loop(lambda: self.stop(by))
        if insists:
            self._insist(by)

    def _told(self, number: int, _frame: object) -> None:
        told = signal.Signals(number)
        if self._orders is not None:
            self._in_loop(self._orders[told])
        elif told not in self._held:
            self._held.append(told)

    def _in_loop(self, order: Callable[[], object]) -> None:
        assert self._loop is not None
        # A loop that is closed was stopped before.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(order)

    def _insist(self, by: str) -> None:
        """End the process where the loop does not turn: nothing that runs in it could."""
        if self._insisting is not None and self._insisting.is_alive():
            # One is enough, and a traceback has room for a hundred threads.
            return
        turns = threading.Event()
        self._in_loop(turns.set)
        self._insisting = threading.Thread(target=_end_unless, args=(turns, by), daemon=True)
        self._insisting.start()


def _end_unless(turns: threading.Event, by: str) -> None:
    if turns.wait(_FOR_LOOP):
        return
    # Its thread is C's: it ends us also while a write of ours blocks with the interpreter's lock held.
    with open(os.devnull, "w") as nowhere:
        faulthandler.dump_traceback_later(_FOR_LAST_WORDS, exit=True, file=nowhere)
        try:
            _say_last_words(by)
        finally:
            os._exit(FAILED)


def _say_last_words(by: str) -> None:
    logs.flush()
    _log.error("stopped at once", by=by, why="code that holds the loop does not let go: see the traceback")
    sys.stdout.flush()
    # Names the line of the action, or of the plugin's io_start.
    faulthandler.dump_traceback()
