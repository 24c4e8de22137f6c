"""`ioto-server connect` at a terminal: what a person sees while they type."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal
from tests.cli.test_connect_pipe import SWITCHED, server
from tests.conftest import StartDaemon
from tests.support.daemon import DEADLINE, Daemon

TIME = r"\d\d:\d\d:\d\d\.\d{3}"

CLOSER = {
    "close.py": (
        "from ioto_server import Web, action\n"
        "@action('/ws/close')\n"
        "async def close(web: Web) -> None:\n"
        "    async for message in web.websocket:\n"
        "        code, _, reason = message.partition(' ')\n"
        "        web.websocket.send_close(int(code), reason)\n"
        "@action('/ws/push')\n"
        "async def push(web: Web) -> None:\n"
        "    web.websocket.subscribe('push')\n"
        "    await web.wait()\n"
        "@action('/publish')\n"
        "async def publish(web: Web) -> None:\n"
        "    web.host.publish('push', await web.read())\n"
    )
}


@pytest.fixture
def echo(daemon: Daemon) -> str:
    return daemon.ws_url("/ws/echo")


def test_what_is_typed_goes_and_what_comes_is_shown(echo: str, tmp_path: Path) -> None:
    with Terminal("connect", echo, cwd=tmp_path) as terminal:
        terminal.expect(f"Connected to {echo}")
        terminal.type("hello\r")
        terminal.expect(f"{TIME} → hello\n")
        terminal.expect(f"{TIME} ← hello\n")
        terminal.type("\r")
        terminal.type("\x04")
        terminal.expect(f"{TIME} x closed: 1000 normal closure")
        assert terminal.wait() == 0
        assert terminal.is_as_before


def test_commands(echo: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"from a file")
    with Terminal("connect", echo, cwd=tmp_path) as terminal:
        terminal.type("/help\r")
        terminal.expect(r"/binary HEX")
        terminal.type("/ping one\r")
        terminal.expect(r"← pong after \d+\.\d ms")
        terminal.type("/binary 00 ff\r")
        terminal.expect(r"← \(2 bytes\) 00 ff")
        terminal.type("/file file\r")
        # The size of a file is known when it has left: the answer may be here before.
        went, came = r"→ file \(11 bytes\)", r"← \(11 bytes\) 66 72 6f [^\n]* from a file"
        terminal.expect(rf"(?s){went}.*{came}|{came}.*{went}")
        terminal.type("/nonsense\r")
        terminal.expect("! /nonsense is no command")
        terminal.type("/file nowhere\r")
        terminal.expect("! Cannot read nowhere")
        terminal.type("/close 99\r")
        terminal.expect("! Close code 99 may not be sent")
        terminal.type("/close 4000 done\r")
        terminal.expect("x closed: 4000 private use")
        assert terminal.wait() == 0


def test_a_message_that_comes_while_a_line_is_typed(start_daemon: StartDaemon, tmp_path: Path) -> None:
    from urllib.request import Request, urlopen

    daemon = start_daemon({}, CLOSER)
    with Terminal("connect", daemon.ws_url("/ws/push"), cwd=tmp_path) as terminal:
        terminal.expect("Connected")
        terminal.expect("> ")
        terminal.type("half a li")
        terminal.expect("half a li")
        with urlopen(Request(f"{daemon.url}/publish", b"news")):
            pass
        # The line stands below the message again, and typing goes on in it.
        terminal.expect(r"← .*news")
        terminal.expect("> half a li")
        terminal.type("ne\x15/close\r")
        assert terminal.wait() == 0


def test_the_servers_close_ends_the_reading(start_daemon: StartDaemon, tmp_path: Path) -> None:
    daemon = start_daemon({}, CLOSER)
    for code, words, exit_code in ((1001, "1001 going away", 0), (1011, "1011 internal error", 1)):
        with Terminal("connect", daemon.ws_url("/ws/close"), cwd=tmp_path) as terminal:
            terminal.type(f"{code} enough\r")
            terminal.expect(rf"x closed: {words} \(enough\)")
            assert terminal.wait() == exit_code
            assert terminal.is_as_before


def test_the_servers_end_while_a_line_is_typed(start_daemon: StartDaemon, tmp_path: Path) -> None:
    daemon = start_daemon({}, CLOSER)
    with Terminal("connect", daemon.ws_url("/ws/push"), cwd=tmp_path) as terminal:
        terminal.expect("Connected")
        terminal.expect("> ")
        terminal.type("half a li")
        terminal.expect("half a li")
        daemon.stop()
        terminal.expect(r"x closed: 1001 going away \(Server stopping\)")
        assert terminal.wait() == 0
        assert terminal.is_as_before


def test_ctrl_c_closes_in_order(daemon: Daemon, echo: str, tmp_path: Path) -> None:
    with Terminal("connect", echo, cwd=tmp_path) as terminal:
        terminal.expect("Connected")
        terminal.expect("> ")
        terminal.type("\x03")
        terminal.expect("x closed: 1000 normal closure")
        assert terminal.wait() == 0
        assert terminal.is_as_before


def test_a_second_ctrl_c_does_not_wait_for_the_server(tmp_path: Path) -> None:
    with server(SWITCHED, then_close=False) as url, Terminal("connect", url, cwd=tmp_path) as terminal:
        terminal.expect("> ")
        terminal.type("x")
        # Python's `input` misses a signal that comes just now: the program has to notice it all the same.
        terminal.expect("x")
        terminal.type("\x03")
        terminal.expect("\n")
        terminal.type("\x03")
        assert terminal.wait() == 1
        assert terminal.is_as_before


def test_ctrl_c_while_the_server_does_not_answer(tmp_path: Path) -> None:
    asked = threading.Event()
    with (
        server(b"HTTP/1.1 101", then_close=False, asked=asked) as url,
        Terminal("connect", url, cwd=tmp_path) as terminal,
    ):
        assert asked.wait(DEADLINE)
        terminal.type("\x03")
        assert terminal.wait() == 1
        assert terminal.is_as_before


def test_lines_typed_before_come_back(echo: str, tmp_path: Path) -> None:
    with Terminal("connect", echo, cwd=tmp_path) as terminal:
        terminal.type("remember me\r")
        terminal.expect("← remember me")
        terminal.type(" forget me\r")
        terminal.expect("←  forget me")
        terminal.type("\x04")
        assert terminal.wait() == 0
    history = tmp_path / "ioto-server" / "history"
    assert "remember me" in history.read_text()
    assert "forget me" not in history.read_text()
    assert history.stat().st_mode & 0o077 == 0
    with Terminal("connect", echo, cwd=tmp_path) as terminal:
        terminal.expect("> ")
        terminal.type("\x1b[A\r")
        terminal.expect("← remember me")
        terminal.type("\x04")
        assert terminal.wait() == 0


def test_colours_only_where_they_are_wanted(echo: str, tmp_path: Path) -> None:
    for env, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        with Terminal("connect", echo, cwd=tmp_path, env=env) as terminal:
            terminal.type("hello\r")
            terminal.expect("← hello")
            terminal.type("\x04")
            assert terminal.wait() == 0
            assert ("\x1b[32m←" in terminal.raw) == coloured
            assert ("\x1b[" in terminal.raw.replace("\x1b[?2004", "")) == (env.get("TERM") != "dumb")


def test_messages_cannot_steer_the_terminal(echo: str, tmp_path: Path) -> None:
    (tmp_path / "evil").write_text("/binary 00\n")
    with Terminal("connect", echo, cwd=tmp_path) as terminal:
        terminal.expect("> ")
        # Ctrl-V takes the next key as it is: an escape in the message.
        terminal.type("\x16\x1b[31mred\r")
        terminal.expect(r"← \\x1b\[31mred")
        terminal.type("\x04")
        assert terminal.wait() == 0


def test_json_and_timings(echo: str, tmp_path: Path) -> None:
    with Terminal("connect", echo, "--json", "--timings", "--verbose", cwd=tmp_path) as terminal:
        terminal.expect("101 Switching Protocols\nUpgrade: websocket")
        terminal.type('{"a":[1]}\r')
        terminal.expect(r'← \[\d+\.\d ms\] \{\n +"a": \[\n')
        terminal.type("\x04")
        assert terminal.wait() == 0


def test_a_narrow_terminal(echo: str, tmp_path: Path) -> None:
    with Terminal("connect", echo, cwd=tmp_path, columns=20) as terminal:
        line = "a line that is longer than the window is wide"
        terminal.type(f"{line}\r")
        terminal.expect(f"← {line}")
        terminal.type("\x04")
        assert terminal.wait() == 0


def test_a_refusal(daemon: Daemon, tmp_path: Path) -> None:
    with Terminal("connect", daemon.ws_url("/nowhere"), cwd=tmp_path) as terminal:
        terminal.expect("refused the WebSocket with 404 Not Found")
        assert terminal.wait() == 1
        assert terminal.is_as_before


def test_options_for_pipes(echo: str, tmp_path: Path) -> None:
    with Terminal("connect", echo, "--count", "1", cwd=tmp_path) as terminal:
        terminal.expect("for pipes")
        assert terminal.wait() == 2


def test_ctrl_d_before_anything_is_read(echo: str, tmp_path: Path) -> None:
    with Terminal("connect", echo, cwd=tmp_path) as terminal:
        terminal.type("\x04")
        terminal.expect("closed: 1000 normal closure")
        assert terminal.wait() == 0
