"""slowhttptest (Debian) with a thousand clients: all are closed in time, and those beside them are served."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartDaemon
from tests.support.priority import MAY_PREFER, prefer
from tests.support.raw import TEXT, RawClient
from tests.support.waiting import until

pytestmark = [pytest.mark.long, pytest.mark.alone, pytest.mark.timeout(300)]

SINK = """\
from ioto_server import Web, action


@action("/sink")
async def sink(web: Web) -> None:
    while await web.read():
        pass
"""
ECHO = """\
from ioto_server import Web, action


@action("/ws/echo")
async def echo(web: Web) -> None:
    async for message in web.websocket:
        await web.websocket.send(message)
"""

# -H begins headers and never ends them, -B does so with bodies, -X reads answers of many ranges slowly.
CLIENTS = 1000
ATTACKS = {
    "-H": ("/", ("-i", "2")),
    "-B": ("/sink", ("-i", "20", "-s", "8192", "-f", "application/x-www-form-urlencoded")),
    "-X": ("/large.bin", ("-n", "20", "-w", "10", "-y", "20", "-z", "8")),
}


class Echoes:
    """A client that sends a message now and then, and notes how long each takes to come back, in seconds."""

    def __init__(self, url: str) -> None:
        self.taken: list[float] = []
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        if MAY_PREFER:
            prefer(threading.get_native_id())
        with RawClient(self._url) as client:
            client.upgrade("/ws/echo")
            while not self._stop.wait(0.02):
                begun = time.monotonic()
                client.send_frame(TEXT, b"still here?")
                assert client.read_message() == (TEXT, b"still here?")
                self.taken.append(time.monotonic() - begun)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)

    @property
    def p99(self) -> float:
        """Milliseconds that one in a hundred takes longer than."""
        return sorted(self.taken)[len(self.taken) * 99 // 100] * 1000


@pytest.mark.parametrize("mode", ATTACKS)
def test_a_thousand_slow_clients(start_daemon: StartDaemon, tmp_path: Path, mode: str) -> None:
    timeouts = {"parse": "5 secs", "inactivity": "10 secs", "close": "5 secs"}
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "index.html").write_text("here\n")
    (documents / "large.bin").write_bytes(bytes(10_000_000))
    config = {"timeouts": timeouts, "documents": str(documents)}
    daemon = start_daemon(config, {"sink.py": SINK, "echo.py": ECHO})
    # Nobody attacks this one: what its echoes suffer is the machine's doing, which slowhttptest keeps busy.
    bystander = start_daemon({}, {"echo.py": ECHO})
    if MAY_PREFER:
        # Else what is measured is mostly how long slowhttptest holds a core.
        for server in (daemon, bystander):
            prefer(server.pid)
    path, options = ATTACKS[mode]
    quiet = Echoes(daemon.url)
    time.sleep(3)
    quiet.stop()
    beside, elsewhere = Echoes(daemon.url), Echoes(bystander.url)

    def closed() -> list[dict[str, Any]]:
        # Asked of the daemon: what reads slowly goes on reading what it was sent after the end.
        lines = [line for line in daemon.events if line["event"] in ("refused", "request")]
        if mode == "-X":
            # Its time is timeouts.inactivity; the probes of slowhttptest itself are served at once.
            return [line for line in lines if line["milliseconds"] >= 9_500]
        return [line for line in lines if line["status"] == 408]

    said = attack(f"{daemon.url}{path}", mode, options, lambda: len(closed()) >= CLIENTS)
    beside.stop()
    elsewhere.stop()
    print(
        f"{mode}: p99 of an echo {quiet.p99:.1f} ms alone, {beside.p99:.1f} ms beside it, "
        f"{elsewhere.p99:.1f} ms at the same time in a server that is not attacked; "
        f"servers and echoes {'went' if MAY_PREFER else 'did not go'} before slowhttptest"
    )
    assert len(closed()) >= CLIENTS, said
    assert re.search(r"service available:\s+YES", said), said
    assert len(beside.taken) > 50, "the echo client was served all the time"


def attack(url: str, mode: str, options: Sequence[str], over: Callable[[], bool]) -> str:
    """Run slowhttptest until all its clients have been closed; returns its account.

    It would go on for four minutes: the daemon has to close them, while they still want to be served.
    """
    program = shutil.which("slowhttptest")
    assert program is not None, "slowhttptest is missing: `make test-long` installs it"
    command = [program, mode, "-c", str(CLIENTS), "-r", "200", "-l", "240", "-p", "3", "-u", url, *options]
    with tempfile.TemporaryFile("w+") as account:
        attacking = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=account, text=True)
        try:
            until(lambda: over() or attacking.poll() is not None, "all slow clients are closed", 120)
        finally:
            if attacking.poll() is None:
                attacking.send_signal(signal.SIGINT)
            attacking.wait(30)
        account.seek(0)
        return re.sub("\x1b\\[[0-9;]*[A-Za-z]", "", account.read())
