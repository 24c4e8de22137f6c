"""What is measured, of whom, and what each figure of ours has to be beside theirs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contestant:
    """One way of serving: a program of `programs.py`, and where it echoes. `raw` ones know no WebSockets."""

    program: str
    echo: str = "/ws/echo"
    raw: bool = False


CONTESTANTS = {
    "ioto": Contestant("ioto"),
    "ioto-bytes": Contestant("ioto", echo="/ws/bytes"),
    "ioto-async": Contestant("ioto", echo="/ws/async"),
    "ioto-pure": Contestant("ioto-pure"),
    "epoll": Contestant("epoll", raw=True),
    "uvloop": Contestant("uvloop", raw=True),
    "socketify": Contestant("socketify"),
    "picows": Contestant("picows"),
    "picows-websockets": Contestant("picows-websockets"),
    "aiohttp": Contestant("aiohttp"),
    "ws": Contestant("ws"),
    "websockets": Contestant("websockets"),
    "uvicorn": Contestant("uvicorn"),
    "granian": Contestant("granian"),
}

_ALL = tuple(name for name in CONTESTANTS if name != "ioto-bytes")
_WEBSOCKETS = tuple(name for name in _ALL if not CONTESTANTS[name].raw)
_TLS = ("ioto", "ioto-async", "uvloop", "picows", "picows-websockets", "aiohttp", "websockets")
_LARGE = (
    "ioto-bytes",
    "ioto",
    "epoll",
    "uvloop",
    "socketify",
    "picows",
    "picows-websockets",
    "aiohttp",
    "ws",
)
_LARGE = (*_LARGE, "websockets")

KIB, MIB = 1 << 10, 1 << 20


@dataclass(frozen=True, slots=True)
class Scenario:
    """One thing to measure. `fresh`: each time in a server that has just been started."""

    title: str
    mode: str = "echo"
    connections: int = 100
    in_flight: int = 1
    size: int = 64
    content: str = "text"
    tls: bool = False
    fresh: bool = False
    of: tuple[str, ...] = _ALL
    counted: str = "message"


SCENARIOS = {
    "echo-64": Scenario("64 B, 100 connections, 1 in flight"),
    "echo-64-16": Scenario("64 B, 100 connections, 16 in flight", in_flight=16),
    "echo-1k": Scenario("1 KiB, 100 connections, 1 in flight", size=KIB),
    "echo-64k": Scenario("64 KiB binary, 10 connections", connections=10, size=64 * KIB, content="binary"),
    "text-1m": Scenario("1 MiB ASCII text, 4 connections", connections=4, size=MIB, of=_LARGE),
    "mixed-1m": Scenario(
        "1 MiB mixed text, 4 connections", connections=4, size=MIB, content="mixed", of=_LARGE
    ),
    "broadcast": Scenario(
        "64 B published to 1,000 subscribers",
        mode="broadcast",
        connections=1000,
        of=_WEBSOCKETS,
        counted="delivery",
    ),
    "broadcast-4": Scenario(
        "64 B published to 1,000 subscribers, 4 in one go",
        mode="broadcast",
        connections=1000,
        in_flight=4,
        of=_WEBSOCKETS,
        counted="delivery",
    ),
    "handshakes": Scenario(
        "connect, 101, Close both ways, 20 at a time",
        mode="handshakes",
        connections=20,
        of=_WEBSOCKETS,
        counted="handshake",
    ),
    "idle": Scenario(
        "10,000 connections that have each talked once",
        mode="idle",
        connections=10_000,
        fresh=True,
        counted="connection",
    ),
    "tls-64": Scenario("64 B, 100 connections, 1 in flight, TLS", tls=True, of=_TLS),
    "tls-64-16": Scenario("64 B, 100 connections, 16 in flight, TLS", tls=True, in_flight=16, of=_TLS),
    "tls-64k": Scenario(
        "64 KiB binary, 10 connections, TLS",
        connections=10,
        size=64 * KIB,
        content="binary",
        tls=True,
        of=_TLS,
    ),
    "tls-idle": Scenario(
        "2,000 TLS connections that have each talked once",
        mode="idle",
        connections=2000,
        tls=True,
        fresh=True,
        of=_TLS,
        counted="connection",
    ),
}


@dataclass(frozen=True, slots=True)
class Bound:
    """`ours` may be at most `most` times what `peer` is, in one round; with no peer, at most so many bytes.

    What is compared is the server's processor time for one message, delivery or handshake, and for idle
    connections the memory of one. `dream` is what would be better still.
    """

    scenario: str
    ours: str
    peer: str | None
    most: float
    dream: float | None = None


BOUNDS = (
    Bound("echo-64", "ioto", "uvloop", 1.0, 0.87),
    Bound("echo-64", "ioto", "picows", 0.8),
    Bound("echo-64", "ioto-async", "uvloop", 1.25),
    Bound("echo-64", "ioto-async", "picows-websockets", 0.8),
    Bound("echo-64", "ioto-pure", "websockets", 0.5),
    Bound("echo-64-16", "ioto", "uvloop", 1.6, 1.0),
    Bound("echo-64-16", "ioto", "picows", 0.1),
    Bound("echo-1k", "ioto", "uvloop", 1.2),
    Bound("echo-64k", "ioto", "uvloop", 1.35),
    Bound("echo-64k", "ioto", "picows", 0.95),
    Bound("text-1m", "ioto-bytes", "uvloop", 1.3),
    Bound("text-1m", "ioto-bytes", "picows", 0.9),
    Bound("broadcast", "ioto", "socketify", 1.2),
    Bound("broadcast-4", "ioto", "socketify", 1.2),
    Bound("broadcast-4", "ioto", "websockets", 0.4),
    Bound("handshakes", "ioto", "picows", 0.75),
    Bound("idle", "ioto", None, 3 * KIB, 1.5 * KIB),
    Bound("idle", "ioto-async", None, 4 * KIB, 2 * KIB),
    Bound("tls-64", "ioto", "picows", 0.9),
    Bound("tls-64k", "ioto", "picows", 0.9),
    Bound("tls-idle", "ioto", "uvloop", 1.2),
)


def judged(scenario: str) -> list[str]:
    """Whom the short form measures: those that a bound of the scenario names."""
    named = {name for bound in BOUNDS if bound.scenario == scenario for name in (bound.ours, bound.peer)}
    return [name for name in CONTESTANTS if name in named]
