"""From http to https and no further: the redirect that every site with TLS has (SPEC 8)."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ioto_server.config import Config, Location
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


BOTH = ["http://:4100", "https://:4443"]


@pytest.mark.parametrize(
    ("config", "host", "own"),
    [
        ({"listen": BOTH}, "a.example:4100", "a.example:4443"),
        ({"listen": ["http://:4100", "https://b.example:4443"]}, "", "b.example:4443"),
        ({"listen": ["http://:80"]}, "[::1]:80", "[::1]"),
        ({"listen": ["https://[::1]:4443"]}, "", "[::1]:4443"),
        # As seen from outside.
        ({"listen": ["https://:4443"], "name": NAME}, "a.example", NAME),
        ({"listen": BOTH, "name": f"{NAME}:9443"}, "", f"{NAME}:9443"),
        ({"listen": ["http://:4100"], "name": f"{NAME}:9443"}, "", f"{NAME}:9443"),
        # A port is that of the scheme that has it.
        ({"listen": BOTH, "name": f"{NAME}:4100"}, NAME, f"{NAME}:4443"),
        ({"listen": BOTH, "name": f"{NAME}:4443"}, NAME, f"{NAME}:4443"),
        ({"listen": BOTH, "name": f"{NAME}:80"}, NAME, f"{NAME}:4443"),
        ({"listen": [*BOTH, "http://:4300", "https://:4301"], "name": f"{NAME}:4301"}, "", f"{NAME}:4301"),
        ({"listen": ["http://:4100"], "name": f"{NAME}:4100"}, "", NAME),
        ({"listen": ["http://[::1]:4100", "https://[::1]:4443"], "name": "[::1]:4100"}, "", "[::1]:4443"),
        # Who names no host has connected to an address.
        ({"listen": BOTH}, "", "192.0.2.1:4443"),
        ({"listen": ["https://[::]:4443"]}, "", "192.0.2.1:4443"),
    ],
)
def test_what_a_url_without_a_host_means(config: dict[str, object], host: str, own: str) -> None:
    assert own_host(Config.read(config), "https", Location("http", host, ""), "192.0.2.1") == own


@pytest.mark.parametrize(
    ("local", "own"),
    [("::1", "[::1]:4443"), ("fe80::1%eth0", "[fe80::1]:4443"), ("", "localhost:4443")],
)
def test_an_address_stands_in_a_url_as_urls_have_it(local: str, own: str) -> None:
    assert own_host(Config.read({"listen": BOTH}), "https", Location("http", "", ""), local) == own


def test_the_port_that_a_client_has_come_by_is_kept(start_daemon: StartDaemon, tmp_path: Path) -> None:
    """A proxy's is none of ours."""
    redirect = [{"from": "/old", "to": "https:///new"}]
    plain, tls = both(start_daemon, tmp_path, redirect=redirect, trustedProxies=["127.0.0.1"])
    for url in (plain, tls):
        with RawClient(url) as client:
            fields = [("X-Forwarded-Host", "shop.example:9443"), ("X-Forwarded-Proto", "https")]
            response = client.request("GET", "/old", fields)
        assert (response.status, response.get("location")) == (302, "https://shop.example:9443/new")


@pytest.mark.parametrize("named", ["http", "https"])
def test_each_scheme_is_led_to_at_its_own_port(start_daemon: StartDaemon, tmp_path: Path, named: str) -> None:
    with socket.create_server(("127.0.0.7", 0)) as one, socket.create_server(("127.0.0.7", 0)) as other:
        ports = {"http": one.getsockname()[1], "https": other.getsockname()[1]}
    settings = secure(tmp_path / "pair")
    config = {
        **settings,
        "listen": [f"{scheme}://127.0.0.7:{port}" for scheme, port in ports.items()],
        "name": f"{NAME}:{ports[named]}",
        "redirect": [{"from": "http:///a", "to": "https://"}, {"from": "https:///b", "to": "http:///c"}],
    }
    start_daemon(config, {})
    found = get(f"http://127.0.0.7:{ports['http']}", "/a")
    assert (found.status, found.get("location")) == (302, f"https://{NAME}:{ports['https']}/a")
    found = get(f"https://127.0.0.7:{ports['https']}", "/b")
    assert (found.status, found.get("location")) == (302, f"http://{NAME}:{ports['http']}/c")


def test_who_names_no_host_is_led_to_the_address_it_has_met(
    start_daemon: StartDaemon, tmp_path: Path
) -> None:
    settings = secure(tmp_path / "pair")
    redirect = [{"from": "http://", "to": "https://"}]
    daemon = start_daemon({**settings, "listen": ["http://:0", "https://:0"], "redirect": redirect}, {})
    port = urlsplit(str(daemon.log("listening")["url"])).port
    for address in ("127.0.0.1", "127.0.0.9"):
        with RawClient(f"http://{address}:{port}") as client:
            client.send(b"GET /a?b=c HTTP/1.0\r\n\r\n")
            response = client.read_response()
        assert (response.status, response.get("location")) == (302, f"https://{address}/a?b=c")


def test_a_route_that_leads_to_a_scheme_keeps_the_path(start_daemon: StartDaemon, tmp_path: Path) -> None:
    routes = [{"match": "/a/", "redirect": "https://"}, {"match": "/b", "redirect": "https:///"}, {}]
    plain, tls = both(start_daemon, tmp_path, name=NAME, routes=routes)
    assert get(plain, "/a/b%20c?d=e").get("location") == f"https://{NAME}/a/b%20c?d=e"
    assert get(plain, "/b?d=e").get("location") == f"https://{NAME}/?d=e"
    assert get(plain, "/").status == 200
    assert get(tls, "/a/b%20c").status == 404


def test_the_name_may_have_a_port(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"name": f"{NAME}:8080"}, {})
    assert get(daemon.url, "/", f"{NAME}:8080").status == 200
    assert get(daemon.url, "/", "other.example").status == 403
