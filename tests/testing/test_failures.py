"""What a test says when an action does not do what it should: words that lead to the line."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ioto_server import Event, Web, WebSocket, action
from ioto_server.testing import ActionFailed, Client, Failure, Leaked, Server, TimedOut

SHORT = 0.05

HERE = Path(__file__).name


def line_of(function: Callable[..., object], text: str) -> int:
    """The line of this file on which `text` stands in a function."""
    lines, first = inspect.getsourcelines(function)
    return first + next(number for number, line in enumerate(lines) if text in line)


@action("/ws/mute")
async def mute(web: Web) -> None:
    async for _ in web.websocket:
        pass


async def fail(web: Web) -> None:
    async for message in web.websocket:
        json.loads(message)


async def fail_in_callback(web: Web) -> None:
    def on_event(_ws: WebSocket, event: Event, _data: str | bytes | None, _arg: object) -> None:
        if event is Event.MESSAGE:
            raise LookupError("in a callback")

    web.on_event(on_event)
    await web.wait()


async def fail_in_task(web: Web) -> None:
    async def task() -> None:
        raise LookupError("in a task")

    async for _ in web.websocket:
        web.host.spawn(task())


async def linger(web: Web) -> None:
    await web.wait()
    await asyncio.Event().wait()


async def sleep(web: Web) -> None:
    while True:
        await web.websocket.send("tick")
        await asyncio.sleep(60)


async def tidy_up(web: Web) -> None:
    await web.wait()
    await asyncio.sleep(2)
    web.host.data.tidy = True


async def forgetful(web: Web) -> None:
    web.host.data.task = asyncio.create_task(asyncio.sleep(100))
    await web.wait()


async def ignore(web: Web) -> None:
    await asyncio.sleep(100)


async def restless(web: Web) -> None:
    web.accept()
    while web.websocket.state == "open":
        for _ in range(10):
            await asyncio.sleep(0)


def test_nothing_received_names_the_line_that_waits() -> None:
    where = f"mute\\(\\) at .*{HERE}:{line_of(mute, 'async for')}: async for _ in web.websocket:"
    with (
        Client(mute, timeout=SHORT) as client,
        pytest.raises(TimedOut, match=rf"^Nothing was received within 0.05 s; .*{where}$"),
    ):
        client.receive()


def test_a_wait_may_have_a_time_of_its_own() -> None:
    with Client(mute) as client, pytest.raises(TimedOut, match=r"within 0\.01 s"):
        client.receive(timeout=0.01)
    with Client(mute) as client, pytest.raises(TimedOut, match=r"was not closed within 0\.01 s"):
        client.wait_closed(timeout=0.01)


def test_an_exception_of_an_action_fails_the_test_at_once() -> None:
    with Client(fail) as client, pytest.raises(ActionFailed, match="raised JSONDecodeError") as caught:
        client.send("no JSON")
    assert f"{HERE}:{line_of(fail, 'json.loads')}" in str(caught.value)
    assert isinstance(caught.value.__cause__, json.JSONDecodeError)


@pytest.mark.parametrize(
    ("failing", "words"), [(fail_in_callback, "in a callback"), (fail_in_task, "in a task")]
)
def test_so_does_one_of_its_callbacks_and_tasks(failing: Callable[[Web], None], words: str) -> None:
    with Client(failing) as client, pytest.raises(ActionFailed, match=words):
        client.send("go")


def test_an_exception_before_the_handshake_is_raised_at_the_opening() -> None:
    async def broken(web: Web) -> None:
        raise LookupError("before the handshake")

    with pytest.raises(ActionFailed, match="before the handshake"), Client(broken):
        pytest.fail("open() was silent about it")


def test_an_exception_in_a_plain_request_is_raised_too() -> None:
    def broken(web: Web) -> None:
        raise LookupError("while answering")

    with Server(broken) as server, pytest.raises(ActionFailed, match="while answering"):
        server.get("/")


def test_it_is_told_once() -> None:
    with Client(fail) as client:
        with pytest.raises(ActionFailed):
            client.send("no JSON")
        assert client.wait_closed() == (1011, "Internal error")


def test_the_tests_own_failure_comes_first() -> None:
    with pytest.raises(ZeroDivisionError) as caught, Client(linger, timeout=SHORT):
        raise ZeroDivisionError
    assert any("the action did not return" in note for note in caught.value.__notes__)


def test_an_action_that_does_not_return() -> None:
    with (
        pytest.raises(TimedOut, match=r"did not return within 0.05 s.*await asyncio\.Event\(\)"),
        Client(linger, timeout=SHORT),
    ):
        pass


def test_an_action_that_sleeps_on_is_cancelled_at_once_as_the_server_does_it() -> None:
    with (
        pytest.warns(UserWarning, match=r"slept for timeouts\.close.*await asyncio\.sleep\(60\)"),
        Client(sleep) as client,
    ):
        assert client.receive() == "tick"


def test_an_action_may_take_its_time_to_tidy_up() -> None:
    with Server(tidy_up) as server:
        server.connect("/").close()
        assert server.host.data.tidy


def test_an_action_that_neither_accepts_nor_refuses() -> None:
    with (
        pytest.raises(TimedOut, match=r"neither accepted nor refused.*await asyncio\.sleep\(100\)"),
        Client(ignore, timeout=SHORT),
    ):
        pass


def test_a_plain_request_without_an_answer() -> None:
    with (
        Server(ignore, timeout=SHORT) as server,
        pytest.raises(TimedOut, match=r"GET / was not complete.*await asyncio\.sleep\(100\)"),
    ):
        server.get("/")


def test_tasks_that_are_left_behind() -> None:
    begun = f"{HERE}:{line_of(forgetful, 'create_task')}"
    with pytest.raises(Leaked, match=rf"1 task.*\n.*begun at .*{begun}\n"), Client(forgetful):
        pass


def test_an_action_that_never_waits() -> None:
    with pytest.raises(TimedOut, match="did not come to rest"), Client(restless, timeout=SHORT):
        pass


def test_a_message_that_is_no_json() -> None:
    async def text(web: Web) -> None:
        await web.websocket.send("no JSON")

    with Client(text) as client, pytest.raises(Failure, match=r"not JSON.*'no JSON'"):
        client.receive_json()


def test_an_event_loop_that_runs_already() -> None:
    async def inside() -> None:
        Client(mute).open()

    with pytest.raises(RuntimeError, match="plain `def test_"):
        asyncio.run(inside())


def test_a_flood_does_not_grow_for_ever() -> None:
    async def flood(web: Web) -> None:
        web.websocket.send("begin")
        async for _ in web.websocket:
            while True:
                await web.websocket.send("again")

    with Client(flood) as client:
        client.send("go")
        assert len(client.messages) < 100_000
        client.drop()
