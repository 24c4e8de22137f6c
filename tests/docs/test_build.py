"""The site: it builds without a warning, needs no network to be read, and leaves no public name out."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import ioto_server
import ioto_server.testing
from ioto_server.cli import main
from ioto_server.config.directives import walk
from tests.docs.story import DOCS, PAGES
from tests.support import REPOSITORY
from tests.support.daemon import environment


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does it."""
    folder = tmp_path_factory.mktemp("site")
    run = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", DOCS, folder],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    return folder


def test_every_page_is_there_and_can_be_read_offline(site: Path) -> None:
    for page in PAGES:
        html = (site / f"{page.stem}.html").read_text()
        assert "system-message" not in html, f"{page.name} shows an error"
        loaded = re.findall(r'<(?:script|link|img)\b[^>]*\b(?:src|href)="([^"]+)"', html)
        assert loaded
        assert [url for url in loaded if "//" in url] == [], f"{page.name} loads from elsewhere"


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    html = (site / "api.html").read_text()
    for module in (ioto_server, ioto_server.testing):
        missing = [
            name
            for name in module.__all__
            if f'id="ioto_server.{name}"' not in html and f'id="ioto_server.testing.{name}"' not in html
        ]
        assert missing == []


def test_every_directive_is_in_the_reference(site: Path) -> None:
    html = (site / "configuration.html").read_text()
    assert [directive.path for directive in walk() if directive.path not in html] == []


def test_every_command_is_in_the_reference(site: Path) -> None:
    html = (site / "commands.html").read_text()
    names = main.list_commands(None)  # type: ignore[arg-type]
    assert names
    assert [name for name in names if f"Usage: ioto-server {name}" not in html] == []
