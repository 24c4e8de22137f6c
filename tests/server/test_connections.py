"""Who is let in: `limits.connections` and `limits.perAddress` (SPEC 5)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ioto_server.config import Config
from ioto_server.http import HttpError
from ioto_server.server.connections import Connections


class Client:
    """What a connection is to the count."""

    def __init__(self, address: str) -> None:
        self.address = address


def make(**limits: Any) -> Connections:
    config = Config.read({"limits": limits})
    return Connections(config.limits, ())


def admit(clients: Connections, address: str = "192.0.2.1") -> tuple[Any, HttpError | None]:
    client: Any = Client(address)
    return client, clients.admit(client)


def test_over_the_limit_they_are_refused_until_one_leaves() -> None:
    clients = make(connections=2)
    one, _ = admit(clients)
    _, second = admit(clients)
    refused, error = admit(clients)
    assert second is None
    assert error is not None
    assert (error.status, error.close) == (503, True)
    assert error.text == "The server has limits.connections connections: try again later"
    clients.closed(one)
    assert admit(clients)[1] is None
    clients.closed(refused)
    assert len(clients) == 2


def test_the_refused_do_not_take_the_places_of_others() -> None:
    clients = make(connections=2, perAddress=1)
    assert admit(clients, "192.0.2.1")[1] is None
    for _ in range(5):
        assert admit(clients, "192.0.2.1")[1] is not None
    assert admit(clients, "192.0.2.2")[1] is None


def test_handshakes_under_way_have_a_place() -> None:
    clients = make(connections=3, perAddress=2)
    one, two = clients.arrive("192.0.2.1"), clients.arrive("192.0.2.1")
    assert one is not None
    assert two is not None
    assert admit(clients, "192.0.2.1")[1] is not None, "the address has two already"
    assert admit(clients, "192.0.2.2")[1] is None
    assert admit(clients, "192.0.2.3")[1] is not None, "all places are taken"
    one.leave()
    one.leave()
    # Its own place is free for it.
    assert admit(clients, "192.0.2.1")[1] is None
    assert admit(clients, "192.0.2.1")[1] is not None
    two.leave()
    assert admit(clients, "192.0.2.1")[1] is None
    assert len(clients) == 3


def test_few_are_let_in_to_be_refused() -> None:
    """They have to finish a handshake to read why: more of them are closed without a word."""
    clients = make(connections=1)
    clients.arrive("192.0.2.1")
    hopeless = [clients.arrive("192.0.2.2") for _ in range(300)]
    refused = [one for one in hopeless if one is not None]
    assert len(refused) == 256
    for one in refused[:2]:
        one.leave()
    assert admit(clients, "192.0.2.2")[1] is not None
    assert clients.arrive("192.0.2.2") is not None
    assert clients.arrive("192.0.2.2") is None


def test_over_the_limit_of_an_address_only_that_address_is_refused() -> None:
    clients = make(perAddress=2)
    one, _ = admit(clients, "192.0.2.1")
    assert admit(clients, "192.0.2.1")[1] is None
    refused, error = admit(clients, "192.0.2.1")
    assert error is not None
    assert error.text == "This address has limits.perAddress connections: close one"
    assert admit(clients, "192.0.2.2")[1] is None
    clients.closed(refused)
    assert admit(clients, "192.0.2.1")[1] is not None
    clients.closed(one)
    assert admit(clients, "192.0.2.1")[1] is None


def test_who_has_no_address_of_his_own_is_not_counted_by_it() -> None:
    """Behind a trusted proxy, or a unix socket, everybody has the same."""
    clients = make(perAddress=1)
    for _ in range(3):
        assert admit(clients, "")[1] is None


def test_behind_a_proxy_the_client_it_names_is_counted() -> None:
    clients = make(perAddress=1)
    one, _ = admit(clients, "")
    two, _ = admit(clients, "")
    clients.claim(one, "198.51.100.7")
    with pytest.raises(HttpError) as refused:
        clients.claim(two, "198.51.100.7")
    assert refused.value.status == 503
    clients.closed(one)
    clients.claim(two, "198.51.100.7")
    clients.closed(two)
    assert len(clients) == 0
    assert not clients._addresses


def test_only_so_many_refused_clients_are_waited_for() -> None:
    clients = make(connections=1)
    first, _ = admit(clients)
    waits = [clients.may_linger(admit(clients)[0]) for _ in range(300)]
    assert waits == [True] * 256 + [False] * 44
    assert clients.may_linger(first)


def test_everybody_is_waited_for_at_the_end() -> None:
    async def run() -> None:
        clients = make(connections=1)
        one, _ = admit(clients)
        refused, _ = admit(clients)
        gone = asyncio.ensure_future(clients.gone())
        for client in (one, refused):
            await asyncio.sleep(0)
            assert not gone.done()
            clients.closed(client)
        await gone

    asyncio.run(run())
