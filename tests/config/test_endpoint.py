"""Entries of `listen`."""

from __future__ import annotations

from pathlib import Path

import pytest

from ioto_server.config.endpoint import Endpoint, parse_endpoint
from ioto_server.config.values import WrongValue

BASE = Path("/srv/etc")


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("http://localhost:4100", Endpoint("http", "localhost", 4100)),
        ("http://LocalHost:4100/", Endpoint("http", "localhost", 4100)),
        ("HTTP://127.0.0.1:0", Endpoint("http", "127.0.0.1", 0)),
        ("http://:80", Endpoint("http", "", 80)),
        ("http://", Endpoint("http", "", 80)),
        ("https://:443", Endpoint("https", "", 443)),
        ("http://[::1]:4100", Endpoint("http", "::1", 4100)),
        ("http://[0:0:0:0:0:0:0:1]:4100", Endpoint("http", "::1", 4100)),
        ("http://[fe80::1%eth0]:80", Endpoint("http", "fe80::1%eth0", 80)),
        ("http://device.example.com", Endpoint("http", "device.example.com", 80)),
        ("https://device.example.com", Endpoint("https", "device.example.com", 443)),
        ("http://my_device:65535", Endpoint("http", "my_device", 65535)),
        ("unix:/run/web.sock", Endpoint("unix", path=Path("/run/web.sock"))),
        ("unix:///run/web.sock", Endpoint("unix", path=Path("/run/web.sock"))),
        ("unix:run/web.sock", Endpoint("unix", path=Path("/srv/etc/run/web.sock"))),
    ],
)
def test_what_is_written_is_what_is_listened_at(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text, BASE) == endpoint
    assert parse_endpoint(str(endpoint), BASE) == endpoint


@pytest.mark.parametrize(
    ("text", "shown"),
    [("http://[::1]:80", "http://[::1]:80"), ("http://:80", "http://:80"), ("unix:a", "unix:/srv/etc/a")],
)
def test_it_is_shown_as_it_is_written(text: str, shown: str) -> None:
    assert str(parse_endpoint(text, BASE)) == shown


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        4100,
        [],
        {},
        "",
        "http",
        "http:localhost:80",
        "ftp://localhost",
        "http://a b:80",
        "http://localhost:65536",
        "http://localhost:-1",
        "http://localhost:80:81",
        "http://user@localhost:80",
        "http://localhost:80?x",
        "http://[localhost]:80",
        "http://[::1:80",
        "http://[]:80",
        "http://1.2.3:80",
        "http://256.0.0.1",
        "http://-a:80",
        "http://a..b:80",
        "http://" + "a" * 64,
        "http://" + "a." * 130,
        "http://bücher.example:80",
        "unix:",
        "unix:/",
        "unix:a\0b",
        "http://localhost:80\n",
    ],
)
def test_what_is_no_endpoint(value: object) -> None:
    with pytest.raises(WrongValue):
        parse_endpoint(value, BASE)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (4100, "write 'http://localhost:4100', or 'http://:4100' for all interfaces"),
        ("4100", "write 'http://localhost:4100', or 'http://:4100' for all interfaces"),
        (70000, None),
        ("localhost", "write 'http://localhost:4100'"),
        ("*:80", "write 'http://:80'"),
        ("localhost:4100/", "write 'http://localhost:4100'"),
        ("http:localhost:4100", "write 'http://localhost:4100'"),
        ("ssl://[::1]", "write 'https://[::1]:4100'"),
        ("httpd:80", "write 'http://httpd:80'"),
        ("somewhere else", None),
        (":4100", "write 'http://:4100'"),
        ("localhost:4100", "write 'http://localhost:4100'"),
        ("[::1]:4100", "write 'http://[::1]:4100'"),
        ("/run/web.sock", "for a unix socket write 'unix:/run/web.sock'"),
        ("ws://localhost:4100", "WebSockets share the HTTP port: write 'http://localhost:4100'"),
        ("wss://localhost:4100", "WebSockets share the HTTP port: write 'https://localhost:4100'"),
        ("http://localhost:4100/ws", "an endpoint has no path: write 'http://localhost:4100'"),
        ("http://ada:secret@localhost:4100/ws", "an endpoint has no path: write 'http://localhost:4100'"),
        ("ws://ada:secret@localhost:4100", "WebSockets share the HTTP port: write 'http://localhost:4100'"),
        ("http://ada:secret@localhost:4100", "write 'http://localhost:4100'"),
        ("http://ada:se/cr@et@localhost:4100", "write 'http://localhost:4100'"),
        ("http://*:80", "for all interfaces write 'http://:80'"),
        ("http://localhost:", "write 'http://localhost:4100'"),
        ("http://::1:80", "an IPv6 address stands in brackets: 'http://[::1]:4100'"),
        ("http://bücher.example:80", "write it in its xn-- form"),
    ],
)
def test_what_was_meant_is_said(value: object, hint: str | None) -> None:
    with pytest.raises(WrongValue) as caught:
        parse_endpoint(value, BASE)
    assert caught.value.hint == hint
