"""Groups 1 and 2 of the Autobahn test suite over TLS: kosoku speaks plain TCP, a tunnel takes it on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.autobahn.kosoku import run_cases
from tests.support import REPOSITORY
from tests.support.daemon import Daemon, copy_shipped
from tests.tls.certificates import client_context, secure
from tests.tls.tunnel import Tunnel

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the daemon's echo action behind a tunnel, as kosoku wants it."""
    folder = tmp_path_factory.mktemp("autobahn-tls")
    running = Daemon(copy_shipped(folder, secure(folder / "tls")))
    try:
        with Tunnel(running.port, client_context()) as tunnel:
            yield f"127.0.0.1:{tunnel.port}/ws/echo"
    finally:
        running.close()


@pytest.mark.parametrize(("group", "count"), [(1, 16), (2, 11)])
def test_cases(echo: str, group: int, count: int) -> None:
    report = REPOSITORY / "artefacts" / "autobahn" / f"tls-{group}"
    verdicts = run_cases(echo, report, include=[f"{group}.*"], seconds=90)
    assert len(verdicts) == count
    bad = [str(verdict) for verdict in verdicts if not verdict.good]
    assert not bad, "\n".join(bad)
