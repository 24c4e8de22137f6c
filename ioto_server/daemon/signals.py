"""Orders that come as signals: stop, stop at once, reload, reopen the log."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable


class StopOrders:
    """The first and the second order to stop, as futures of what each came by."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take SIGTERM and SIGINT for orders to stop."""
        self.first: asyncio.Future[str] = loop.create_future()
        self.second: asyncio.Future[str] = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop, number.name)

    def stop(self, by: str) -> None:
        """Begin to stop, or, the second time, end at once."""
        for future in (self.first, self.second):
            if not future.done():
                future.set_result(by)
                return


def on_hangup(loop: asyncio.AbstractEventLoop, reload: Callable[[], object]) -> None:
    """Call `reload` for each SIGHUP."""
    loop.add_signal_handler(signal.SIGHUP, reload)


def on_user_signal(loop: asyncio.AbstractEventLoop, reopen: Callable[[], object]) -> None:
    """Call `reopen` for each SIGUSR1."""
    loop.add_signal_handler(signal.SIGUSR1, reopen)
