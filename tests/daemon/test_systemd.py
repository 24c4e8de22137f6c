"""The real daemon under a stand-in for systemd: notify socket, sockets passed on, watchdog (SPEC 9)."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from ioto_server.daemon.ask import ask
from tests.support.daemon import run_program, write_project
from tests.support.raw import TEXT, RawClient
from tests.support.systemd import Manager
from tests.support.waiting import until

ECHO = """\
from ioto_server import Web, action


@action("/ws/echo")
async def echo(web: Web) -> None:
    async for message in web.websocket:
        await web.websocket.send(message)
"""

TELLS_WHEN_IT_STARTS = """\
import socket


def io_start(host):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.sendto(b"IO_START=1", {address!r})
"""

STUCK = """\
from ioto_server import Web, action


@action("/stuck")
async def stuck(web: Web) -> None:
    while True:
        pass
"""


def listening(address: str = "127.0.0.1") -> socket.socket:
    """A listening socket, as a .socket unit makes it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.bind((address, 0))
    made.listen()
    return made


def port(made: socket.socket) -> int:
    return int(made.getsockname()[1])


def echoes(url: str) -> bool:
    with RawClient(url) as client:
        client.upgrade("/ws/echo")
        client.send_frame(TEXT, b"hello")
        return client.read_message() == (TEXT, b"hello")


# The notify socket


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_it_is_ready_when_it_answers_and_says_when_it_stops(tmp_path: Path, abstract: bool) -> None:
    address = f"@ioto-{os.getpid()}-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    endpoint = f"unix:{tmp_path}/web"
    where = "\0" + address[1:] if abstract else address
    config = write_project(
        tmp_path,
        {"listen": [endpoint], "timeouts": {"drain": 7, "close": 2}},
        {"echo.py": ECHO, "tells.py": TELLS_WHEN_IT_STARTS.format(address=where)},
    )
    with Manager(config, address=address) as service:
        assert service.told() == {"EXTEND_TIMEOUT_USEC": "60000000"}, "timeouts.start, and time to import"
        assert service.told() == {"IO_START": "1"}, "nothing else before the plugins have started"
        assert service.told() == {"READY": "1", "STATUS": "Connections: 0, of them WebSockets: 0"}
        assert echoes(endpoint)
        service.signal(signal.SIGTERM)
        stopping = service.wait_for("STOPPING")
        assert (stopping["STOPPING"], stopping["EXTEND_TIMEOUT_USEC"]) == ("1", "16000000")
        assert service.wait() == 0


