"""Whom a request is from, by what trusted proxies say of it."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from ioto_server.http import Headers
from ioto_server.server.peer import forwarded, peer_of

PROXY = ("192.0.2.1", 4711)
TRUSTED = (ip_network("192.0.2.0/24"), ip_network("2001:db8:1::/48"))


@pytest.mark.parametrize(
    ("said", "address", "name"),
    [
        ("198.51.100.1", "198.51.100.1", "198.51.100.1"),
        # Some proxies give the port, too: the address is the same client's.
        ("198.51.100.1:50001", "198.51.100.1", "198.51.100.1:50001"),
        ("[2001:db8::7]:50001", "2001:db8::7", "[2001:db8::7]:50001"),
        ("[2001:db8::7]", "2001:db8::7", "[2001:db8::7]"),
        ("2001:db8::7", "2001:db8::7", "2001:db8::7"),
        ("203.0.113.9, 198.51.100.1:1 , [2001:db8:1::2]:80, 192.0.2.8:80", "198.51.100.1", "198.51.100.1:1"),
        # What is no address is nobody: the last who is known is who it is.
        ("unknown", "192.0.2.1", "192.0.2.1:4711"),
        ("198.51.100.1, , 192.0.2.8", "192.0.2.8", "192.0.2.8"),
        ("198.51.100.1:port", "192.0.2.1", "192.0.2.1:4711"),
        ("[198.51.100.1", "192.0.2.1", "192.0.2.1:4711"),
        ("1.2.3.4.5:80", "192.0.2.1", "192.0.2.1:4711"),
    ],
)
def test_the_client_behind_proxies(said: str, address: str, name: str) -> None:
    peer = forwarded(peer_of(PROXY), Headers([("X-Forwarded-For", said)]), TRUSTED)
    assert (peer.address, peer.name) == (address, name)
    untrusted = forwarded(peer_of(("203.0.113.1", 1)), Headers([("X-Forwarded-For", said)]), TRUSTED)
    assert untrusted.address == "203.0.113.1"
