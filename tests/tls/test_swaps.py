"""Certificates swapped again and again while clients come and go: no handshake fails, nobody is cut off."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from tests.conftest import StartDaemon
from tests.support.raw import TEXT, RawClient
from tests.tls.certificates import client_context, write_pair

pytestmark = pytest.mark.alone


class Clients:
    """Two threads that connect anew for each request until they are told to stop."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.served = 0
        self.failures: list[Exception] = []
        self._tls = client_context()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(2)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with RawClient(self.url, tls=self._tls) as client:
                    assert client.request("GET", "/").status == 200
            except Exception as failure:
                self.failures.append(failure)
            else:
                self.served += 1

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)


def swap(start_daemon: StartDaemon, times: int) -> None:
    daemon = start_daemon()
    folder = Path(json.loads(daemon.config.read_text())["tls"]["certificate"]).parent
    with RawClient(daemon.url, tls=client_context()) as witness:
        witness.upgrade("/ws/echo")
        clients = Clients(daemon.url)
        try:
            for number in range(times):
                before = certificate_of(daemon.url)
                write_pair(folder)
                while certificate_of(daemon.url) == before:
                    witness.send_frame(TEXT, str(number).encode())
                    assert witness.read_message() == (TEXT, str(number).encode())
        finally:
            clients.stop()
    assert clients.failures == []
    assert clients.served > times


def certificate_of(url: str) -> bytes | None:
    with RawClient(url, tls=client_context()) as client:
        return client.sock.getpeercert(binary_form=True)  # type: ignore[attr-defined]


def test_swapped_under_load(start_daemon: StartDaemon) -> None:
    swap(start_daemon, 3)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_swapped_a_hundred_times_under_load(start_daemon: StartDaemon) -> None:
    swap(start_daemon, 100)
