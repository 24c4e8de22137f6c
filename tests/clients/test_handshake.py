"""The opening handshake over the wire: what is accepted, and how each refusal reads (RFC 6455 4, SPEC 3)."""

from __future__ import annotations

import pytest

from tests.conftest import StartDaemon
from tests.support.daemon import Daemon
from tests.support.raw import TEXT, RawClient, Response, frame

Changes = list[tuple[str, str | None]]


def ask(daemon: Daemon, changes: Changes, target: str = "/ws/echo") -> Response:
    with RawClient(daemon.url) as client:
        return client.handshake(target, changes)


def check_refusal(response: Response, status: int, rule: str) -> None:
    """A refusal is a plain answer whose body is one line that says which rule."""
    assert response.status == status, response.text
    assert (response.get("Content-Type") or "").startswith("text/plain")
    assert rule in response.text
    assert response.text.count("\n") <= 1
    assert response.get("Sec-WebSocket-Accept") is None


def test_the_101_is_complete(daemon: Daemon) -> None:
    with RawClient(daemon.url) as client:
        response = client.upgrade("/ws/echo")
    assert response.get("Upgrade") == "websocket"
    assert response.get("Connection") == "Upgrade"
    assert response.get("Sec-WebSocket-Protocol") is None
    assert response.get("Sec-WebSocket-Extensions") is None
    assert response.get("Content-Length") is None
    assert response.get("X-Inactivity-Timeout") == "300"
    assert response.get("X-Request-Timeout") is None, "a WebSocket has no request timeout unless defined"


def test_the_example_of_the_rfc(daemon: Daemon) -> None:
    """RFC 6455 1.3 computes this accept value for this key."""
    response = ask(daemon, [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")])
    assert response.status == 101
    assert response.get("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_a_defined_request_timeout_is_told(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"timeouts": {"request": "1 hour", "inactivity": "2 mins"}})
    response = ask(daemon, [])
    assert response.get("X-Request-Timeout") == "3600"
    assert response.get("X-Inactivity-Timeout") == "120"


@pytest.mark.parametrize(
    "changes",
    [
        [("Upgrade", "WebSocket")],
        [("Upgrade", "h2c, websocket")],
        [("Connection", "keep-alive, UPGRADE")],
        [("Connection", "keep-alive"), ("Connection", "upgrade")],
        [("Origin", "{origin}")],
    ],
    ids=str,
)
def test_tokens_count_in_any_case_and_place(daemon: Daemon, changes: Changes) -> None:
    given: Changes = [(name, value and value.format(origin=daemon.url)) for name, value in changes]
    assert ask(daemon, given).status == 101


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ([("Connection", "keep-alive")], "Connection"),
        ([("Sec-WebSocket-Version", None)], "Sec-WebSocket-Version"),
        ([("Sec-WebSocket-Key", None)], "Sec-WebSocket-Key"),
        ([("Sec-WebSocket-Key", "dG9vIHNob3J0")], "Sec-WebSocket-Key"),
        ([("Sec-WebSocket-Key", "not base64 at all!!!!!!!")], "Sec-WebSocket-Key"),
        ([("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")] * 2, "Sec-WebSocket-Key"),
        ([("Host", None)], "Host"),
        ([("Sec-WebSocket-Protocol", "superchat")], "Unsupported Sec-WebSocket-Protocol"),
    ],
    ids=str,
)
def test_a_broken_handshake_is_400(daemon: Daemon, changes: Changes, rule: str) -> None:
    check_refusal(ask(daemon, changes), 400, rule)


def test_a_body_is_refused(daemon: Daemon) -> None:
    with RawClient(daemon.url) as client:
        client.send(client.upgrade_head("/ws/echo", [("Content-Length", "5")]) + b"hello")
        check_refusal(client.read_response(), 400, "body")


@pytest.mark.parametrize("version", ["12", "8", "14", "0"])
def test_another_version_is_426_with_ours(daemon: Daemon, version: str) -> None:
    response = ask(daemon, [("Sec-WebSocket-Version", version)])
    check_refusal(response, 426, "13")
    assert response.get("Sec-WebSocket-Version") == "13"
    assert response.get("Upgrade") == "websocket"
    assert "upgrade" in (response.get("Connection") or "").lower()


def test_a_plain_get_of_a_websocket_action_is_426(daemon: Daemon) -> None:
    with RawClient(daemon.url) as client:
        response = client.request("GET", "/ws/echo")
    check_refusal(response, 426, "WebSocket")
    assert response.get("Upgrade") == "websocket"
    assert response.get("Sec-WebSocket-Version") == "13"


def test_another_method_is_405_with_allow(daemon: Daemon) -> None:
    with RawClient(daemon.url) as client:
        response = client.request("POST", "/ws/echo", body=b"hello")
    assert response.status == 405
    assert "GET" in (response.get("Allow") or "")


def test_a_prefix_without_an_action_is_404(daemon: Daemon) -> None:
    check_refusal(ask(daemon, [], "/ws/nothing-here"), 404, "No action")
    check_refusal(ask(daemon, [], "/ws/echoes"), 404, "No action")


def test_a_path_below_the_prefix_belongs_to_the_action(daemon: Daemon) -> None:
    assert ask(daemon, [], "/ws/echo/below").status == 101


@pytest.mark.parametrize("origin", ["http://evil.example", "https://127.0.0.1", "http://127.0.0.1:1", "null"])
def test_a_foreign_origin_is_403_with_the_directive(daemon: Daemon, origin: str) -> None:
    check_refusal(ask(daemon, [("Origin", origin)]), 403, "webSockets.origins")


def test_a_foreign_host_on_a_loopback_listener_is_403(daemon: Daemon) -> None:
    """DNS rebinding: a page of evil.example may have its name resolve to 127.0.0.1."""
    check_refusal(ask(daemon, [("Host", "evil.example")]), 403, "name")


def test_websockets_can_be_switched_off(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"webSockets": {"enable": False}})
    with RawClient(daemon.url) as client:
        assert client.handshake("/ws/echo").status != 101


def test_http_1_0_cannot_upgrade(daemon: Daemon) -> None:
    with RawClient(daemon.url) as client:
        client.send(client.upgrade_head("/ws/echo").replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        assert client.read_response().status in (400, 426)


def test_frames_right_behind_the_request_are_not_lost(daemon: Daemon) -> None:
    """A client that does not wait for the 101 sends its first frames in the same packet."""
    with RawClient(daemon.url) as client:
        early = frame(TEXT, b"first") + frame(TEXT, b"second")
        client.send(client.upgrade_head("/ws/echo") + early)
        assert client.read_response().status == 101
        assert client.read_message() == (TEXT, b"first")
        assert client.read_message() == (TEXT, b"second")


def test_a_handshake_byte_by_byte(daemon: Daemon) -> None:
    with RawClient(daemon.url) as client:
        request = client.upgrade_head("/ws/echo") + frame(TEXT, b"hi")
        client.send_cut(request[i : i + 1] for i in range(len(request)))
        assert client.read_response().status == 101
        assert client.read_message() == (TEXT, b"hi")
