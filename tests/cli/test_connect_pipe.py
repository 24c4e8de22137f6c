"""`ioto-server connect` in a pipe, against the real daemon and against servers that misbehave."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from tests.conftest import StartDaemon
from tests.support.daemon import DEADLINE, PROGRAM, Daemon, environment
from tests.support.raw import accept_for

ACTIONS = {
    "close.py": (
        "from ioto_server import Web, action\n"
        "@action('/ws/close')\n"
        "async def close(web: Web) -> None:\n"
        "    async for code in web.websocket:\n"
        "        web.websocket.send_close(int(code), 'because')\n"
        "@action('/ws/slow')\n"
        "async def slow(web: Web) -> None:\n"
        "    async for message in web.websocket:\n"
        "        mine = web.headers.get('x-mine')\n"
        "        await web.websocket.send(f'{message} {mine} {web.websocket.protocol}')\n"
        "@action('/ws/fragments')\n"
        "async def fragments(web: Web) -> None:\n"
        "    async for message in web.websocket:\n"
        "        await web.websocket.send(str(len(message)))\n"
    )
}


def connect(
    *arguments: str | Path, given: str | bytes = b"", cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [PROGRAM, "connect", *arguments],
        input=given.encode() if isinstance(given, str) else given,
        cwd=cwd,
        env=environment(),
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )


@contextmanager
def server(answer: bytes, *, then_close: bool = True, asked: threading.Event | None = None) -> Iterator[str]:
    """A server that answers one client's handshake with these bytes; `{accept}` is what its key asks for.

    `asked` is set when the handshake has come.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += client.recv(65536)
                if asked is not None:
                    asked.set()
                key = head.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0].decode()
                client.sendall(answer.replace(b"{accept}", accept_for(key).encode()))
                if not then_close:
                    while client.recv(65536):
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            thread.join(DEADLINE)


SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: {accept}\r\n\r\n"
)


def test_lines_are_sent_and_messages_printed(daemon: Daemon) -> None:
    run = connect(daemon.ws_url("/ws/echo"), given="a\nb\r\n\nlast, without an end: ä")
    assert (run.returncode, run.stdout.decode(), run.stderr) == (0, "a\nb\n\nlast, without an end: ä\n", b"")


def test_many_lines_keep_their_order(daemon: Daemon) -> None:
    lines = "".join(f"{number}\n" for number in range(20_000))
    run = connect(daemon.ws_url("/ws/echo"), given=lines)
    assert (run.returncode, run.stdout.decode()) == (0, lines)


def test_an_action_that_answers_in_its_own_task_is_waited_for(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, ACTIONS)
    run = connect(
        daemon.ws_url("/ws/slow"),
        "--header",
        "X-Mine: yes",
        "--protocol",
        "other",
        "--protocol",
        "chat",
        given="a\nb",
    )
    assert (run.returncode, run.stdout) == (0, b"a yes chat\nb yes chat\n")


