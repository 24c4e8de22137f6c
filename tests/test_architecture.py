"""The walls of the house (ARCHITECTURE.md): which room may know which, and who may use sockets and clocks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import REPOSITORY

PACKAGE = REPOSITORY / "ioto_server"

# From the top of the house down: a room imports only rooms below it.
ROOMS = (
    "cli",
    "daemon",
    "testing",
    "broker",
    "server",
    "plugins",
    "session",
    "client",
    "http",
    "websocket",
    "config",
)
ALONE = ("websocket", "config")
SANS_IO = ("client", "websocket", "config")

SOCKET_MODULES = {"socket", "ssl", "select", "selectors", "socketserver", "uvloop"}
CLOCK_MODULES = {"time", "asyncio", "threading", "signal"}
# `check` reads certificates before anything is started; the sockets they serve are the server's.
MAY_READ_CERTIFICATES = "config"
TIMER_CALLS = {"call_later", "call_at", "sleep", "wait_for", "timeout", "timeout_at"}
TIMERLESS = ("plugins", "session", "client", "http", "websocket", "config")

SOURCES = sorted(PACKAGE.rglob("*.py"))


def room(source: Path) -> str | None:
    """The room that a file stands in; None for those of the package's root."""
    parts = source.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else None


def package_of(source: Path) -> list[str]:
    return ["ioto_server", *source.relative_to(PACKAGE).parts[:-1]]


def imports(source: Path) -> Iterator[tuple[int, str]]:
    """Every import of a file, also inside functions: line and absolute dotted name."""
    for node in ast.walk(ast.parse(source.read_text(), source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package_of(source)[: len(package_of(source)) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def rooms_imported(source: Path) -> Iterator[tuple[int, str]]:
    """What a file imports of ours, as (line, room)."""
    for line, name in imports(source):
        parts = name.split(".")
        if parts[0] == "ioto_server" and len(parts) > 1:
            yield line, parts[1]


def identify(source: Path) -> str:
    return str(source.relative_to(PACKAGE))


@pytest.mark.parametrize("source", [one for one in SOURCES if room(one)], ids=identify)
def test_imports_point_downwards(source: Path) -> None:
    own = room(source)
    assert own in ROOMS, f"{own} is not a room of ARCHITECTURE.md"
    below = {own} if own in ALONE else set(ROOMS[ROOMS.index(own) :])
    wrong = [f"{source}:{line} imports {name}" for line, name in rooms_imported(source) if name not in below]
    assert not wrong


@pytest.mark.parametrize("source", [one for one in SOURCES if room(one) in TIMERLESS], ids=identify)
def test_sockets_and_timers_live_in_the_server(source: Path) -> None:
    forbidden = SOCKET_MODULES - {"ssl"} if room(source) == MAY_READ_CERTIFICATES else SOCKET_MODULES
    wrong = [
        f"{source}:{line} imports {name}"
        for line, name in imports(source)
        if name.partition(".")[0] in forbidden
    ]
    for node in ast.walk(ast.parse(source.read_text(), source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            if called in TIMER_CALLS:
                wrong.append(f"{source}:{node.lineno} calls {called}()")
    assert not wrong


@pytest.mark.parametrize("source", [one for one in SOURCES if room(one) in SANS_IO], ids=identify)
def test_sans_io_rooms_know_no_clock_and_no_loop(source: Path) -> None:
    wrong = [
        f"{source}:{line} imports {name}"
        for line, name in imports(source)
        if name.partition(".")[0] in CLOCK_MODULES
    ]
    assert not wrong


def test_every_room_is_looked_at() -> None:
    assert {room(source) for source in SOURCES} - {None} == set(ROOMS)
