"""Time that a test moves on by itself: nothing here waits."""

from __future__ import annotations

import asyncio

from ioto_server import Web
from ioto_server.testing import Client, Server


async def idle(web: Web) -> None:
    await web.wait()


async def ticks(web: Web) -> None:
    web.accept()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for _ in range(3):
        await asyncio.sleep(60)
        await web.websocket.send(str(round(loop.time() - begun)))
    await web.wait()


def test_sleeps_end_on_their_minute() -> None:
    with Client(ticks) as client:
        client.advance(59)
        assert client.messages == ()
        client.advance(2)
        assert client.messages == ("60",)
        client.advance(120)
        assert client.messages == ("60", "120", "180")


def test_an_idle_client_is_closed_at_timeouts_inactivity() -> None:
    with Client(idle, settings={"timeouts.inactivity": "1 hour"}) as client:
        client.advance(3590)
        assert client.closed is None
        client.advance(20)
        assert client.closed == (1001, "Inactivity timeout")


def test_update_deadline_can_be_tested() -> None:
    async def patient(web: Web) -> None:
        async for _ in web.websocket:
            web.update_deadline(inactivity=7200)

    with Client(patient, settings={"timeouts.inactivity": "1 hour"}) as client:
        client.send("more time, please")
        client.advance(7100)
        assert client.closed is None
        client.advance(200)
        assert client.closed == (1001, "Inactivity timeout")


def test_pings_come_and_are_answered() -> None:
    with Client(idle, settings={"webSockets.ping": "30 secs", "timeouts.inactivity": "1 min"}) as client:
        client.advance(600)
        assert 19 <= len(client.pings) <= 21
        assert client.closed is None


def test_a_client_that_answers_no_ping_is_given_up() -> None:
    settings = {"webSockets.ping": "30 secs", "timeouts.pong": "10 secs"}
    with Client(idle, settings=settings, answer_pings=False) as client:
        client.advance(60)
        assert client.closed == (1011, "Keep-alive timeout")


def test_background_tasks_of_a_plugin_see_the_time_too() -> None:
    async def listen(web: Web) -> None:
        web.websocket.subscribe("clock")

        async def clock() -> None:
            for hour in range(3):
                await asyncio.sleep(3600)
                web.host.publish("clock", str(hour))

        web.host.spawn(clock())
        await web.wait()

    with Server(listen, settings={"timeouts.inactivity": "never"}) as server:
        client = server.connect("/")
        server.advance(7200)
        assert client.messages == ("0", "1")