def test_a_file_may_be_the_input(daemon: Daemon, tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text("one\ntwo\n")
    with file.open() as given:
        run = subprocess.run(
            [PROGRAM, "connect", daemon.ws_url("/ws/echo")],
            stdin=given,
            capture_output=True,
            env=environment(),
            timeout=DEADLINE,
            check=False,
        )
    assert (run.returncode, run.stdout) == (0, b"one\ntwo\n")


def test_count_says_when_to_stop(daemon: Daemon) -> None:
    run = connect(daemon.ws_url("/ws/feed"), "--count", "2")
    assert run.returncode == 0
    assert run.stdout.count(b'"load"') == len(run.stdout.splitlines()) == 2


def test_fewer_messages_than_counted_on_is_a_failure(daemon: Daemon) -> None:
    run = connect(daemon.ws_url("/ws/echo"), "--count", "3", "--wait", "0.1", given="a\nb\n")
    assert (run.returncode, run.stdout) == (1, b"a\nb\n")
    assert run.stderr == b"ioto-server: 2 of 3 messages came; closed: 1000 normal closure\n"


def test_commands_where_they_are_asked_for(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(bytes(range(256)) * 1000)
    given = "/ping\n/binary 00 ff\n/file bytes\n//slash\n/close 4000 why\nnever sent\n"
    run = connect(daemon.ws_url("/ws/echo"), "--commands", given=given, cwd=tmp_path)
    assert run.returncode == 0
    assert run.stdout.decode().splitlines() == ["00ff", (bytes(range(256)) * 1000).hex(), "/slash"]
    closed = daemon.log("websocket close", close="4000 private use", reason="why")
    assert closed["messages_in"] == 3


def test_lines_that_begin_with_a_slash_are_lines(daemon: Daemon) -> None:
    run = connect(daemon.ws_url("/ws/echo"), given="/close\n")
    assert run.stdout == b"/close\n"


def test_json_is_indented_and_all_else_is_not(daemon: Daemon) -> None:
    run = connect(daemon.ws_url("/ws/echo"), "--json", given='{"a":"ä"}\n1\n{no\n')
    assert run.stdout.decode() == '{\n  "a": "ä"\n}\n1\n{no\n'


def test_timings_and_the_answers_headers(daemon: Daemon) -> None:
    run = connect(daemon.ws_url("/ws/echo"), "--timings", "--verbose", "--compress", given="a\n")
    milliseconds, _, message = run.stdout.decode().rstrip("\n").partition("\t")
    assert milliseconds.endswith(" ms")
    assert message == "a"
    assert run.stderr.decode().startswith("101 Switching Protocols\nUpgrade: websocket\n")


@pytest.mark.parametrize(
    ("code", "exit_code", "words"),
    [
        (1000, 0, ""),
        (1001, 0, ""),
        (4000, 0, ""),
        (1011, 1, "ioto-server: closed: 1011 internal error (because)\n"),
        (1008, 1, "ioto-server: closed: 1008 policy violation (because)\n"),
    ],
)
def test_the_exit_code_tells_how_it_ended(
    start_daemon: StartDaemon, code: int, exit_code: int, words: str
) -> None:
    daemon = start_daemon({}, ACTIONS)
    run = connect(daemon.ws_url("/ws/close"), "--wait", "20", given=f"{code}\n")
    assert (run.returncode, run.stderr.decode()) == (exit_code, words)


def test_a_refusal_is_shown(daemon: Daemon) -> None:
    run = connect(daemon.ws_url("/ws/echo"), "--origin", "http://elsewhere.example")
    assert run.returncode == 1
    assert b"refused the WebSocket with 403 Forbidden: Origin http://elsewhere.example" in run.stderr


def test_what_a_server_does_wrong_is_said() -> None:
    for answer, words in (
        (b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n", "it sends you to /there"),
        (SWITCHED.replace(b"{accept}", b"wrong"), "Sec-WebSocket-Accept does not match"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak HTTP/1"),
        (b"", "without an answer"),
        (SWITCHED, "closed: 1006 abnormal closure"),
        (SWITCHED + b"\x81\x82\x00\x00\x00\x00hi", "the server broke the protocol"),
        (SWITCHED + b"\x81\x01\xff", "the server broke the protocol"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n\x1b[31mred", "\\x1b[31mred"),
    ):
        with server(answer) as url:
            run = connect(url, "--wait", "20")
        assert run.returncode == 1, run
        assert words in run.stderr.decode(), run


def test_a_close_that_is_not_answered_is_not_waited_for_for_ever() -> None:
    with server(SWITCHED, then_close=False) as url:
        run = connect(url, "--timeout", "0.2", "--wait", "0")
    assert (run.returncode, run.stderr) == (1, b"ioto-server: closed: 1006 abnormal closure\n")


def test_a_handshake_that_is_not_answered() -> None:
    with server(b"HTTP/1.1 101", then_close=False) as url:
        run = connect(url, "--timeout", "0.2")
    assert run.returncode == 1
    assert b"did not answer the handshake within 0.2 s" in run.stderr


def test_messages_over_the_limit_are_refused(daemon: Daemon) -> None:
    run = connect(daemon.ws_url("/ws/echo"), "--max-message", "10", given="x" * 100)
    assert run.returncode == 1
    assert b"Line 1 of the input is over --max-message (10 bytes)" in run.stderr
    with server(SWITCHED + b"\x81\x0b" + b"x" * 11) as url:
        run = connect(url, "--max-message", "10", "--wait", "20")
    assert run.returncode == 1
    assert b"the server broke the protocol" in run.stderr


def test_input_that_is_no_text(daemon: Daemon) -> None:
    run = connect(daemon.ws_url("/ws/echo"), given=b"good\nb\xffd\n")
    assert (run.returncode, run.stdout) == (1, b"good\n")
    assert b"Line 2 of the input is not UTF-8" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ftp://x"], "write ws:// or wss://"),
        (["ws://x/#y"], "fragment"),
        (["ws://x", "--header", "no colon"], "has no colon"),
        (["ws://x", "--max-message", "many"], "is not a size"),
        (["ws://127.0.0.1:9", "--header", "Upgrade: x"], "belongs to the handshake"),
        (["wss://x", "--ca", "/etc/passwd"], "cannot be used"),
        (["ws://x", "--insecure"], "write wss://"),
        (["wss://x", "--key", "/etc/passwd"], "name it with --cert"),
        ([], "Missing argument"),
    ],
)
def test_wrong_use(arguments: list[str], words: str) -> None:
    run = connect(*arguments)
    assert run.returncode == 2
    assert words in run.stderr.decode()


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    run = connect(f"ws://127.0.0.1:{port}")
    assert run.returncode == 1
    assert run.stderr.decode().startswith(
        f"ioto-server: Cannot connect to 127.0.0.1:{port}: connection refused"
    )


def test_whoever_reads_may_leave(daemon: Daemon) -> None:
    lines = "".join(f"{number}\n" for number in range(50_000))
    with subprocess.Popen(
        [PROGRAM, "connect", daemon.ws_url("/ws/echo")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        assert run.stderr is not None
        feeding = threading.Thread(target=_feed, args=(run, lines))
        feeding.start()
        assert run.stdout.readline() == b"0\n"
        run.stdout.close()
        assert run.wait(DEADLINE) == 0
        assert run.stderr.read() == b""
        feeding.join(DEADLINE)


def _feed(run: subprocess.Popen[bytes], lines: str) -> None:
    assert run.stdin is not None
    try:
        run.stdin.write(lines.encode())
        run.stdin.close()
    except BrokenPipeError:
        pass


def test_a_unix_socket(start_daemon: StartDaemon, tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    daemon = start_daemon({"listen": [f"unix:{path}"]})
    daemon.log("listening")
    run = connect("ws://localhost/ws/echo", "--unix", path, given="through a file\n")
    assert (run.returncode, run.stdout) == (0, b"through a file\n")


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, Path]:
    issuer = trustme.CA()
    file = tmp_path / "ca.pem"
    issuer.cert_pem.write_to_path(file)
    return issuer, file


def test_tls(start_daemon: StartDaemon, authority: tuple[trustme.CA, Path], tmp_path: Path) -> None:
    issuer, ca = authority
    certificate = issuer.issue_cert("localhost")
    chain, key = tmp_path / "server.pem", tmp_path / "server.key"
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(key)
    key.chmod(0o600)
    tls = {"certificate": str(chain), "key": str(key)}
    daemon = start_daemon({"listen": ["https://127.0.0.1:0"], "tls": tls})
    url = f"wss://localhost:{daemon.port}/ws/echo"
    run = connect(url, "--ca", ca, given="trusted\n")
    assert (run.returncode, run.stdout) == (0, b"trusted\n"), run.stderr
    run = connect(url, "--insecure", given="careless\n")
    assert (run.returncode, run.stdout) == (0, b"careless\n")
    run = connect(url)
    assert run.returncode == 1
    assert b"is not trusted" in run.stderr
    assert b"--ca FILE" in run.stderr
    run = connect(url.replace("localhost", "127.0.0.1"), "--ca", ca)
    assert run.returncode == 1
    assert b"is not trusted" in run.stderr
    plain = connect(url.replace("wss", "ws"))
    assert plain.returncode == 1


def test_tls_with_a_server_that_has_none(daemon: Daemon) -> None:
    run = connect(daemon.ws_url("/ws/echo").replace("ws:", "wss:"))
    assert run.returncode == 1
    assert b"a server without TLS is ws://, not wss://" in run.stderr


def test_a_certificate_of_the_clients(
    start_daemon: StartDaemon, authority: tuple[trustme.CA, Path], tmp_path: Path
) -> None:
    issuer, ca = authority
    files = {}
    for name in ("localhost", "client"):
        certificate = issuer.issue_cert(name)
        files[name] = tmp_path / f"{name}.pem"
        certificate.private_key_and_cert_chain_pem.write_to_path(files[name])
        files[name].chmod(0o600)
    tls = {
        "certificate": str(files["localhost"]),
        "key": str(files["localhost"]),
        "authority": str(ca),
        "verify": {"client": True},
    }
    daemon = start_daemon({"listen": ["https://127.0.0.1:0"], "tls": tls})
    url = f"wss://localhost:{daemon.port}/ws/echo"
    run = connect(url, "--ca", ca, "--cert", files["client"], given="known\n")
    assert (run.returncode, run.stdout) == (0, b"known\n"), run.stderr
    assert connect(url, "--ca", ca).returncode == 1
