"""Who receives is woken in the stack that has read the message, and is a task like any other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from ioto_server.session import Closed

from .harness import Connection, in_loop, result, turns

WHO: ContextVar[str] = ContextVar("WHO", default="nobody")


async def outside_of_tasks(call: Callable[[], Any]) -> Any:
    """Call as the loop calls for a socket that can be read: within no task."""
    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(lambda: done.set_result(call()))
    return await done


async def echo(one: Connection) -> None:
    async for message in one.ws:
        one.ws.send(message)


@in_loop
async def test_the_answer_is_there_when_the_read_returns() -> None:
    one = Connection()
    action = asyncio.create_task(echo(one))
    await turns()

    def read() -> list[Any]:
        one.receive(one.frames("a", "b"))
        return one.seen()

    assert await outside_of_tasks(read) == [("message", "a"), ("message", "b")]
    assert len(one.link.writes) == 1, "both answers leave together"
    one.receive(one.close(1000))
    await action


@in_loop
async def test_a_read_in_another_tasks_step_wakes_in_the_next_turn() -> None:
    one = Connection()
    tasks: list[Any] = []

    async def action() -> None:
        async for _ in one.ws:
            tasks.append(asyncio.current_task())  # noqa: PERF401  # looked at in between

    task = asyncio.create_task(action())
    await turns()
    one.receive(one.frames("a"))
    assert tasks == []
    await turns()
    assert tasks == [task]
    await outside_of_tasks(lambda: one.receive(one.frames("b")))
    assert tasks == [task, task], "in the stack of the read, too, it is the task that runs"
    one.receive(one.close(1000))
    await task


@in_loop
async def test_it_runs_in_its_own_context() -> None:
    one = Connection()
    seen: list[str] = []

    async def action() -> None:
        WHO.set("the action")
        async for _ in one.ws:
            seen.append(WHO.get())  # noqa: PERF401  # looked at in between

    task = asyncio.create_task(action())
    await turns()
    await outside_of_tasks(lambda: one.receive(one.frames("a")))
    assert seen == ["the action"]
    assert WHO.get() == "nobody"
    one.receive(one.close(1000))
    await task


@in_loop
async def test_cancelling_who_waits() -> None:
    one = Connection()
    task = asyncio.create_task(one.ws.receive())
    await turns()
    task.cancel("enough")
    with pytest.raises(asyncio.CancelledError, match="enough"):
        await task
    one.receive(one.frames("a"))
    assert await result(one.ws.receive()) == "a", "another may receive now"


@in_loop
async def test_a_message_that_comes_with_the_cancellation_is_not_lost() -> None:
    for come_first in (True, False):
        one = Connection()
        task = asyncio.create_task(one.ws.receive())
        await turns()
        if come_first:
            one.receive(one.frames("a"))
        task.cancel()
        if not come_first:
            one.receive(one.frames("a"))
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await result(one.ws.receive()) == "a"


@in_loop
async def test_a_timeout_around_it() -> None:
    one = Connection()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await one.ws.receive()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(one.ws.receive(), 0.001)
    one.receive(one.frames("a"))
    assert await asyncio.wait_for(one.ws.receive(), 30) == "a"


@in_loop
async def test_one_task_at_a_time() -> None:
    one = Connection()
    first = asyncio.create_task(one.ws.receive())
    await turns()
    with pytest.raises(RuntimeError, match="Two tasks receive from one WebSocket"):
        await one.ws.receive()
    one.receive(one.frames("a"))
    assert await first == "a"


@in_loop
async def test_leaving_the_loop_and_coming_back() -> None:
    one = Connection()
    one.receive(one.frames("a", "b", "c"))
    async for message in one.ws:
        assert message == "a"
        break
    assert await one.ws.receive() == "b"
    one.receive(one.close(1000))
    assert [message async for message in one.ws] == ["c"]
    with pytest.raises(Closed):
        await one.ws.receive()


@in_loop
async def test_what_it_raises_is_its_own() -> None:
    one = Connection()

    async def action() -> None:
        async for message in one.ws:
            raise ValueError(message)

    task = asyncio.create_task(action())
    await turns()
    await outside_of_tasks(lambda: one.receive(one.frames("a", "b")))
    with pytest.raises(ValueError, match="a"):
        await task
    assert await result(one.ws.receive()) == "b"
