"""From http to https and no further: the redirect that every site with TLS has (SPEC 8)."""

from __future__ import annotations

from pathlib import Path

import pytest

from ioto_server.config import Config
from ioto_server.server.gate import own_host
from tests.conftest import StartDaemon
from tests.support.daemon import Daemon
from tests.support.raw import RawClient, Response
from tests.tls.certificates import secure

NAME = "live.example.com"


def both(start_daemon: StartDaemon, tmp_path: Path, **config: object) -> tuple[str, str]:
    """The URLs of a daemon that listens with and without TLS."""
    settings = secure(tmp_path / "pair")
    listen = ["http://127.0.0.1:0", *settings["listen"]]
    daemon: Daemon = start_daemon({**settings, "listen": listen, **config}, {})
    first, second = (str(daemon.log("listening", number=number)["url"]) for number in (1, 2))
    return first, second


def get(url: str, path: str, host: str = NAME) -> Response:
    with RawClient(url) as client:
        client.host = host
        return client.request("GET", path)


@pytest.mark.parametrize("to", ["https://", f"https://{NAME}/"])
def test_everything_goes_to_tls_and_stays_there(start_daemon: StartDaemon, tmp_path: Path, to: str) -> None:
    redirect = [{"from": "http://", "to": to, "status": 308}]
    plain, tls = both(start_daemon, tmp_path, name=NAME, redirect=redirect)
    for path in ("/", "/a/b?c=d", "/%C3%A4%20b"):
        response = get(plain, path)
        assert (response.status, response.get("location")) == (308, f"https://{NAME}{path}")
    assert get(tls, "/").status == 200
    assert get(tls, "/nothing").status == 404


def test_the_path_of_old_files_is_not_redirected_to_itself(start_daemon: StartDaemon, tmp_path: Path) -> None:
    """As it stood in our own documentation: `/` by any scheme."""
    redirect = [{"from": "/", "to": f"https://{NAME}/"}]
    plain, tls = both(start_daemon, tmp_path, name=NAME, redirect=redirect)
    assert get(plain, "/").get("location") == f"https://{NAME}/"
    assert get(tls, "/").status == 200


def test_behind_a_proxy_the_scheme_is_what_it_says(start_daemon: StartDaemon, tmp_path: Path) -> None:
    redirect = [{"from": "http://", "to": "https://"}]
    plain, _ = both(start_daemon, tmp_path, name=NAME, redirect=redirect, trustedProxies=["127.0.0.1"])
    with RawClient(plain) as client:
        client.host = NAME
        assert client.request("GET", "/", [("X-Forwarded-Proto", "https")]).status == 200
        assert client.request("GET", "/", [("X-Forwarded-Proto", "http")]).status == 302


@pytest.mark.parametrize(
    "field",
    [
        ("X-Forwarded-Host", "x/evil.example\\@y z"),
        ("X-Forwarded-Host", "good.example:99999"),
        ("X-Forwarded-Host", "user@evil.example"),
        ("X-Forwarded-Proto", "javascript"),
    ],
    ids=lambda field: f"{field[0]}: {field[1]}",
)
def test_what_a_proxy_hands_on_is_no_way_into_location(
    start_daemon: StartDaemon, tmp_path: Path, field: tuple[str, str]
) -> None:
    redirect = [{"from": "http://", "to": "https://"}]
    plain, _ = both(start_daemon, tmp_path, redirect=redirect, trustedProxies=["127.0.0.1"])
    with RawClient(plain) as client:
        response = client.request("GET", "/", [field])
    assert (response.status, response.get("location")) == (400, None)


def test_the_host_that_a_proxy_has_met_is_led_to(start_daemon: StartDaemon, tmp_path: Path) -> None:
    redirect = [{"from": "http://", "to": "https://"}]
    plain, _ = both(start_daemon, tmp_path, redirect=redirect, trustedProxies=["127.0.0.1"])
    with RawClient(plain) as client:
        response = client.request("GET", "/a", [("X-Forwarded-Host", "Shop.example")])
    assert (response.status, response.get("location")) == (302, "https://shop.example/a")


@pytest.mark.parametrize(
    ("config", "host", "own"),
    [
        ({"listen": ["http://:4100", "https://:4443"]}, "a.example:4100", "a.example:4443"),
        ({"listen": ["http://:4100", "https://b.example:4443"]}, "", "b.example:4443"),
        ({"listen": ["http://:80"]}, "[::1]:80", "[::1]"),
        ({"listen": ["https://[::1]:4443"]}, "", "[::1]:4443"),
        ({"listen": ["https://[::]:4443"]}, "", "localhost:4443"),
        ({"listen": ["https://:4443"], "name": NAME}, "a.example", NAME),
    ],
)
def test_what_a_url_without_a_host_means(config: dict[str, object], host: str, own: str) -> None:
    assert own_host(Config.read(config), "https", host) == own


def test_the_name_may_have_a_port(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"name": f"{NAME}:8080"}, {})
    assert get(daemon.url, "/", f"{NAME}:8080").status == 200
    assert get(daemon.url, "/", "other.example").status == 403
