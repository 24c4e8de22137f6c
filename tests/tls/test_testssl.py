"""testssl.sh (Debian's 3.0.8) against the daemon: protocols, ciphers, server defaults, vulnerabilities."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import StartDaemon
from tests.tls.certificates import AUTHORITY

pytestmark = [pytest.mark.long, pytest.mark.alone, pytest.mark.timeout(1200)]

CHECKS = ("--protocols", "--std", "--fs", "--server-defaults", "--server-preference", "--vulnerable")

# What the test's certificate is blamed for (nobody can revoke it, and it is valid for a thousand years), and
# what the tool says of the openssl it found.
NOT_OURS = {"cert_revocation", "cert_validityPeriod", "engine_problem"}


def test_testssl_finds_nothing(start_daemon: StartDaemon, tmp_path: Path) -> None:
    program = shutil.which("testssl")
    assert program is not None, "testssl is missing: `make test-long` installs Debian's testssl.sh"
    daemon = start_daemon()
    authority, report = tmp_path / "authority.crt", tmp_path / "report.json"
    authority.write_bytes(AUTHORITY.cert_pem.bytes())
    run = subprocess.run(
        [
            *(program, "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none"),
            *CHECKS,
            *("--add-ca", authority, "--jsonfile", report, f"127.0.0.1:{daemon.port}"),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1000,
        check=False,
    )
    assert report.exists(), run.stdout + run.stderr
    found = json.loads(report.read_text())
    asked = {finding["id"] for finding in found}
    assert {"TLS1_2", "TLS1_3", "cipherlist_STRONG", "heartbleed", "LUCKY13", "secure_client_renego"} <= asked
    bad = [
        f"{finding['id']}: {finding['severity']}, {finding['finding']}"
        for finding in found
        if finding["severity"] not in ("OK", "INFO", "LOW") and finding["id"] not in NOT_OURS
    ]
    assert bad == []
