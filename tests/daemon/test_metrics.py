"""Prometheus metrics of the real daemon: the numbers after a known history (SPEC 2, `metrics`)."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import StartDaemon
from tests.support import REPOSITORY
from tests.support.daemon import Daemon, run_program
from tests.support.raw import PING, TEXT, RawClient, frame
from tests.support.waiting import until

ACTIONS = """\
import time
from ioto_server import Event, Web, action


@action("/talks")
async def talks(web: Web) -> None:
    web.on_event(on_event)
    await web.wait()


def on_event(ws, event, data, arg):
    if event is Event.MESSAGE:
        if data == "raise":
            raise RuntimeError("asked to")
        if data.startswith("sleep "):
            time.sleep(int(data[6:]) / 1000)
        if data == "flood":
            for _ in range(100):
                ws.send(bytes(1_000_000))
        ws.send(data)


@action("/refuses")
async def refuses(web: Web) -> None:
    web.error(403, "no")
"""

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def start(start_daemon: StartDaemon, **config: Any) -> Daemon:
    metrics = {"listen": "http://127.0.0.1:0"}
    return start_daemon({"metrics": metrics, "timeouts": {"close": 0.1}, **config}, {"a.py": ACTIONS})


def scrape(daemon: Daemon) -> Samples:
    base, _, path = daemon.log("metrics")["url"].rpartition("/")
    with RawClient(base) as client:
        response = client.request("GET", f"/{path}")
    assert response.status == 200
    assert (response.get("Content-Type") or "").startswith("text/plain; version=")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[(name, frozenset(labels.items()))]


def test_messages_and_bytes_of_open_and_ended_connections_are_added_up(start_daemon: StartDaemon) -> None:
    daemon = start(start_daemon)
    with RawClient(daemon.url) as one, RawClient(daemon.url) as two:
        for client in (one, two):
            client.upgrade("/talks")
            client.send_frame(TEXT, b"hello")
            assert client.read_message() == (TEXT, b"hello")
        both = scrape(daemon)
        assert value(both, "ioto_connections") == value(both, "ioto_websockets") == 2
        one.send_close(1000)
        assert one.read_close() == (1000, "")
        daemon.log("websocket close")
        left = scrape(daemon)
    for samples in (both, left):
        assert value(samples, "ioto_messages_total", direction="in") == 2
        assert value(samples, "ioto_messages_total", direction="out") == 2
    # A frame of five masked bytes is 11 long, its echo 7; a Close with a code is 8 and 4.
    assert value(both, "ioto_bytes_total", direction="in") == 2 * 11
    assert value(left, "ioto_bytes_total", direction="in") == 2 * 11 + 8
    assert value(both, "ioto_bytes_total", direction="out") == 2 * 7
    assert value(left, "ioto_bytes_total", direction="out") == 2 * 7 + 4
    assert value(left, "ioto_closes_total", code="1000", by="peer", cause="peer closed") == 1
    assert value(left, "ioto_websocket_seconds_count") == 1


def test_handshakes_and_requests_are_counted_by_result(start_daemon: StartDaemon) -> None:
    daemon = start(start_daemon)
    for _ in range(2):
        with RawClient(daemon.url) as client:
            client.upgrade("/talks")
    for target, headers in (("/refuses", []), ("/talks", [("Sec-WebSocket-Version", "12")]), ("/none", [])):
        with RawClient(daemon.url) as client:
            assert client.handshake(target, headers).status in (403, 404, 426)
    with RawClient(daemon.url) as client:
        client.request("GET", "/none")
    with RawClient(daemon.url) as client:
        client.send(b"rubbish\r\n\r\n")
        client.read_response()
    samples = scrape(daemon)
    assert value(samples, "ioto_handshakes_total", result="accepted") == 2
    assert value(samples, "ioto_handshakes_total", result="refused") == 3
    assert value(samples, "ioto_requests_total", status="404") == 2
    assert value(samples, "ioto_requests_total", status="403") == 1
    assert value(samples, "ioto_refused_total", status="400") == 1
    assert value(samples, "ioto_request_seconds_count") == 4


def test_the_dashboard_shows_what_there_is(start_daemon: StartDaemon) -> None:
    dashboard = json.loads((REPOSITORY / "docs" / "grafana.json").read_text())
    shown = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"\b(?:ioto|process)_\w+", target["expr"])
    }
    everything = {"workers": 2, "topics": {"broker": "unix:///nowhere/redis.sock"}}
    daemon = start(start_daemon, webSockets={"ping": 0.05}, **everything)
    daemon.log("ready")
    base, _, path = daemon.log("metrics")["url"].rpartition("/")
    with RawClient(base) as client:
        text = client.request("GET", f"/{path}").text
    there = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    there |= {f"{name}_bucket" for name in there} | {"ioto_tls_days_left"}
    assert len(shown) > 15
    assert shown <= there, shown - there


def test_what_goes_wrong_is_counted(start_daemon: StartDaemon) -> None:
    daemon = start(start_daemon, limits={"maxBacklog": "100KB"})
    daemon.log("ready")
    run_program("log", "warning", "--config", daemon.config, cwd=daemon.folder)
    with RawClient(daemon.url) as client:
        client.upgrade("/talks")
        client.send_frame(TEXT, b"raise")
        assert client.read_frame().close_code == 1011
    with RawClient(daemon.url) as client:
        client.upgrade("/talks")
        client.send_frame(TEXT, b"flood")
        while ("ioto_slow_consumers_total", frozenset()) not in (samples := scrape(daemon)) or not value(
            samples, "ioto_slow_consumers_total"
        ):
            pass
    assert value(samples, "ioto_action_errors_total") == 1
    assert value(samples, "ioto_closes_total", code="1008", by="server", cause="peer reads too slowly") == 1
    # Lines below log.level are not written, and counted all the same.
    assert '"websocket close"' not in daemon.output


def test_the_time_of_actions_is_measured_from_a_millisecond_on(start_daemon: StartDaemon) -> None:
    daemon = start(start_daemon)
    with RawClient(daemon.url) as client:
        client.upgrade("/talks")
        for text in (b"quick", b"sleep 5", b"sleep 120"):
            client.send_frame(TEXT, text)
            client.read_message()
        samples = scrape(daemon)
    assert value(samples, "ioto_action_seconds_count", action="a.on_event") >= 2
    assert value(samples, "ioto_action_seconds_bucket", action="a.on_event", le="0.002") <= 1
    assert value(samples, "ioto_action_seconds_sum", action="a.on_event") >= 0.125
    assert value(samples, "ioto_callbacks_held_loop_total") >= 1


def test_functions_of_one_name_in_two_plugins_are_told_apart(start_daemon: StartDaemon) -> None:
    plugin = "import time\n\ndef action(web):\n    time.sleep({})\n    web.write('done')\n"
    files = {"a.py": ACTIONS, "sensors.py": plugin.format(0.005), "house/kitchen.py": plugin.format(0.12)}
    daemon = start_daemon({"metrics": {"listen": "http://127.0.0.1:0"}}, files)
    for path, times in (("/sensors", 1), ("/house/kitchen", 2)):
        for _ in range(times):
            with RawClient(daemon.url) as client:
                assert client.request("GET", path).text == "done"
    samples = scrape(daemon)
    assert value(samples, "ioto_action_seconds_count", action="sensors.action") == 1
    assert value(samples, "ioto_action_seconds_count", action="house.kitchen.action") == 2


def test_reloads_lag_and_the_process_are_there(start_daemon: StartDaemon) -> None:
    daemon = start(start_daemon)
    daemon.log("ready")
    text = daemon.config.read_text()
    daemon.config.write_text("{ broken")
    assert run_program(
        "reload", "--control", f"{daemon.folder}/run/control.sock", cwd=daemon.folder
    ).returncode
    daemon.config.write_text(text)
    for _ in range(2):
        assert run_program("reload", "--config", daemon.config, cwd=daemon.folder).returncode == 0
    samples = scrape(daemon)
    assert value(samples, "ioto_reloads_total", result="done") == 2
    assert value(samples, "ioto_reloads_total", result="refused") == 1
    assert value(samples, "process_open_fds") > 5
    while value(samples, "ioto_loop_lag_seconds_count") == 0:
        samples = scrape(daemon)


def test_round_trips_and_backlog_of_open_connections(start_daemon: StartDaemon) -> None:
    daemon = start(start_daemon, webSockets={"ping": 0.1}, limits={"maxBacklog": "500MB"})
    with RawClient(daemon.url) as client:
        client.upgrade("/talks")
        assert ("ioto_ping_latency_seconds", frozenset({("quantile", "0.5")})) not in scrape(daemon)
        ping = client.read_frame()
        assert ping.opcode == PING
        client.send(frame(0xA, ping.payload) + frame(TEXT, b"flood"))
        while value(samples := scrape(daemon), "ioto_backlog_bytes") < 10_000_000:
            pass
        assert 0 < value(samples, "ioto_ping_latency_seconds", quantile="0.5") < 30
        assert value(samples, "ioto_backlog_largest_bytes") == value(samples, "ioto_backlog_bytes")
        assert value(samples, "ioto_held_bytes") >= value(samples, "ioto_backlog_bytes")


def test_days_of_the_certificate(start_daemon: StartDaemon, tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("localhost")
    (tmp_path / "crt").write_bytes(b"".join(one.bytes() for one in issued.cert_chain_pems))
    (tmp_path / "key").write_bytes(issued.private_key_pem.bytes())
    tls = {"certificate": str(tmp_path / "crt"), "key": str(tmp_path / "key")}
    daemon = start(start_daemon, tls=tls, listen=["https://127.0.0.1:0"])
    assert value(scrape(daemon), "ioto_tls_days_left") > 300


@pytest.mark.parametrize(
    ("request_line", "status"),
    [("GET /", 404), ("POST /metrics", 405), ("HEAD /metrics", 200), ("GET /metrics", 200)],
)
def test_the_endpoint_answers_nothing_else(start_daemon: StartDaemon, request_line: str, status: int) -> None:
    daemon = start(start_daemon)
    method, target = request_line.split()
    with RawClient(daemon.log("metrics")["url"].removesuffix("/metrics")) as client:
        response = client.request(method, target)
        assert response.status == status
        assert bool(response.body) == (method != "HEAD")
        assert client.read_to_end() == b""
    with RawClient(daemon.log("metrics")["url"].removesuffix("/metrics")) as client:
        client.send(b"rubbish\r\n\r\n")
        assert client.read_response().status == 400
    with RawClient(daemon.url) as client:
        assert client.request("GET", "/metrics").status == 404, "an endpoint of its own"


def test_no_web_page_reads_the_endpoint_by_a_name_of_its_own(start_daemon: StartDaemon) -> None:
    daemon = start(start_daemon, name="prometheus.example:4101")
    base = daemon.log("metrics")["url"].removesuffix("/metrics")
    for host, status in [("evil.example", 403), ("localhost", 200), ("prometheus.example", 200)]:
        with RawClient(base) as client:
            client.host = host
            assert client.request("GET", "/metrics").status == status, host


def test_who_opens_many_connections_to_the_endpoint_takes_few(start_daemon: StartDaemon) -> None:
    daemon = start(start_daemon)
    base = daemon.log("metrics")["url"].rpartition("/")[0]
    with ExitStack() as stack:
        first, *_ = [stack.enter_context(RawClient(base)) for _ in range(32)]
        with RawClient(base) as one_more:
            assert one_more.read_to_end() == b""
        first.send(first.head("GET", "/metrics"))
        assert first.read_to_end().startswith(b"HTTP/1.1 200 ")

    def answers() -> bool:
        with RawClient(base) as client:
            client.send(client.head("GET", "/metrics"))
            return client.read_to_end().startswith(b"HTTP/1.1 200 ")

    until(answers, "an answer once the others have left")
