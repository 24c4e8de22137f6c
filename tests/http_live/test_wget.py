"""wget: a download that was cut off goes on where it ended, and what is unchanged is not fetched again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.http_live.conftest import Site


def wget(site: Site, *arguments: str | Path) -> str:
    """Run wget and return its account of the exchange."""
    command = ["wget", "--no-verbose", "--server-response", "--tries", "1", "--timeout", "60"]
    run = subprocess.run(
        [*command, "--ca-certificate", site.authority, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stderr


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_download_goes_on_where_it_ended(site: Site, tmp_path: Path, scheme: str) -> None:
    url = site.http if scheme == "http" else site.https
    file = tmp_path / "large.bin"
    file.write_bytes(site.large[:999_999])
    said = wget(site, "--continue", "--directory-prefix", tmp_path, f"{url}/large.bin")
    assert "206 Partial Content" in said
    assert file.read_bytes() == site.large


def test_a_download_that_is_whole_is_left_alone(site: Site, tmp_path: Path) -> None:
    (tmp_path / "large.bin").write_bytes(site.large)
    said = wget(site, "--continue", "--directory-prefix", tmp_path, f"{site.http}/large.bin")
    assert "416 Range Not Satisfiable" in said


def test_a_file_is_fetched_again_only_when_it_is_newer(site: Site, tmp_path: Path) -> None:
    arguments = ("--timestamping", "--directory-prefix", tmp_path, f"{site.http}/large.bin")
    assert "200 OK" in wget(site, *arguments)
    assert "304 Not Modified" in wget(site, *arguments)
