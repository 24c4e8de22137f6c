"""Orders that come as signals."""

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


def on_signal(loop: asyncio.AbstractEventLoop, number: signal.Signals, order: Callable[[], object]) -> None:
    """Call `order` for each signal of this kind."""
    loop.add_signal_handler(number, order)
