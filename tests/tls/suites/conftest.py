"""What the suites need over TLS beyond a daemon: clients that trust it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, copy_shipped
from tests.tls.certificates import AUTHORITY, secure


@pytest.fixture(scope="package", autouse=True)
def trust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Clients that check certificates, in Python and in Node.js, trust the authority of the tests."""
    file: Path = tmp_path_factory.getbasetemp() / "authority.pem"
    file.write_bytes(AUTHORITY.cert_pem.bytes())
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SSL_CERT_FILE", str(file))
        environment.setenv("NODE_EXTRA_CA_CERTS", str(file))
        yield


@pytest.fixture(scope="session")
def roomy_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """As that of tests/clients, at `https://`."""
    folder = tmp_path_factory.mktemp("roomy-tls")
    running = Daemon(copy_shipped(folder, {**secure(folder / "tls"), "limits": {"maxFrame": "2MB"}}))
    try:
        running.log("listening")
        yield running
    finally:
        running.close()
