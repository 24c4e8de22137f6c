"""Whoever begins a TLS handshake takes a place (SPEC 5, limits.connections and limits.perAddress)."""

from __future__ import annotations

import socket

import pytest

from tests.conftest import StartDaemon
from tests.support.raw import RawClient
from tests.support.waiting import until


@pytest.mark.parametrize("limit", ["connections", "perAddress"])
def test_clients_that_say_nothing_count(start_daemon: StartDaemon, limit: str) -> None:
    daemon = start_daemon({"limits": {limit: 2}, "timeouts": {"parse": "2 secs"}})
    silent = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(2)]
    with RawClient(daemon.url) as client:
        response = client.read_response()
        assert (response.status, f"limits.{limit}" in response.text) == (503, True)
    # Their time is timeouts.parse.
    for one in silent:
        one.settimeout(30)
        assert one.recv(1) == b""

    def served() -> bool:
        with RawClient(daemon.url) as client:
            return client.request("GET", "/").status == 200

    until(served, "a place is free again")
    for one in silent:
        one.close()
