"""nginx, asked what it makes of the corpus: `python -m tests.http.nginx [path of nginx]` records its answers.

Each case of the corpus has `nginx`: the statuses it answered with, in order, before it closed or said no
more. The recorded ones are of Debian 12's 1.22.1. It passes requests on to itself, so that it reads bodies.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .harness import MAX_BODY, expand

CORPUS = Path(__file__).parent / "corpus"

CONFIGURATION = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    client_header_buffer_size 1k; large_client_header_buffers 4 1k; client_max_body_size {max_body};
    server {{
        listen unix:{folder}/front;
        location / {{ proxy_pass http://unix:{folder}/back:/; proxy_http_version 1.1; }}
    }}
    server {{ listen unix:{folder}/back; location / {{ return 200; }} }}
}}
"""


@contextmanager
def running(nginx: str) -> Iterator[Path]:
    """An nginx on a unix socket of its own; yields the socket's path."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        configuration = folder / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(folder=folder, max_body=MAX_BODY))
        front = folder / "front"
        with subprocess.Popen([nginx, "-c", str(configuration), "-e", str(folder / "error.log")]) as process:
            try:
                while not answers(front, b"GET / HTTP/1.0\r\n\r\n"):
                    if process.poll() is not None:
                        raise RuntimeError(f"nginx did not start: {(folder / 'error.log').read_text()}")
                yield front
            finally:
                process.terminate()


def answers(path: Path, data: bytes, patience: float = 0.3) -> list[int]:
    """The statuses that come back for `data`, until the connection is closed or nothing comes for a while."""
    received = bytearray()
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(patience)
        try:
            client.connect(str(path))
            client.sendall(data)
            while chunk := client.recv(65536):
                received += chunk
        except (TimeoutError, ConnectionError, FileNotFoundError):
            pass
    return [int(status) for status in re.findall(rb"(?m)^HTTP/1\.1 ([0-9]{3}) ", received)]


def cases() -> Iterator[tuple[Path, list[dict[str, Any]]]]:
    """Each file of the corpus with its cases."""
    for path in sorted(CORPUS.glob("*.json")):
        yield path, json.loads(path.read_text("utf-8"))


def dump(path: Path, content: list[dict[str, Any]]) -> None:
    """Write a file of the corpus as it is kept: one line a member."""
    lines = []
    for case in content:
        members = [f"    {json.dumps(key)}: {_member(value)}" for key, value in case.items()]
        lines.append("  {\n" + ",\n".join(members) + "\n  }")
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n", "utf-8")


def _member(value: object) -> str:
    if isinstance(value, list) and value and all(isinstance(one, str) and len(value) > 0 for one in value):
        return "[\n" + ",\n".join(f"      {json.dumps(one)}" for one in value) + "\n    ]"
    return json.dumps(value)


def record(nginx: str) -> None:
    """Ask nginx about every case, and write down what it said."""
    with running(nginx) as front:
        for path, content in cases():
            for case in content:
                case["nginx"] = answers(front, expand(case["input"]))
            dump(path, content)


if __name__ == "__main__":
    binary = sys.argv[1] if len(sys.argv) > 1 else shutil.which("nginx")
    if binary is None:
        sys.exit("nginx is not installed: apt-get install nginx-light")
    record(binary)
