"""A daemon with files, an upload folder and small actions, for clients that are not ours."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, write_project
from tests.tls.certificates import AUTHORITY, secure

ACTIONS = {
    "small.py": """\
from ioto_server import Web, action


@action("/echo")
async def echo(web: Web) -> None:
    web.set_header("X-Method", web.method)
    while piece := await web.read():
        await web.write(piece)


@action("/stream")
async def stream(web: Web) -> None:
    for number in range(100):
        await web.write(f"{number} " * 1000)
"""
}


@dataclass(frozen=True)
class Site:
    """The daemon, at http:// and https://, and what it serves."""

    daemon: Daemon
    http: str
    https: str
    authority: Path
    documents: Path

    @property
    def large(self) -> bytes:
        return (self.documents / "large.bin").read_bytes()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("live")
    documents = folder / "documents"
    documents.mkdir()
    (documents / "index.html").write_text("<!doctype html><title>Live</title>\n")
    # No byte at its place again: a range that is off by one shows.
    (documents / "large.bin").write_bytes(
        b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(100_000))
    )
    settings = secure(folder / "tls")
    running = Daemon(
        write_project(
            folder,
            {
                **settings,
                "listen": ["http://127.0.0.1:0", *settings["listen"]],
                "documents": "documents",
                "routes": [
                    {
                        "match": "/upload/",
                        "methods": ["GET", "PUT", "DELETE"],
                        "documents": "stored",
                        "trim": "/upload",
                    },
                    {"match": "/echo", "handler": "action", "methods": ["POST"]},
                    {"match": "/stream", "handler": "action"},
                    {},
                ],
            },
            ACTIONS,
        )
    )
    authority = folder / "authority.crt"
    authority.write_bytes(AUTHORITY.cert_pem.bytes())
    try:
        urls = [str(running.log("listening", number=number)["url"]) for number in (1, 2)]
        yield Site(running, urls[0], urls[1], authority, documents)
    finally:
        running.close()
