"""How each server is started: alone on core 0, on a free port of 127.0.0.1, with what its users get."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.bench.http.peers import SERVER_CORE, VENV, family, free_port, wait_for

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
SERVERS = HERE / "servers"
NODE_MODULES = REPOSITORY / "tests" / "clients"
MADE = REPOSITORY / "artefacts" / "bench-ws"
"""Where the generator and what is measured are kept."""

_WARNINGS = ("-Wall", "-Wextra", "-Wno-missing-field-initializers")

# Everything that users have: limits, every timeout, pings, and a line in a file for each open and close.
_PRODUCT = {
    "actions": str(SERVERS / "actions"),
    "control": "control.sock",
    "limits": {"connections": 20_000, "perAddress": 20_000, "maxFrame": "1MB", "maxMessage": "16MB"},
    "timeouts": {"inactivity": "5 mins", "request": "1 hour"},
    "webSockets": {"ping": "20 secs"},
    "log": {"path": "log.json", "level": "info", "format": "json"},
}


@dataclass
class Program:
    """One running server."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def pids(self) -> list[int]:
        """It and its children."""
        return family(self.process.pid)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Programs:
    """The servers that run, started when they are first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[tuple[str, bool], Program] = {}
        self._certificate: tuple[str, str] | None = None
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def get(self, name: str, tls: bool) -> Program:
        """The one that runs, or a new one."""
        if (name, tls) not in self._running:
            self._running[name, tls] = self.start(name, tls)
        return self._running[name, tls]

    def start(self, name: str, tls: bool) -> Program:
        """Start one for its caller, who stops it."""
        port = free_port()
        folder = self._folder / f"{name}-{port}"
        folder.mkdir()
        certificate = self.certificate() if tls else ()
        command, extra = _COMMANDS[name](folder, port, certificate)
        process = subprocess.Popen(
            ["taskset", "-c", SERVER_CORE, *command],
            cwd=NODE_MODULES if name == "ws" else folder,
            env={**os.environ, **extra},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        wait_for(port, process, name)
        return Program(port, process)

    def stop(self, names: Iterable[tuple[str, bool]] | None = None) -> None:
        for key in list(self._running) if names is None else names:
            self._running.pop(key).stop()

    def certificate(self) -> tuple[str, str]:
        """The files of the certificate and key that all servers show (ECDSA, P-256)."""
        if self._certificate is None:
            files = self._folder / "server.crt", self._folder / "server.key"
            pair = trustme.CA().issue_cert("127.0.0.1", "localhost")
            files[0].write_bytes(b"".join(blob.bytes() for blob in pair.cert_chain_pems))
            files[1].write_bytes(pair.private_key_pem.bytes())
            self._certificate = str(files[0]), str(files[1])
        return self._certificate


def compile_generator(folder: Path, tls: bool) -> Path:
    """Compile the load generator where it is older than its sources."""
    sources = sorted((HERE / "load").glob("*.c"))
    flags = (["-DWITH_TLS"], ["-lssl", "-lcrypto"]) if tls else ([], [])
    return _compile(folder / f"load{'-tls' * tls}", sources, *flags)


def compile_epoll(folder: Path) -> Path:
    """Compile the kernel's price."""
    return _compile(folder / "epoll_tcp", [SERVERS / "epoll_tcp.c"])


def _compile(
    target: Path, sources: list[Path], flags: Iterable[str] = (), libraries: Iterable[str] = ()
) -> Path:
    inputs = [*sources, *sources[0].parent.glob("*.h")]
    if target.exists() and target.stat().st_mtime > max(source.stat().st_mtime for source in inputs):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f"{target.name}.{os.getpid()}")
    subprocess.run(
        ["cc", "-std=gnu11", "-O2", *_WARNINGS, *flags, *sources, "-o", new, *libraries], check=True
    )
    new.replace(target)
    return target


Certificate = tuple[str, str] | tuple[()]
Command = tuple[list[str], dict[str, str]]


def _ioto(folder: Path, port: int, certificate: Certificate) -> Command:
    scheme = "https" if certificate else "http"
    config = {"listen": [f"{scheme}://127.0.0.1:{port}"], **_PRODUCT}
    if certificate:
        config["tls"] = dict(zip(("certificate", "key"), certificate, strict=True))
    (folder / "web.json5").write_text(json.dumps(config, indent=4))
    program = Path(sys.executable).with_name("ioto-server")
    return [str(program), "start", "--config", str(folder / "web.json5")], {"PYTHONPATH": str(REPOSITORY)}


def _ioto_pure(folder: Path, port: int, certificate: Certificate) -> Command:
    command, extra = _ioto(folder, port, certificate)
    return command, {**extra, "IOTO_PURE": "1"}


def _python(name: str) -> Callable[[Path, int, Certificate], Command]:
    def command(_folder: Path, port: int, certificate: Certificate) -> Command:
        return [str(VENV / "bin/python"), str(SERVERS / name), str(port), *certificate], {}

    return command


def _epoll(_folder: Path, port: int, _certificate: Certificate) -> Command:
    return [str(compile_epoll(MADE)), str(port)], {}


def _node(_folder: Path, port: int, _certificate: Certificate) -> Command:
    return [shutil.which("node") or "node", str(SERVERS / "ws.mjs"), str(port)], {}


def _uvicorn(_folder: Path, port: int, _certificate: Certificate) -> Command:
    options = ["--loop", "uvloop", "--http", "httptools", "--ws", "websockets-sansio", "--no-access-log"]
    options += ["--ws-per-message-deflate", "false", "--log-level", "critical", "--app-dir", str(SERVERS)]
    return [str(VENV / "bin/python"), "-m", "uvicorn", "asgi:app", "--port", str(port), *options], {}


def _granian(_folder: Path, port: int, _certificate: Certificate) -> Command:
    options = ["--interface", "asgi", "--workers", "1", "--loop", "uvloop", "--no-log", "--http", "1", "--ws"]
    options += ["--working-dir", str(SERVERS)]
    return [str(VENV / "bin/granian"), "--port", str(port), *options, "asgi:app"], {}


_COMMANDS: dict[str, Callable[[Path, int, Certificate], Command]] = {
    "ioto": _ioto,
    "ioto-pure": _ioto_pure,
    "epoll": _epoll,
    "uvloop": _python("uvloop_tcp.py"),
    "socketify": _python("socketify_server.py"),
    "picows": _python("picows_server.py"),
    "picows-websockets": _python("picows_websockets.py"),
    "aiohttp": _python("aiohttp_server.py"),
    "ws": _node,
    "websockets": _python("websockets_server.py"),
    "uvicorn": _uvicorn,
    "granian": _granian,
}
