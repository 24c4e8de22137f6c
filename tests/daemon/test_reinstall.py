"""`make install` over what is there already: all or nothing, and under a server that runs.

Its pip is a script that puts what the tests run with into the folder that it is told: no network and no
compiler. `test_install.py` has the real one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support import REPOSITORY
from tests.support import daemon as support
from tests.support.daemon import Daemon, run_program, write_project
from tests.support.raw import TEXT, RawClient

PIP = """\
#!/bin/sh
while [ "$1" != --target ]; do shift; done
cp -a {library}/. "$2"
{then}
"""

FORM = """\
from ioto_server import Web, action


@action("/form")
async def form(web: Web) -> None:
    web.write((await web.form()).get("name") or "")


@action("/ws")
async def ws(web: Web) -> None:
    async for message in web.websocket:
        await web.websocket.send(message)
"""


def needed(name: str, seen: set[str]) -> Iterator[Path]:
    """The files and folders of a distribution, and of all that it requires, at the top of site-packages."""
    if name.lower() in seen:
        return
    seen.add(name.lower())
    found = distribution(name)
    if name != "ioto-server":
        yield from {
            Path(str(found.locate_file(file.parts[0]))) for file in found.files or () if file.parts[0] != ".."
        }
    for text in found.requires or ():
        one = Requirement(text)
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            yield from needed(one.name, seen)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pip would install."""
    folder = tmp_path_factory.mktemp("library")
    package = REPOSITORY / "ioto_server"
    for path in (package, *needed("ioto-server", set())):
        subprocess.run(["cp", "-a", path, folder], check=True)
    # The others bring what was compiled of them, with the times of their files.
    subprocess.run(
        ["find", folder / "ioto_server", "-name", "__pycache__", "-exec", "rm", "-r", "{}", "+"], check=True
    )
    info = folder / "ioto_server-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ioto-server\nVersion: 1\n")
    return folder


class Installation:
    """A prefix, and what `packaging/install.sh` does to it."""

    def __init__(self, folder: Path, library: Path) -> None:
        self.prefix = folder / "prefix"
        self._folder = folder
        self._library = library

    def install(self, then: str = "") -> subprocess.CompletedProcess[str]:
        """Install; `then` is what pip does at its end."""
        pip = self._folder / "pip"
        pip.write_text(PIP.format(library=self._library, then=then))
        pip.chmod(0o755)
        where = {
            "PREFIX": self.prefix,
            "SYSCONFDIR": self._folder / "etc",
            "PYTHON": sys.executable,
            "PIP": pip,
        }
        return subprocess.run(
            [REPOSITORY / "packaging" / "install.sh"],
            env={**os.environ, **{name: str(value) for name, value in where.items()}},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def version(self) -> str:
        """What the installed program says that it is."""
        run = subprocess.run(
            [self.prefix / "bin" / "ioto-server", "--version"], capture_output=True, text=True, check=True
        )
        return run.stdout.split()[1]

    @property
    def left(self) -> set[str]:
        """The names in the folders that it installs into."""
        return {path.name for folder in ("bin", "lib") for path in (self.prefix / folder).iterdir()}


@pytest.fixture
def installation(tmp_path: Path, library: Path) -> Installation:
    one = Installation(tmp_path, library)
    assert (run := one.install()).returncode == 0, run.stderr
    return one


AS_NEW = 'sed -i "s/^Version: .*/Version: 2/" "$2"/ioto_server-1.dist-info/METADATA'


def test_an_install_that_fails_leaves_the_old_one_working(installation: Installation) -> None:
    there = installation.left
    for failure in ("exit 1", 'rm -r "$2"', 'echo "def" > "$2"/ioto_server/broken.py', "kill $PPID; sleep 1"):
        assert installation.install(then=f"{AS_NEW}; {failure}").returncode != 0
        assert installation.version == "1"
        assert installation.left == there, "nothing half-made stays behind"
    assert installation.install(then=AS_NEW).returncode == 0
    assert installation.version == "2"
    assert installation.left == there


def test_what_an_older_version_had_goes(installation: Installation) -> None:
    gone = installation.prefix / "lib" / "ioto-server" / "gone.py"
    gone.touch()
    etc = installation.prefix.with_name("etc") / "ioto-server"
    etc.chmod(0o750)
    assert installation.install().returncode == 0
    assert not gone.exists()
    assert etc.stat().st_mode & 0o777 == 0o750, "what the administrator keeps to himself stays so"
    (compiled,) = (installation.prefix / "lib" / "ioto-server" / "ioto_server" / "__pycache__").glob(
        "build.*.pyc"
    )
    assert b".new" not in compiled.read_bytes(), "tracebacks name files that exist"


def test_a_running_server_goes_on_and_an_upgrade_takes_up_the_new_version(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(support, "PROGRAM", installation.prefix / "bin" / "ioto-server")
    daemon = Daemon(write_project(tmp_path / "project", {}, {"form.py": FORM}))
    try:
        with RawClient(daemon.url) as client:
            client.upgrade("/ws")
            assert installation.install(then=AS_NEW).returncode == 0
            client.send_frame(TEXT, b"on")
            assert client.read_message() == (TEXT, b"on")
            with RawClient(daemon.url) as other:
                answer = other.request(
                    "POST",
                    "/form",
                    [("Content-Type", "application/x-www-form-urlencoded")],
                    b"name=Ada",
                )
                assert (answer.status, answer.text) == (200, "Ada"), "what is loaded late is loaded"
            run = run_program("upgrade", "--config", daemon.config, cwd=daemon.folder)
            assert run.returncode == 0, run.stderr
            assert client.read_close()[0] == 1012
        successor = int(run.stdout.split()[1])
        maps = Path(f"/proc/{successor}/maps").read_text()
        assert str(installation.prefix) in maps
        assert "(deleted)" not in "".join(
            line for line in maps.splitlines() if str(installation.prefix) in line
        )
        assert run_program("stop", "--config", daemon.config, cwd=daemon.folder).returncode == 0
        assert daemon.wait() == 0
    finally:
        daemon.close()