def test_what_does_not_start_is_never_ready(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = write_project(tmp_path, {"listen": f"http://127.0.0.1:{port(taken)}"}, {})
        with Manager(config) as service:
            assert service.wait() == 1
            assert not service.is_fed_within(0.01)
            assert "already" in service.output


def test_the_status_counts_connections(tmp_path: Path) -> None:
    config = write_project(tmp_path, {"listen": f"unix:{tmp_path}/web"}, {"echo.py": ECHO})
    with Manager(config) as service:
        service.wait_for("READY")
        with RawClient(f"unix:{tmp_path}/web") as client:
            client.upgrade("/ws/echo")
            service.wait_for("STATUS", "Connections: 1, of them WebSockets: 1")
        service.wait_for("STATUS", "Connections: 0, of them WebSockets: 0")


def test_a_reload_is_told_with_its_time_and_ends_ready_refused_or_not(tmp_path: Path) -> None:
    config = write_project(tmp_path, {"listen": f"unix:{tmp_path}/web"}, {"echo.py": ECHO})
    with Manager(config) as service:
        service.wait_for("READY")
        service.signal(signal.SIGHUP)
        told = service.wait_for("RELOADING", "1")
        assert told["MONOTONIC_USEC"].isdecimal()
        service.wait_for("READY", "1")
        config.write_text("{ broken")
        assert (
            run_program("reload", "--control", f"{tmp_path}/run/control.sock", cwd=tmp_path).returncode == 1
        )
        again = service.wait_for("RELOADING", "1")
        assert int(again["MONOTONIC_USEC"]) > int(told["MONOTONIC_USEC"])
        service.wait_for("READY", "1")
        assert echoes(f"unix:{tmp_path}/web")


def test_a_notify_socket_that_is_not_there_is_a_warning(tmp_path: Path) -> None:
    config = write_project(tmp_path, {"listen": f"unix:{tmp_path}/web"}, {"echo.py": ECHO})
    with Manager(config, env={"NOTIFY_SOCKET": f"{tmp_path}/gone"}) as service:
        while '"ready"' not in service.output or "systemd not told" not in service.output:
            assert service.process.poll() is None, service.output
        assert echoes(f"unix:{tmp_path}/web")


# The watchdog


def test_a_loop_that_turns_feeds_the_watchdog_and_a_stuck_one_does_not(tmp_path: Path) -> None:
    config = write_project(tmp_path, {"listen": f"unix:{tmp_path}/web"}, {"stuck.py": STUCK})
    with Manager(config, env={"WATCHDOG_USEC": "2000000"}) as service:
        service.wait_for("READY")
        for _ in range(3):
            assert service.is_fed_within(30)
        with RawClient(f"unix:{tmp_path}/web") as client:
            client.send(client.head("GET", "/stuck"))
            while service.is_fed_within(2):
                pass
            # What systemd does now; the log names the action that was at fault.
            service.signal(signal.SIGABRT)
            assert service.wait() == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in service.output
    # Whichever line of the loop it was at.
    assert re.search(rf'File "{tmp_path}/actions/stuck.py", line (6|7) in stuck', service.output)


def test_a_watchdog_for_another_process_is_not_fed(tmp_path: Path) -> None:
    config = write_project(tmp_path, {"listen": f"unix:{tmp_path}/web"}, {})
    with Manager(config, env={"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}) as service:
        assert set(service.told()) == {"EXTEND_TIMEOUT_USEC"}
        assert set(service.told()) == {"READY", "STATUS"}, "feeding would have begun before"


# Sockets that are passed on


def test_it_serves_the_sockets_it_is_given(tmp_path: Path) -> None:
    """Several at once: two TCP ports, IPv6, a unix socket, the control socket. Their files stay."""
    unix, control = tmp_path / "web", tmp_path / "ctl"
    made = [listening(), listening("::1"), listening()]
    for path in (unix, control):
        made.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        made[-1].bind(str(path))
        made[-1].listen()
    urls = [
        f"http://127.0.0.1:{port(made[0])}",
        f"http://[::1]:{port(made[1])}",
        f"http://127.0.0.1:{port(made[2])}",
        f"unix:{unix}",
    ]
    config = write_project(tmp_path, {"listen": urls, "control": str(control)}, {"echo.py": ECHO})
    with Manager(config, sockets=made, names=["a", "b", "c", "d", "e"]) as service:
        service.wait_for("READY")
        assert all(echoes(url) for url in urls)
        assert run_program("stop", "--control", control, cwd=tmp_path).returncode == 0
        assert service.wait() == 0
        for url in urls:
            # systemd holds it still: the next client waits for the next start.
            RawClient(url).close()
    assert unix.exists()
    assert control.exists()
    for one in made:
        one.close()


def test_an_endpoint_without_a_socket_is_bound_here(tmp_path: Path) -> None:
    with listening() as made:
        urls = [f"http://127.0.0.1:{port(made)}", f"unix:{tmp_path}/own"]
        config = write_project(tmp_path, {"listen": urls}, {"echo.py": ECHO})
        with Manager(config, sockets=[made]) as service:
            service.wait_for("READY")
            assert all(echoes(url) for url in urls)
            service.signal(signal.SIGTERM)
            assert service.wait() == 0
    assert not (tmp_path / "own").exists()


def test_a_socket_that_no_endpoint_has_is_named(tmp_path: Path) -> None:
    """Also one that is wider than the endpoint: `listen` says loopback, the socket takes everybody."""
    with listening() as other, listening("0.0.0.0") as wide:
        endpoint = f"http://127.0.0.1:{port(wide)}"
        config = write_project(tmp_path, {"listen": [endpoint, f"unix:{tmp_path}/web"]}, {})
        with Manager(config, sockets=[other, wide], names=["other", "wide"]) as service:
            assert service.wait() == 2
            assert (
                f"ioto-server: systemd passed on sockets that no endpoint of the configuration has: "
                f"127.0.0.1:{port(other)} (other), 0.0.0.0:{port(wide)} (wide); the endpoints are "
                f"{endpoint}, unix:{tmp_path}/web"
            ) in service.output
    assert not (tmp_path / "web").exists()


def test_an_endpoint_for_all_interfaces_takes_a_socket_for_all(tmp_path: Path) -> None:
    with listening("::") as made:
        config = write_project(tmp_path, {"listen": f"http://:{port(made)}"}, {"echo.py": ECHO})
        with Manager(config, sockets=[made]) as service:
            service.wait_for("READY")
            assert echoes(f"http://[::1]:{port(made)}")


@pytest.mark.parametrize("kind", ["datagram", "silent"])
def test_a_descriptor_that_is_no_listening_socket_is_named(tmp_path: Path, kind: str) -> None:
    config = write_project(tmp_path, {"listen": f"unix:{tmp_path}/web"}, {})
    with (
        socket.socket(
            socket.AF_INET, socket.SOCK_DGRAM if kind == "datagram" else socket.SOCK_STREAM
        ) as made,
        Manager(config, sockets=[made], names=["odd"]) as service,
    ):
        assert service.wait() == 2
    assert "Descriptor 3 (odd), which systemd passed on, cannot be used" in service.output
    assert "Accept=no" in service.output


def test_sockets_meant_for_another_process_are_left_alone(tmp_path: Path) -> None:
    """A shell that systemd has started may run us: its variables are not ours."""
    config = write_project(tmp_path, {"listen": f"unix:{tmp_path}/web"}, {"echo.py": ECHO})
    with Manager(config, env={"LISTEN_FDS": "1", "LISTEN_PID": "1"}) as service:
        service.wait_for("READY")
        assert echoes(f"unix:{tmp_path}/web")


NEVER_STARTS = """\
import asyncio


async def io_start(host):
    open("hangs", "w").close()
    await asyncio.sleep(3600)
"""


def test_nothing_is_ready_once_it_stops(tmp_path: Path) -> None:
    """A stop gives a reload up. Told of its end as of any other, systemd would take the service to run on."""
    url = f"unix:{tmp_path}/web"
    config = write_project(tmp_path, {"listen": url}, {"echo.py": ECHO})
    with Manager(config) as service:
        service.wait_for("READY")
        with RawClient(url) as client:
            client.upgrade("/ws/echo")
            (tmp_path / "actions" / "never.py").write_text(NEVER_STARTS)
            service.signal(signal.SIGHUP)
            until(lambda: (tmp_path / "hangs").exists(), "it waits for a plugin")
            service.signal(signal.SIGTERM)
            service.wait_for("STOPPING", "1")
            assert client.read_frame().close_code == 1001
            until(lambda: "reload refused" in service.output, "the reload is given up")
        assert service.wait() == 0
        assert service.left() == []


WAITS = """\
import asyncio
import os


async def io_start(host):
    open("waits", "w").close()
    while not os.path.exists("go"):
        await asyncio.sleep(0.01)
"""


def test_it_says_that_it_stops_also_before_it_is_ready(tmp_path: Path) -> None:
    config = write_project(tmp_path, {"listen": f"unix:{tmp_path}/web"}, {"waits.py": WAITS})
    with Manager(config) as service:
        until(lambda: (tmp_path / "waits").exists(), "it waits for a plugin")
        service.signal(signal.SIGTERM)
        assert "EXTEND_TIMEOUT_USEC" in service.wait_for("STOPPING", "1")
        assert service.wait() == 0


def test_it_is_ready_when_all_reloads_are_done(tmp_path: Path) -> None:
    config = write_project(tmp_path, {"listen": f"unix:{tmp_path}/web"}, {})
    with Manager(config) as service:
        service.wait_for("READY")
        (tmp_path / "actions" / "waits.py").write_text(WAITS)
        service.signal(signal.SIGHUP)
        until(lambda: (tmp_path / "waits").exists(), "it waits for a plugin")
        service.wait_for("RELOADING")
        service.signal(signal.SIGHUP)
        service.wait_for("RELOADING")
        (tmp_path / "go").touch()
        service.wait_for("READY")
        assert service.output.count('"reloaded"') == 2
        service.signal(signal.SIGTERM)
        assert service.wait() == 0
        assert not [told for told in service.left() if "READY" in told]


# Workers

WHO = """\
import os
import structlog
from ioto_server import Web, action

log = structlog.get_logger()


@action("/who")
async def who(web: Web) -> None:
    async for message in web.websocket:
        if message == "stuck":
            for number in range(3):
                log.info("before it is stuck")
            while True:
                pass
        await web.websocket.send(str(os.getpid()))
"""


def who(url: str) -> int:
    with RawClient(url) as client:
        client.upgrade("/who")
        client.send_frame(TEXT, b"who?")
        return int(client.read_message()[1])


def test_with_workers_it_is_ready_when_all_have_started(tmp_path: Path) -> None:
    """The supervisor speaks for all: nothing is told before the last worker is there, and nothing twice."""
    address = str(tmp_path / "notify")
    tells = TELLS_WHEN_IT_STARTS.format(address=address)
    with listening() as made, listening("::1") as other:
        urls = [f"http://127.0.0.1:{port(made)}", f"http://[::1]:{port(other)}"]
        config = write_project(tmp_path, {"listen": urls, "workers": 3}, {"tells.py": tells, "who.py": WHO})
        with Manager(config, address=address, sockets=[made, other]) as service:
            assert service.told() == {"EXTEND_TIMEOUT_USEC": "120000000"}, "the first alone, then the others"
            assert [service.told() for _ in range(3)] == [{"IO_START": "1"}] * 3
            assert service.told() == {"READY": "1", "STATUS": "Connections: 0, of them WebSockets: 0"}
            assert service.process.pid not in {who(url) for url in urls}
            service.signal(signal.SIGHUP)
            service.wait_for("RELOADING", "1")
            service.wait_for("READY", "1")
            with RawClient(urls[0]) as client:
                client.upgrade("/who")
                service.wait_for("STATUS", "Connections: 1, of them WebSockets: 1")
                service.signal(signal.SIGTERM)
                assert "STOPPING" in service.wait_for("STOPPING")
                assert client.read_frame().close_code == 1001
            assert service.wait() == 0


def test_a_stuck_worker_is_replaced_and_the_others_serve_on(tmp_path: Path) -> None:
    """The watchdog is fed on: it is the supervisor that ends the worker, with a traceback of its action."""
    url = f"unix:{tmp_path}/web"
    config = write_project(tmp_path, {"listen": url, "workers": 2}, {"who.py": WHO})
    with Manager(config, env={"WATCHDOG_USEC": "8000000"}) as service:
        service.wait_for("READY")
        with RawClient(url) as client:
            client.upgrade("/who")
            client.send_frame(TEXT, b"stuck")
            while "worker started" not in service.output:
                assert service.is_fed_within(30)
                assert who(url)
            assert client.read_to_end() == b""
    assert '"how": "SIGABRT"' in service.output
    assert re.search(rf'File "{tmp_path}/actions/who.py", line (14|15) in who', service.output)
    assert service.output.count("before it is stuck") == 3, "what it had gathered for the log is there too"


BROKEN = "raise RuntimeError('not today')\n"


def test_a_supervisor_whose_workers_do_not_start_is_fed_and_reloads(tmp_path: Path) -> None:
    """A restart of the service would mend nothing; what is mended by hand is taken up at once."""
    url, moved = f"unix:{tmp_path}/web", f"unix:{tmp_path}/moved"
    config = write_project(tmp_path, {"listen": url, "workers": 2}, {"who.py": WHO})
    with Manager(config, env={"WATCHDOG_USEC": "8000000"}) as service:
        service.wait_for("READY")
        pids = [worker["pid"] for worker in workers(tmp_path)]
        (tmp_path / "actions" / "who.py").write_text(BROKEN)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        # With the longest delays there is time to see who hurries.
        until(lambda: service.output.count("worker not started") >= 8, "neither starts")
        assert {worker["state"] for worker in workers(tmp_path)} <= {"down", "starting"}
        while service.is_fed_within(0.01):
            pass
        assert service.is_fed_within(30)
        (tmp_path / "actions" / "who.py").write_text(WHO)
        settings = json.loads(config.read_text())
        config.write_text(json.dumps({**settings, "listen": moved}))
        service.signal(signal.SIGHUP)
        service.wait_for("RELOADING", "1")
        service.wait_for("READY", "1")
        assert '"reloaded"' in service.output
        until(lambda: service.output.count('"worker started"') == 2, "both are replaced")
        assert who(moved) not in pids
        assert not (tmp_path / "web").exists()


def workers(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(folder / "run" / "control.sock", "status")["workers"]
    return found
