"""Who receives is woken in the stack that has read the message, and is a task like any other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import pytest

from ioto_server.session import Closed
from ioto_server.session.contained import ActionExit, contain

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


# ---- an action's task, ahead of which its coroutine runs --------------------------------------------------


def run_action(action: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Begin an action as the server does."""
    return asyncio.create_task(contain(action))


@in_loop
async def test_messages_do_not_step_the_task_that_only_waits_for_the_next() -> None:
    one = Connection()
    seen: list[Any] = []

    async def action() -> str:
        WHO.set("the action")
        async for message in one.ws:
            seen.append((message, asyncio.current_task(), WHO.get()))  # noqa: PERF401  # looked at in between
        return "the end"

    task = run_action(action())
    await turns()
    waits_for = task._fut_waiter  # type: ignore[attr-defined]
    for message in "abc":
        await outside_of_tasks(lambda message=message: one.receive(one.frames(message)))
        assert seen.pop() == (message, task, "the action")
        assert task._fut_waiter is waits_for  # type: ignore[attr-defined]
    assert WHO.get() == "nobody"
    one.receive(one.close(1000))
    assert await task == "the end"


@in_loop
async def test_what_an_action_comes_to_ahead_of_its_task_is_its_tasks() -> None:
    one = Connection()
    gate: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    seen: list[Any] = []

    async def action() -> str:
        async for message in one.ws:
            if message == "wait":
                seen.append(await gate)
            elif message == "turn":
                await asyncio.sleep(0)
                seen.append("turned")
            elif message == "raise":
                raise ValueError(message)
            elif message == "exit":
                raise SystemExit(3)
            else:
                return message
        return "the end"

    async def until_task_ends(message: str) -> asyncio.Task[Any]:
        task = run_action(action())
        await turns()
        await outside_of_tasks(lambda: one.receive(one.frames(message)))
        await turns()
        return task

    task = await until_task_ends("wait")
    assert not seen
    one.receive(one.frames("turn", "done"))
    gate.set_result("gate")
    assert await task == "done"
    assert seen == ["gate", "turned"]
    assert (await until_task_ends("at once")).result() == "at once"
    with pytest.raises(ValueError, match="raise"):
        await (await until_task_ends("raise"))
    with pytest.raises(ActionExit, match=r"sys.exit\(3\)"):
        await (await until_task_ends("exit"))


@pytest.mark.parametrize("then", ["receives", "waits", "turns", "returns", "raises"])
def test_an_action_cancelled_by_itself_ahead_of_its_task(then: str) -> None:
    """Whatever the coroutine has come to by the time the task hears of it, asyncio's own rules hold."""

    @in_loop
    async def test() -> None:
        one = Connection()
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        seen: list[str] = []

        async def action() -> None:
            async for _ in one.ws:
                task = asyncio.current_task()
                assert task is not None
                assert task.cancel("enough")
                if then == "returns":
                    return
                if then == "raises":
                    raise ValueError
                try:
                    if then == "waits":
                        await gate
                    elif then == "turns":
                        await asyncio.sleep(0)
                    else:
                        await one.ws.receive()
                except asyncio.CancelledError as error:
                    seen.append(str(error))
                    raise

        task = run_action(action())
        await turns()
        await outside_of_tasks(lambda: one.receive(one.frames("a")))
        with pytest.raises(ValueError if then == "raises" else asyncio.CancelledError):
            await task
        assert task.cancelled() == (then != "raises")
        assert seen == ([] if then in ("returns", "raises") else ["enough"])
        assert gate.cancelled() == (then == "waits")
        one.receive(one.frames("b"))
        assert await result(one.ws.receive()) == "b", "nobody else waits for it"

    test()


@in_loop
async def test_a_cancelled_action_that_goes_on_receiving_does_so() -> None:
    one = Connection()
    seen: list[str] = []

    async def action() -> None:
        async for message in one.ws:
            seen.append(message)
            if message == "a":
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                try:
                    await one.ws.receive()
                except asyncio.CancelledError:
                    task.uncancel()
                    seen.append("cancelled")

    task = run_action(action())
    await turns()
    for message in "abc":
        await outside_of_tasks(lambda message=message: one.receive(one.frames(message)))
        await turns()
    assert seen == ["a", "cancelled", "b", "c"]
    one.receive(one.close(1000))
    await task


