"""How messages are shown, and how typed lines are understood."""

from __future__ import annotations

from pathlib import Path

import pytest

from ioto_server.cli.terminal.text import closed, for_pipe, for_terminal
from ioto_server.cli.terminal.typed import Close, CommandError, File, Help, Message, Ping, parse


def test_bytes_for_a_person() -> None:
    assert for_terminal(b"", as_json=False) == "(0 bytes)"
    assert for_terminal(b"A", as_json=False) == "(1 byte) 41 A"
    rows = for_terminal(bytes(range(0x20, 0x42)), as_json=False).split("\n")
    assert rows[0] == "(34 bytes)"
    assert rows[1] == "20 21 22 23 24 25 26 27 28 29 2a 2b 2c 2d 2e 2f   !\"#$%&'()*+,-./"
    assert rows[3] == "40 41 @A"
    assert for_terminal(b"x" * 1000, as_json=False).endswith("... and 744 bytes more")


def test_long_text_is_cut_at_a_terminal_only() -> None:
    text = "x" * 20_000
    assert for_terminal(text, as_json=False).endswith("x ... and 3616 characters more")
    assert for_pipe(text, as_json=False) == text


def test_json_is_indented_where_it_is_an_object_or_array() -> None:
    assert for_terminal('{"ä":1}', as_json=True) == '{\n  "ä": 1\n}'
    assert for_pipe("[1]", as_json=True) == "[\n  1\n]"
    for text in ("1", '"a"', "{", "[" * 100_000):
        assert for_pipe(text, as_json=True) == text
    assert for_pipe('{"a":1}', as_json=False) == '{"a":1}'


def test_an_end_in_words() -> None:
    assert closed(1000, "") == "closed: 1000 normal closure"
    assert closed(4000, "\x1b!\n") == "closed: 4000 private use (\\x1b!\\n)"


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("hello", Message("hello")),
        (" /ping", Message(" /ping")),
        ("//ping", Message("/ping")),
        ("/ping", Ping(b"")),
        ("/ping ä", Ping("ä".encode())),
        ("/close", Close(1000, "")),
        ("/close 4000", Close(4000, "")),
        ("/close 4000  with a reason ", Close(4000, "with a reason")),
        ("/binary 00 fF1a", Message(b"\x00\xff\x1a")),
        ("/binary", Message(b"")),
        ("/file a b", File(Path("a b"))),
        ("/help", Help()),
    ],
)
def test_lines(line: str, command: object) -> None:
    assert parse(line) == command


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/pin", "//pin sends the text /pin"),
        ("/", "is no command"),
        ("/close soon", "/close 4000 soon"),
        ("/binary 0", "hexadecimal"),
        ("/file", "path"),
        ("/ping " + "x" * 126, "125 bytes at most"),
    ],
)
def test_lines_that_are_wrong(line: str, words: str) -> None:
    with pytest.raises(CommandError, match=words):
        parse(line)
