"""What a start does not wait for: modules that are loaded by what needs them, if it ever comes."""

from __future__ import annotations

import json

from tests.conftest import StartDaemon
from tests.support.raw import RawClient

# Each costs a start between 3 and 100 ms; left to the first form, scrape, saved file or worker.
HEAVY = {
    "email",
    "importlib.metadata",
    "importlib.resources",
    "ioto_server.broker.connection",
    "ioto_server.client",
    "ioto_server.daemon.crew",
    "ioto_server.daemon.metrics",
    "ioto_server.testing",
    "logging.config",
    "multipart",
    "multiprocessing",
    "prometheus_client",
    "pydantic",
    "redis",
    "tempfile",
    "unittest",
    "urllib.request",
    "watchfiles",
    "zoneinfo",
}

# Nothing but ours is imported: what the action does of itself shall not count.
MODULES = """\
import sys
from ioto_server import Web, action


@action("/modules")
async def modules(web: Web) -> None:
    if web.method == "POST":
        await web.form()
    web.write_json(sorted(sys.modules))
"""


def test_a_start_does_not_load_what_is_for_later(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, {"modules.py": MODULES})
    with RawClient(daemon.url) as client:
        loaded = set(json.loads(client.request("GET", "/modules").body))
        assert "ioto_server.server" in loaded
        assert not loaded & HEAVY
        form = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n'
        fields = [("Content-Type", "multipart/form-data; boundary=x")]
        loaded = set(json.loads(client.request("POST", "/modules", fields, form).body))
        assert "multipart" in loaded, "the first form loads it"
