"""What an action is told of its WebSocket: by a callback, by an async callback, or when it asks."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from types import FunctionType
from typing import TYPE_CHECKING, Any

import structlog

from .contained import contain
from .errors import Closed
from .events import Event
from .holding import HOLDS_THE_LOOP, NOTED, ran
from .inbox import Inbox
from .outbox import SENT
from .quick import monotonic
from .reception import Messages, Reception, Source
from .whereabouts import full_name

if TYPE_CHECKING:
    from .core import Core

Message = str | bytes
Callback = Callable[..., Any]

_log = structlog.get_logger("ioto_server.websocket")


def _ignore(_websocket: object, _event: Event, _data: object, _arg: object) -> None:
    """The callback of an action that waits without one: messages are read and dropped."""


def _is_async(callback: Callback) -> bool:
    if type(callback) is FunctionType and not callback.__dict__:
        # What inspect would come to, for nearly all; the others may be marked, wrapped, or objects.
        return bool(callback.__code__.co_flags & inspect.CO_COROUTINE)
    call = getattr(callback, "__call__", None)  # noqa: B004  # an object may have an async __call__
    return inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(call)


def _is_cancelled() -> bool:
    """Whether it is this task that is to end, and not something it waited for that was given up."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Delivery(Source):
    """The action's side of a WebSocket: events in order, and one that waits for them at a time.

    A plain callback is called at once, in the midst of reading. For everything else events wait in an inbox,
    which tells the reader to pause when it is full.
    """

    __slots__ = (
        "_arg",
        "_asked",
        "_awaited",
        "_callback",
        "_direct",
        "_end_due",
        "_finished",
        "_held",
        "_host",
        "_inbox",
        "_next",
        "_told",
        "_waiter",
        "consumer",
        "path",
        "peer",
    )

    def _begin_delivery(self, host: Core, path: str, peer: str) -> None:
        self.path = path
        self.peer = peer
        self.ending = None
        self._host = host
        self._callback: Callback | None = None
        # Whether the callback is an async one.
        self._awaited = False
        # The callback again, where it is a plain one and may be called in the midst of reading.
        self._direct: Callback | None = None
        self._arg: Any = None
        self._inbox: Inbox | None = None
        # Somebody has called receive().
        self._asked = False
        # ERROR and CLOSE are to be emitted, or are being emitted; and they have been.
        self._end_due = False
        self._told = False
        # Reading is paused because the inbox is full.
        self._held = False
        self._waiter: Reception | None = None
        # The message that whoever waits is being woken for: it need not pass through the inbox.
        self._next: Message | None = None
        # The task of an async callback, while there is something for it.
        self.consumer: asyncio.Task[None] | None = None
        # One future, as a rule, else several in the order in which they came.
        self._finished: dict[asyncio.Future[int], None] | asyncio.Future[int] | None = None

    # ---- by callback ----------------------------------------------------------------------------------

    def on_event(self, callback: Callback, arg: Any = None) -> None:
        """Have `callback(ws, event, data, arg)` called for each event, those that wait already first."""
        self._callback = callback
        self._arg = arg
        self._direct = None
        self._awaited = _is_async(callback)
        if self._awaited:
            self._consume()
        else:
            while self._inbox:
                event, data = self._pop(self._inbox)
                self._call(event, data)
            self._inbox = None
            self._direct = callback
        if self.ending is not None:
            if self._told:
                self._finish()
            else:
                self._have_end_told()

    def _emit(self, event: Event, data: str | bytes | None) -> None:
        """Tell the action, at once where it has a plain callback, else through the inbox."""
        if self._direct is not None:
            self._call(event, data)
            return
        if self._waiter is not None and data is not None and self._callback is None and not self._inbox:
            self._next = data
            self._wake(True)
            if self._next is None:
                return
            # It goes on later, or is to end instead.
            self._next = None
            if self._direct is not None:
                self._call(event, data)
                return
        if self._inbox is None:
            self._inbox = Inbox()
        self._inbox.push(event, data)
        if self._callback is None:
            self._wake(True)
        elif self._awaited:
            self._consume()
        # Else a plain callback is being given what has waited: this is next.

    def _call(self, event: Event, data: str | bytes | None) -> None:
        callback = self._direct or self._callback
        assert callback is not None
        begun = monotonic()
        try:
            result = callback(self, event, data, self._arg)
            if result is not None and result is not SENT:
                self._check_result(result)
        except Closed:
            pass
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            # Not everything that fails is an Exception: the panics of extensions are none.
            self.failed(error)
        if monotonic() - begun > NOTED:
            self._took(callback, monotonic() - begun)

    def _check_result(self, result: object) -> None:
        """A plain callback may return anything, what `ws.send` gave it, say, but nobody runs a coroutine."""
        if isinstance(result, Coroutine):
            result.close()
            raise TypeError(
                f"The callback {self._callback!r} is called like a plain function and returned a coroutine: "
                "give on_event() the `async def` function itself"
            )

    def _took(self, callback: Callback, seconds: float) -> None:
        """The callback has run for so long, perhaps for many messages that were read at once."""
        if seconds <= HOLDS_THE_LOOP:
            ran(callback, seconds)
            return
        code = getattr(callback, "__code__", None)
        _log.warning(
            "callback held the loop",
            callback=full_name(callback),
            where=f"{code.co_filename}:{code.co_firstlineno}" if code else None,
            milliseconds=round(seconds * 1000),
            path=self.path,
            hint="every connection of this process waited; do less in it, or move the work to a thread",
        )

    # ---- by async callback ----------------------------------------------------------------------------

    def _consume(self) -> None:
        """See to it that a task hands the inbox to the async callback, one event at a time, in order."""
        if self.consumer is None and self._inbox:
            self.consumer = self._host.create_task(contain(self._consume_inbox(), self._callback))

    async def _consume_inbox(self) -> None:
        cut_short = False
        try:
            # A plain callback that has replaced this one has taken what was left, and the inbox with it.
            while (inbox := self._inbox) and self._direct is None:
                callback = self._callback
                assert callback is not None
                event, data = self._pop(inbox)
                try:
                    await callback(self, event, data, self._arg)
                except Closed:
                    pass
                except asyncio.CancelledError as error:
                    if not _is_cancelled():
                        self.failed(error)
                    elif self.ending is None or cut_short:
                        raise
                    else:
                        # It has outlived its connection: of that, only the end is left to be told.
                        cut_short = True
                        self._drop_messages()
                        if self.consumer is not None:
                            self.consumer.uncancel()
                except (KeyboardInterrupt, GeneratorExit):
                    raise
                except BaseException as error:
                    self.failed(error)
        finally:
            self.consumer = None
        if self.ending is not None:
            self._finish()

    # ---- when it asks ---------------------------------------------------------------------------------

    async def receive(self) -> Message:
        """The next message; raises `Closed` once the connection has ended and all before it was taken."""
        message: Message = await Messages(self, False)
        return message

    def __aiter__(self) -> AsyncIterator[Message]:
        return Messages(self, True)

    def next_message(self) -> Message | None:
        """Take the message that is next, if one is here."""
        if not self._asked:
            self._asked = True
            if self._callback is None:
                # A wait() before this had messages dropped, as nobody asked for them.
                self._direct = None
        if self._next is not None:
            message, self._next = self._next, None
            return message
        while self._inbox:
            event, data = self._pop(self._inbox)
            if data is not None and (event is Event.MESSAGE or event is Event.PARTIAL_MESSAGE):
                return data
        return None

    def waits(self, reception: Reception) -> None:
        """A task is about to wait for the next message. Raises RuntimeError where it cannot."""
        if self._waiter is not None:
            raise RuntimeError("Two tasks receive from one WebSocket at once: let one of them do it")
        if self._callback is not None:
            raise RuntimeError(
                "This WebSocket has a callback (on_event): messages go there, not to receive()"
            )
        self._waiter = reception

    def waits_no_more(self, reception: Reception) -> None:
        """The task does something else."""
        if self._waiter is reception:
            self._waiter = None

    def _pop(self, inbox: Inbox) -> tuple[Event, str | bytes | None]:
        """Take an event, and let reading go on where that makes room enough."""
        item = inbox.pop()
        if self._held and inbox.is_low():
            self._release()
        if not inbox:
            self._emptied()
        return item

    def _drop_messages(self) -> None:
        """Nobody is to get what waits, but for what the connection itself has to say."""
        if self._inbox is not None:
            self._inbox.drop_messages()
            self._emptied()

    def _wake(self, at_once: bool) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.wake(at_once)

    # ---- the end --------------------------------------------------------------------------------------

    def closed(self) -> asyncio.Future[int]:
        """A future of what `Web.wait()` gives: done when the connection has ended and CLOSE was handled."""
        future: asyncio.Future[int] = self._host.loop().create_future()
        waiting = self._finished
        if waiting is None:
            self._finished = future
        else:
            if not isinstance(waiting, dict):
                self._finished = waiting = self._several(waiting)
            waiting[future] = None
            future.add_done_callback(self.waits_no_longer)
        if self.ending is not None:
            self._finish()
        return future

    def _several(self, first: asyncio.Future[int]) -> dict[asyncio.Future[int], None]:
        if first.done():
            return {}
        first.add_done_callback(self.waits_no_longer)
        return {first: None}

    def waits_no_longer(self, future: asyncio.Future[int]) -> None:
        """One of several futures is done: whoever waited may have been cancelled, which costs no memory."""
        if isinstance(self._finished, dict):
            self._finished.pop(future, None)

    def discard_unasked(self) -> None:
        """Read and drop messages if neither a callback nor a `receive()` asks for them."""
        if self._callback is None and not self._asked:
            self._direct = _ignore
            while self._inbox:
                self._pop(self._inbox)
            self._inbox = None

    def _have_end_told(self) -> None:
        """The outcome is known: have the action told of it, once."""
        if not self._end_due:
            self._end_due = True
            self._host.tell_end(self)

    def tell_end(self) -> None:
        """ERROR if it is one, then CLOSE, then let those go on who wait for the end."""
        ending = self.ending
        assert ending is not None
        if self._callback is not None:
            if ending.error_message:
                self._emit(Event.ERROR, ending.error_message)
            self._emit(Event.CLOSE, ending.reason)
            self._told = True
        else:
            self._wake(False)
        self._end_due = False
        self._finish()

    def _finish(self) -> None:
        """When all was told, let those go on who wait for the end.

        The callback and its argument are let go, too: authors tie them and the WebSocket into a knot.
        """
        assert self.ending is not None
        if self._end_due or self.consumer is not None or (self._callback is not None and self._inbox):
            return
        if self._told:
            self._callback = self._direct = self._arg = None
        finished, self._finished = self._finished, None
        if finished is None:
            return
        for future in tuple(finished) if isinstance(finished, dict) else (finished,):
            if not future.done():
                future.set_result(self.ending.value)

    # ---- from the other half --------------------------------------------------------------------------

    def failed(self, error: BaseException) -> None:
        """The action raised `error`."""
        raise NotImplementedError

    def _release(self) -> None:
        """Go on reading."""
        raise NotImplementedError

    def _emptied(self) -> None:
        """The inbox has been emptied: that may be less to report to `limits.memory`."""
        raise NotImplementedError
