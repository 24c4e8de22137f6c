"""A plugin that misbehaves in every way while a thousand clients echo: none of them loses a message, and the
log says who it was, with file and line (SPEC 6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import StartDaemon
from tests.support.daemon import Daemon
from tests.support.raw import TEXT, RawClient, frame

from .test_reload_under_load import ECHO, Echoing

CLIENTS = 1000

BAD = """\
import asyncio
import sys
import time

from ioto_server import Event, Web, action

kept = []


@action("/bad/exception")
async def exception(web: Web) -> None:
    async for message in web.websocket:
        int(message)  # exception


def fail(ws, event, data, arg):
    if event is Event.MESSAGE:
        raise LookupError("nothing there")  # callback


@action("/bad/callback")
async def callback(web: Web) -> None:
    web.on_event(fail)
    await web.wait()


def dawdle(ws, event, data, arg):  # dawdle
    if event is Event.MESSAGE:
        time.sleep(0.3)


@action("/bad/dawdle")
async def dawdling(web: Web) -> None:
    web.on_event(dawdle)
    await web.wait()


@action("/bad/hold")  # hold
async def hold(web: Web) -> None:
    async for _ in web.websocket:
        time.sleep(0.3)


async def slow_event(ws, event, data, arg):  # slow_event
    if event is Event.MESSAGE:
        time.sleep(0.3)
        await ws.send("done")


@action("/bad/async-callback")
async def async_callback(web: Web) -> None:
    web.on_event(slow_event)
    await web.wait()


@action("/bad/endless")  # endless
async def endless(web: Web) -> None:
    web.accept()
    while True:
        await asyncio.sleep(0.01)


@action("/bad/deaf")  # deaf
async def deaf(web: Web) -> None:
    web.accept()
    while True:
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            pass


@action("/bad/leak")
async def leak(web: Web) -> None:
    async for _ in web.websocket:
        kept.extend(asyncio.create_task(never()) for _ in range(6000))


async def never() -> None:  # never
    await asyncio.get_running_loop().create_future()


@action("/bad/recursion")
async def recursion(web: Web) -> None:
    async for message in web.websocket:
        deeper(message)


def deeper(message):
    return deeper(message) + 1  # recursion


@action("/bad/background")
async def background(web: Web) -> None:
    async for _ in web.websocket:
        web.host.spawn(fail_behind(), name="behind")


async def fail_behind() -> None:
    raise LookupError("behind the scenes")  # background


@action("/bad/exit")
async def leave(web: Web) -> None:
    async for _ in web.websocket:
        sys.exit("gone")  # exit
"""


def line(mark: str) -> str:
    """Where in the plugin a comment stands, as the log names places."""
    number = next(number for number, text in enumerate(BAD.splitlines(), 1) if text.endswith(f"# {mark}"))
    return f"bad.py:{number}"


def traced(line: dict[str, Any], mark: str) -> bool:
    """Whether the traceback in a log line leads to a marked line."""
    number = line_number(mark)
    return f'bad.py", line {number}' in str(line["exception"])


def begins_with_the_author(line: dict[str, Any]) -> bool:
    """Whether the first line of a traceback is one of the plugin's."""
    return "bad.py" in str(line["exception"]).splitlines()[1]


def line_number(mark: str) -> int:
    return int(line(mark).partition(":")[2])


# What a client does to make each happen is to send a message and go; what the log says of it.
CULPRITS: dict[str, Callable[[Daemon], bool]] = {
    "/bad/exception": lambda daemon: traced(daemon.log("action failed", path="/bad/exception"), "exception"),
    "/bad/callback": lambda daemon: traced(daemon.log("action failed", path="/bad/callback"), "callback"),
    "/bad/recursion": lambda daemon: traced(daemon.log("action failed", path="/bad/recursion"), "recursion"),
    "/bad/exit": lambda daemon: (
        "sys.exit('gone')" in daemon.log("action failed", path="/bad/exit")["exception"]
    ),
    "/bad/dawdle": lambda daemon: daemon.log("callback held the loop", callback="bad.dawdle")[
        "where"
    ].endswith(line("dawdle")),
    "/bad/hold": lambda daemon: daemon.log("action held the loop", action="bad.hold")["where"].endswith(
        line("hold")
    ),
    "/bad/async-callback": lambda daemon: daemon.log("action held the loop", action="bad.slow_event")[
        "where"
    ].endswith(line("slow_event")),
    "/bad/endless": lambda daemon: daemon.log("action cancelled", prefix="/bad/endless")["action"].endswith(
        line("endless")
    ),
    "/bad/deaf": lambda daemon: daemon.log("action ignores its cancellation", prefix="/bad/deaf")[
        "action"
    ].endswith(line("deaf")),
    "/bad/leak": lambda daemon: daemon.log("tasks are left behind", function="never")["where"].endswith(
        line("never")
    ),
    "/bad/background": lambda daemon: traced(
        daemon.log("background task failed", task="behind"), "background"
    ),
}


def misbehave(daemon: Daemon) -> None:
    """Have everything happen, one after the other, and find each culprit in the log."""
    for path in CULPRITS:
        with RawClient(daemon.url) as client:
            client.upgrade(path)
            client.send_frame(TEXT, b"x")
            client.send_close(1000)
            client.read_to_end()
    for path, is_named in CULPRITS.items():
        assert is_named(daemon), path
    assert begins_with_the_author(daemon.log("action failed", path="/bad/exception"))
    assert begins_with_the_author(daemon.log("background task failed", task="behind"))


class Paced(Echoing):
    """A client that sends one message at a time."""

    async def echo(self) -> None:
        payload = b"message %d" % self.answered
        self._writer.write(frame(1, payload))
        answer = await self._reader.readexactly(2 + len(payload))
        assert answer == bytes([0x81, len(payload)]) + payload
        self.answered += 1


async def live_through(daemon: Daemon) -> None:
    clients = [Paced() for _ in range(CLIENTS)]
    for begin in range(0, CLIENTS, 100):
        await asyncio.gather(*(client.connect(daemon) for client in clients[begin : begin + 100]))
    bad = asyncio.create_task(asyncio.to_thread(misbehave, daemon))
    rounds = 0
    while not bad.done() or rounds < 10:
        await asyncio.gather(*(client.echo() for client in clients))
        rounds += 1
    await bad
    assert {client.answered for client in clients} == {rounds}
    for begin in range(0, CLIENTS, 100):
        await asyncio.gather(*(client.close() for client in clients[begin : begin + 100]))


@pytest.mark.alone
@pytest.mark.timeout(600)
def test_whatever_a_plugin_does_nobody_else_loses_a_message(start_daemon: StartDaemon) -> None:
    actions = {"echo.py": ECHO.format(number=0), "bad.py": BAD}
    daemon = start_daemon({"timeouts": {"close": 1, "drain": 2}}, actions)
    daemon.log("ready")
    asyncio.run(live_through(daemon))
