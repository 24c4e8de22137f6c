"""systemd/: the units are correct and well shut off, as `systemd-analyze` of Debian 12 judges (SPEC 9)."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.support import REPOSITORY
from tests.support.daemon import DEADLINE, PROGRAM

UNITS = REPOSITORY / "systemd"
INSTALLED = "/usr/bin/ioto-server"


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


def test_the_units_are_verified_without_a_word(tmp_path: Path) -> None:
    copies = []
    for unit in sorted(UNITS.iterdir()):
        text = unit.read_text()
        copies.append(tmp_path / unit.name)
        # The program must exist for this check, and here it is not installed.
        copies[-1].write_text(text.replace(INSTALLED, str(PROGRAM)))
    assert [copy.name for copy in copies] == ["ioto-server.service", "ioto-server.socket"]
    run = analyze("verify", *copies)
    assert (run.returncode, run.stdout + run.stderr) == (0, "")


def test_the_verification_would_notice(tmp_path: Path) -> None:
    broken = tmp_path / "ioto-server.service"
    text = (UNITS / "ioto-server.service").read_text().replace(INSTALLED, str(PROGRAM))
    broken.write_text(text.replace("ProtectHome=yes", "ProtectHome=maybe"))
    assert "maybe" in analyze("verify", broken).stderr


def test_the_exposure_is_at_most_2_5() -> None:
    run = analyze("security", "--offline=true", UNITS / "ioto-server.service")
    found = re.search(r"Overall exposure level for ioto-server\.service: ([0-9.]+)", run.stdout)
    assert found, run.stdout + run.stderr
    assert float(found[1]) <= 2.5
