"""The actions that ship, as a person who opens them would see them."""

from __future__ import annotations

import json
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.support.daemon import Daemon

PATIENCE = 30.0


def hear(connection: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of one kind."""
    while True:
        message: dict[str, Any] = json.loads(connection.recv(timeout=PATIENCE))
        if message["type"] == kind:
            return message


def test_the_example_of_the_page(daemon: Daemon) -> None:
    with connect(daemon.ws_url("/test/websockets")) as connection:
        assert connection.recv(timeout=PATIENCE) == "WebSocket connected"
        for message in ("one", b"two"):
            connection.send(message)
            assert connection.recv(timeout=PATIENCE) == "Response message"


def test_two_people_chat(daemon: Daemon) -> None:
    url = daemon.ws_url("/ws/chat?room=two-people")
    with connect(url, subprotocols=["chat"]) as ada:  # type: ignore[list-item]
        assert hear(ada, "presence")["count"] == 1
        with connect(url, subprotocols=["chat"]) as bob:  # type: ignore[list-item]
            assert hear(ada, "presence")["count"] == 2
            ada.send(json.dumps({"name": "Ada", "text": "Hällo Bob"}))
            for person in (ada, bob):
                message = hear(person, "message")
                assert (message["name"], message["text"]) == ("Ada", "Hällo Bob")
            bob.send(json.dumps({"name": "Bob", "text": "Hi Ada"}))
            assert hear(ada, "message")["text"] == "Hi Ada"
        assert hear(ada, "presence")["count"] == 1


def test_rooms_are_apart(daemon: Daemon) -> None:
    with (
        connect(daemon.ws_url("/ws/chat?room=here")) as here,
        connect(daemon.ws_url("/ws/chat?room=there")) as there,
    ):
        here.send(json.dumps({"name": "Ada", "text": "for here"}))
        assert hear(here, "message")["text"] == "for here"
        there.send(json.dumps({"name": "Bob", "text": "for there"}))
        assert hear(there, "message")["text"] == "for there"


def test_the_chat_says_what_it_cannot_read(daemon: Daemon) -> None:
    with connect(daemon.ws_url("/ws/chat?room=wrong")) as connection:
        for wrong in ("no JSON", "[]", '{"name": "Ada"}', '{"name": " ", "text": "hi"}'):
            connection.send(wrong)
            assert hear(connection, "error")["text"]


def test_the_feed_ticks(daemon: Daemon) -> None:
    with connect(daemon.ws_url("/ws/feed")) as first, connect(daemon.ws_url("/ws/feed")) as second:
        readings = [json.loads(first.recv(timeout=PATIENCE)) for _ in range(3)]
        assert json.loads(second.recv(timeout=PATIENCE)) in readings, "all listeners see one measurement"
    times = [reading["time"] for reading in readings]
    assert times == sorted(set(times))
    for reading in readings:
        assert 0 <= reading["cpu"] <= 100
        assert 0 < reading["memory"] <= 100
        assert len(reading["load"]) == 3
    assert readings[-1]["connections"] >= 2
