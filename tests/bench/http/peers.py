"""The servers that `make bench-http` compares: how each serves one folder, alone on core 0, without a log."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
VENV = REPOSITORY / "artefacts" / "bench-venv"
"""The peers' own environment: nothing of theirs may get into the project's."""

SERVER_CORE, CLIENT_CORE = "0", "1"

NGINX = """\
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; etag on;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    types {{ text/plain txt; application/octet-stream bin; }}
    server {{ listen 127.0.0.1:{port}; root {documents}; }}
}}
"""

AIOHTTP = """\
import sys
import uvloop
from aiohttp import web
uvloop.install()
app = web.Application()
app.router.add_static("/", sys.argv[1])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=None, print=None)
"""

STARLETTE = """\
import os
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
app = Starlette(routes=[Mount("/", StaticFiles(directory=os.environ["DOCUMENTS"]))])
"""


@dataclass
class Server:
    """One running server."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    def url(self, path: str) -> str:
        """Where a file of the folder is."""
        return f"http://127.0.0.1:{self.port}{'/static' if 'Rust' in self.name else ''}/{path}"

    @property
    def cpu(self) -> float:
        """Seconds of processor time that the process and its children have used."""
        return sum(used(pid) for pid in family(self.process.pid))

    @property
    def memory(self) -> int:
        """Resident bytes of the process and its children."""
        return sum(resident(pid) for pid in family(self.process.pid))

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def family(pid: int) -> list[int]:
    """A process and its children, and theirs: granian's worker is one."""
    pids = [pid]
    for member in pids:
        for task in Path(f"/proc/{member}/task").iterdir():
            pids += map(int, (task / "children").read_text().split())
    return pids


def resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def used(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start_all(folder: Path, documents: Path, wanted: list[str]) -> list[Server]:
    """Start every server that is wanted; each listens on a free port of 127.0.0.1."""
    starts = {
        "ioto-server": ioto,
        "nginx": nginx,
        "aiohttp": aiohttp,
        "uvicorn+starlette": uvicorn,
        "granian+starlette": granian,
        "granian (Rust files)": granian_files,
    }
    servers = []
    for name, command in starts.items():
        if wanted and name.partition("+")[0].partition(" ")[0] not in wanted:
            continue
        port = free_port()
        own = folder / name.replace(" ", "-")
        own.mkdir()
        process = subprocess.Popen(
            ["taskset", "-c", SERVER_CORE, *command(own, documents, port)],
            cwd=own,
            env={**os.environ, "DOCUMENTS": str(documents), "PYTHONPATH": str(own)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        wait_for(port, process, name)
        servers.append(Server(name, port, process))
    return servers


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes], name: str) -> None:
    """Wait until a server accepts connections."""
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit(f"{name} did not start; its words are above")


def ioto(folder: Path, documents: Path, port: int) -> list[str]:
    config = {
        "listen": [f"http://127.0.0.1:{port}"],
        "documents": str(documents),
        "actions": "actions",
        "limits": {"requests": "unlimited"},
        "log": {"level": "warning"},
    }
    (folder / "actions").mkdir()
    (folder / "web.json5").write_text(json.dumps(config))
    program = Path(sys.executable).with_name("ioto-server")
    return [str(program), "start", "--config", str(folder / "web.json5")]


def nginx(folder: Path, documents: Path, port: int) -> list[str]:
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder, documents=documents, port=port))
    return [program, "-c", str(configuration), "-e", "stderr"]


def aiohttp(folder: Path, documents: Path, port: int) -> list[str]:
    (folder / "app.py").write_text(AIOHTTP)
    return [str(VENV / "bin/python"), "app.py", str(documents), str(port)]


def uvicorn(folder: Path, documents: Path, port: int) -> list[str]:
    (folder / "app.py").write_text(STARLETTE)
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "critical"]
    return [str(VENV / "bin/python"), "-m", "uvicorn", "app:app", "--port", str(port), *options]


def granian(folder: Path, documents: Path, port: int) -> list[str]:
    (folder / "app.py").write_text(STARLETTE)
    options = ["--interface", "asgi", "--workers", "1", "--loop", "uvloop", "--no-log", "--http", "1"]
    return [str(VENV / "bin/granian"), "--port", str(port), *options, "app:app"]


def granian_files(folder: Path, documents: Path, port: int) -> list[str]:
    """Its own file server: no line of Python runs for a request."""
    return [
        *granian(folder, documents, port)[:-1],
        *("--static-path-route", "/static", "--static-path-mount"),
        str(documents),
        "app:app",
    ]
