"""The daemon at `https://`: certificates of both sides, new ones while it runs, and how a connection ends."""

from __future__ import annotations

import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.conftest import StartDaemon
from tests.support.daemon import Daemon, run_program
from tests.support.raw import TEXT, RawClient, close_frame, frame, trusting
from tests.tls.certificates import AUTHORITY, client_context, replace, write_pair

WHO = """\
from ioto_server import Web, action


@action("/who")
async def who(web: Web) -> None:
    peer = web.tls["peer"]
    name = dict(field for (field,) in peer["subject"])["commonName"] if peer else None
    await web.write_json([web.tls["version"], web.tls["cipher"], name])


@action("/ws/who")
async def ws_who(web: Web) -> None:
    async for _ in web.websocket:
        await web.websocket.send(web.tls["version"])
"""


# What a record begins with that goes on with the handshake (RFC 8446, 5.1); an alert has 21.
HANDSHAKE = b"\x16"
NAME = """\
from ioto_server import Web, action


@action("/name")
async def name(web: Web) -> None:
    await web.write_json(web.tls["server_name"])
"""


def serial(url: str, authority: trustme.CA = AUTHORITY) -> str:
    """The serial number of the certificate that a new connection is shown, checked against `authority`."""
    with RawClient(url, tls=client_context(authority)) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        certificate: Any = client.sock.getpeercert()
    return str(certificate["serialNumber"])


def echoed(client: RawClient, text: bytes) -> bytes:
    client.send_frame(TEXT, text)
    return client.read_message()[1]


# What an action sees


def test_an_action_sees_what_was_agreed_on(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, {"who.py": WHO})
    with RawClient(daemon.url, tls=client_context()) as client:
        version, cipher, name = json.loads(client.request("GET", "/who").body)
    assert (version, name) == ("TLSv1.3", None)
    assert cipher.startswith("TLS_")


def test_a_websocket_sees_it_for_as_long_as_it_is_open(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, {"who.py": WHO})
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/who")
        for _ in range(2):
            assert echoed(client, b"?") == b"TLSv1.3"


def test_an_action_sees_who_the_client_is(start_daemon: StartDaemon, tmp_path: Path) -> None:
    daemon = start_verifying(start_daemon, tmp_path, authority := trustme.CA())
    known = client_context(certificate=authority.issue_cert("device-7.example", common_name="device-7"))
    with RawClient(daemon.url, tls=known) as client:
        assert json.loads(client.request("GET", "/who").body)[2] == "device-7"