@in_loop
async def test_a_timeout_around_what_runs_ahead() -> None:
    one = Connection()
    seen: list[str] = []
    late = asyncio.Event()

    async def action() -> None:
        try:
            async with asyncio.timeout(None) as timeout:
                async for message in one.ws:
                    seen.append(message)
                    timeout.reschedule(asyncio.get_running_loop().time())
        except TimeoutError:
            seen.append("timeout")
            late.set()
        seen.append(await one.ws.receive())

    task = run_action(action())
    await turns()
    await outside_of_tasks(lambda: one.receive(one.frames("a")))
    await late.wait()
    await outside_of_tasks(lambda: one.receive(one.frames("b")))
    await task
    assert seen == ["a", "timeout", "b"]


@in_loop
async def test_an_iterator_that_another_task_takes_over() -> None:
    one = Connection()
    seen: list[Any] = []

    async def child(messages: AsyncIterator[Any]) -> None:
        async for message in messages:
            seen.append((message, asyncio.current_task()))  # noqa: PERF401  # looked at in between

    async def action() -> None:
        messages = aiter(one.ws)
        seen.append((await anext(messages), asyncio.current_task()))
        tasks.append(asyncio.create_task(child(messages)))
        await tasks[0]

    tasks: list[asyncio.Task[None]] = []
    task = run_action(action())
    await turns()
    await outside_of_tasks(lambda: one.receive(one.frames("a")))
    await turns()
    await outside_of_tasks(lambda: one.receive(one.frames("b")))
    assert seen == [("a", task), ("b", tasks[0])]
    one.receive(one.close(1000))
    await task


@pytest.mark.parametrize("how", [asyncio.gather, asyncio.ensure_future, lambda it: asyncio.wait_for(it, 30)])
def test_asyncio_may_make_a_task_of_the_next_message(how: Callable[[Any], Any]) -> None:
    @in_loop
    async def test() -> None:
        one, other = Connection(), Connection()

        async def action() -> Any:
            messages = aiter(one.ws)
            return [await anext(messages), await how(anext(messages))]

        task, echoing = run_action(action()), run_action(echo(other))
        await turns()
        await outside_of_tasks(lambda: one.receive(one.frames("a")))
        await turns()
        await outside_of_tasks(lambda: other.receive(other.frames("c")))
        assert other.seen() == [("message", "c")], "nobody else is harmed"
        await outside_of_tasks(lambda: one.receive(one.frames("b")))
        assert await task in (["a", "b"], ["a", ["b"]])
        other.receive(other.close(1000))
        await echoing

    test()


@in_loop
async def test_a_stranger_that_waits_by_the_reception_harms_nobody() -> None:
    """Whoever gets hold of it, the loop goes on: the task that is left is the one that was entered."""
    one, other = Connection(), Connection()

    async def action() -> None:
        messages = aiter(one.ws)
        await anext(messages)
        reception = anext(messages).__await__().__next__()
        reception.add_done_callback(lambda _: None)
        await asyncio.sleep(0)

    task, echoing = run_action(action()), run_action(echo(other))
    await turns()
    await outside_of_tasks(lambda: one.receive(one.frames("a")))
    await outside_of_tasks(lambda: other.receive(other.frames("c")))
    assert other.seen() == [("message", "c")]
    await task
    other.receive(other.close(1000))
    await echoing


@in_loop
async def test_an_action_may_return_its_iterator() -> None:
    one = Connection()

    async def action() -> Any:
        messages = aiter(one.ws)
        await anext(messages)
        return messages

    task = run_action(action())
    await turns()
    await outside_of_tasks(lambda: one.receive(one.frames("a")))
    messages = await task
    one.receive(one.frames("b"))
    assert await anext(messages) == "b"


@pytest.mark.parametrize("takes_later", [True, False])
@in_loop
async def test_a_message_that_is_not_taken_by_whom_it_wakes_is_kept(takes_later: bool) -> None:
    one = Connection()
    heard: list[Any] = []

    class Wakes:
        """Waits as one that receives does, then leaves the message where it is."""

        def __await__(self) -> Any:
            yield next(aiter(one.ws).__anext__().__await__())
            if not takes_later:
                one.ws.on_event(lambda _ws, _event, data, _arg: heard.append(data))

    async def action() -> None:
        await Wakes()
        if takes_later:
            await asyncio.sleep(0)
            heard.extend([await one.ws.receive(), await one.ws.receive()])

    task = asyncio.create_task(action())
    await turns()
    await outside_of_tasks(lambda: one.receive(one.frames("a")))
    await outside_of_tasks(lambda: one.receive(one.frames("b")))
    await turns()
    assert heard == ["a", "b"]
    await task


def test_a_contained_coroutine_is_one_to_asyncio() -> None:
    contained = contain(asyncio.sleep(0))
    assert asyncio.iscoroutine(contained)
    with pytest.raises(TypeError, match="takes no values"):
        contained.send(1)
    contained.close()