def test_a_client_without_a_certificate_gets_nowhere(start_daemon: StartDaemon, tmp_path: Path) -> None:
    daemon = start_verifying(start_daemon, tmp_path, trustme.CA())
    with (
        RawClient(daemon.url, tls=client_context()) as client,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        client.request("GET", "/who")


def named(port: int, tls: ssl.SSLContext, name: str | None, session: Any = None) -> tuple[Any, Any]:
    """What an action sees of a client that asks for `name`, and what it can resume with."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        tls.wrap_socket(plain, server_hostname=name, session=session) as client,
    ):
        client.sendall(b"GET /name HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        answer = b""
        while piece := client.recv(1 << 16):
            answer += piece
        return (json.loads(answer.partition(b"\r\n\r\n")[2]), client.session_reused), client.session


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_an_action_sees_the_name_that_was_asked_for(
    start_daemon: StartDaemon, version: ssl.TLSVersion
) -> None:
    daemon = start_daemon({}, {"name.py": NAME})
    tls = trusting()
    tls.minimum_version = tls.maximum_version = version
    seen, session = named(daemon.port, tls, "Shop.example")
    assert seen == ("Shop.example", False)
    # Also where the handshake is cut short.
    assert named(daemon.port, tls, "Shop.example", session)[0] == ("Shop.example", True)
    assert named(daemon.port, tls, None)[0] == (None, False)
    assert named(daemon.port, tls, "127.0.0.1")[0] == (None, False), "an address is no name"


@pytest.mark.parametrize("name", [b"sh\xf6p.example", b"sh p.example", b"sh\x01p.example"])
def test_a_name_that_is_none_is_refused(start_daemon: StartDaemon, name: bytes) -> None:
    """RFC 6066, 3: it is ASCII without blanks."""
    daemon = start_daemon({}, {"name.py": NAME})
    outgoing = ssl.MemoryBIO()
    tls = trusting().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="shop.example")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as client:
        client.sendall(outgoing.read().replace(b"shop.example", name))
        answer = client.recv(1 << 16)
    assert not answer.startswith(HANDSHAKE)
    assert named(daemon.port, trusting(), "shop.example")[0] == ("shop.example", False)


def start_verifying(start_daemon: StartDaemon, folder: Path, authority: trustme.CA) -> Daemon:
    replace(folder / "clients.crt", authority.cert_pem.bytes())
    tls = {**write_pair(folder), "authority": str(folder / "clients.crt"), "verify": {"client": True}}
    return start_daemon({"tls": tls}, {"who.py": WHO})


def plain(daemon: Daemon) -> str:
    return daemon.url.replace("https", "http")


# What is no TLS


def test_plain_http_is_not_answered(start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    with RawClient(plain(daemon)) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert b"HTTP" not in client.read_to_end()
    assert serial(daemon.url), "others are served"


def test_a_handshake_that_never_comes_is_ended_by_timeouts_parse(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"parse": "200 ms"}})
    with RawClient(plain(daemon)) as client:
        assert client.read_to_end() == b""


def test_a_reload_changes_the_time_of_a_handshake(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"parse": "1 hour"}})
    daemon.log("ready")
    config = json.loads(daemon.config.read_text())
    daemon.config.write_text(json.dumps({**config, "timeouts": {"parse": "200 ms"}}))
    run = run_program("reload", "--config", daemon.config, cwd=daemon.folder)
    assert run.returncode == 0, run.stderr
    with RawClient(plain(daemon)) as client:
        assert client.read_to_end() == b""


# New files


def folder_of(daemon: Daemon) -> Path:
    """The folder of the daemon's certificate."""
    return Path(json.loads(daemon.config.read_text())["tls"]["certificate"]).parent


def test_new_files_are_taken_up_and_nobody_is_cut_off(start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    folder = folder_of(daemon)
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/echo")
        old = serial(daemon.url)
        another = trustme.CA()
        write_pair(folder, another)
        daemon.log("certificate renewed")
        assert serial(daemon.url, another) != old
        assert echoed(client, b"still here") == b"still here"


def test_a_bad_pair_is_refused_and_the_old_one_served(start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    old = serial(daemon.url)
    replace(folder_of(daemon) / "server.key", b"no key\n")
    assert "server.key" in daemon.log("certificate refused")["why"]
    assert serial(daemon.url) == old


def test_a_reload_takes_new_files_at_once(start_daemon: StartDaemon, tmp_path: Path) -> None:
    daemon = start_daemon()
    daemon.log("ready")
    config = json.loads(daemon.config.read_text())
    another = trustme.CA()
    daemon.config.write_text(json.dumps({**config, "tls": write_pair(tmp_path / "new", another)}))
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/echo")
        run = run_program("reload", "--config", daemon.config, cwd=daemon.folder)
        assert run.returncode == 0, run.stderr
        assert serial(daemon.url, another)
        assert echoed(client, b"still here") == b"still here"
    # From now on the new files are the ones that are watched.
    write_pair(tmp_path / "new", third := trustme.CA())
    daemon.log("certificate renewed")
    assert serial(daemon.url, third)


# How it ends


def test_a_close_handshake_is_followed_by_the_end_of_tls(start_daemon: StartDaemon) -> None:
    """RawClient takes a stream that ends without close_notify for cut off (RFC 8446, 6.1)."""
    daemon = start_daemon()
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/echo")
        client.send_close(1000)
        assert client.read_close() == (1000, "")


def test_input_after_a_failure_does_not_destroy_the_close(start_daemon: StartDaemon) -> None:
    """It is read and thrown away: a reset could overtake the Close that says what was wrong."""
    daemon = start_daemon()
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/echo")
        client.send(frame(TEXT, b"\xff") + frame(TEXT, bytes(100_000)) * 20)
        assert client.read_close()[0] == 1007


def test_a_client_that_ends_its_side_gets_what_was_answered_at_once(start_daemon: StartDaemon) -> None:
    """TLS ends in both directions: what is answered later is lost, and the connection is over."""
    daemon = start_daemon()
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/echo")
        assert isinstance(client.sock, ssl.SSLSocket)
        client.send(frame(TEXT, b"last words") + close_frame(1000))
        raw = socket.socket(fileno=client.sock.fileno())
        raw.shutdown(socket.SHUT_WR)
        raw.detach()
        assert client.read_message() == (TEXT, b"last words")
        assert client.read_close() == (1000, "")
    daemon.log("websocket close")
    assert "returning true" not in daemon.output


def test_a_client_that_never_ends_tls_is_dropped(start_daemon: StartDaemon) -> None:
    """It answers neither our Close nor our close_notify: `timeouts.close` is all it gets."""
    daemon = start_daemon({"timeouts": {"inactivity": "100 ms", "close": "100 ms"}})
    with RawClient(daemon.url) as client:
        client.upgrade("/ws/echo")
        assert client.read_frame().close_code == 1001
        # By the version of Python it is one of two errors.
        with pytest.raises(ssl.SSLError, match=r"(?i)eof"):
            client.read_to_end()
    daemon.log("websocket close")
