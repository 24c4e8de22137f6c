"""The Debian package in a Debian of its own: installed, upgraded, removed and purged by the real dpkg."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import REPOSITORY

# A Debian is fetched and unpacked, a package built twice: many minutes on a busy machine.
pytestmark = [
    pytest.mark.long,
    pytest.mark.alone,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(os.geteuid() != 0, reason="debootstrap and chroot are for root"),
]

# Kept between runs, as it is the same each time; each test gets a copy.
BASE = REPOSITORY / "artefacts" / "debian"
MIRROR = "http://deb.debian.org/debian"


def run(*command: str | Path, **variables: str | Path) -> str:
    done = subprocess.run(
        command,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", **{k: str(v) for k, v in variables.items()}},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    run(REPOSITORY / "packaging" / "build-deb.sh", OUTPUT=folder, PYTHON="/usr/bin/python3", PIP=PIP)
    (built,) = folder.glob("ioto-server_*.deb")
    return built


PIP = f"{REPOSITORY / '.venv' / 'bin' / 'python'} -m pip --python /usr/bin/python3"


@pytest.fixture
def debian(tmp_path: Path) -> Path:
    """A minimal Debian 12, in which no systemd runs."""
    if not (BASE / "usr" / "bin" / "python3").exists():
        shutil.rmtree(BASE, ignore_errors=True)
        run("debootstrap", "--variant=minbase", "--include=python3", "bookworm", BASE, MIRROR)
    root = tmp_path / "debian"
    run("cp", "-a", BASE, root)
    return root


def inside(root: Path, *command: str) -> str:
    return run("chroot", root, *command)


def newer(package: Path, folder: Path) -> Path:
    """The same package as a later version, with another line in its configuration."""
    tree = folder / "newer"
    run("dpkg-deb", "--raw-extract", package, tree)
    control = tree / "DEBIAN" / "control"
    control.write_text(control.read_text().replace("\nVersion: ", "\nVersion: 9"))
    config = tree / "etc" / "ioto-server" / "web.json5"
    config.write_text("// of the new version\n" + config.read_text())
    built = folder / "newer.deb"
    run("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, built)
    return built


def files(root: Path) -> set[str]:
    """What there is, without what dpkg and ldconfig keep books in."""
    skip = ("proc", "dev", "sys", "var/lib/dpkg", "var/log", "var/cache", "tmp")
    return {
        name
        for path in root.rglob("*")
        if not (name := str(path.relative_to(root))).startswith(skip) and "__pycache__" not in name
    }


def test_it_is_installed_upgraded_removed_and_purged(package: Path, debian: Path, tmp_path: Path) -> None:
    before = files(debian)
    shutil.copy(package, debian / "tmp" / "one.deb")
    shutil.copy(newer(package, tmp_path), debian / "tmp" / "two.deb")
    inside(debian, "dpkg", "--install", "/tmp/one.deb")
    assert "no problems" in inside(debian, "ioto-server", "check")
    version = inside(debian, "ioto-server", "--version")
    assert "compiled" in version, version
    serves(debian)
    config = debian / "etc" / "ioto-server" / "web.json5"
    mine = config.read_text() + "// mine\n"
    config.write_text(mine)
    (debian / "etc" / "ioto-server" / "actions" / "mine.py").write_text('PREFIX = "/mine"\n')
    inside(debian, "dpkg", "--force-confold", "--install", "/tmp/two.deb")
    assert config.read_text() == mine, "an edited configuration survives"
    assert config.with_suffix(".json5.dpkg-dist").read_text().startswith("// of the new version")
    serves(debian)
    inside(debian, "dpkg", "--remove", "ioto-server")
    assert config.read_text() == mine
    assert not (debian / "usr" / "lib" / "ioto-server").exists()
    (debian / "var" / "lib" / "ioto-server").mkdir(exist_ok=True)
    inside(debian, "dpkg", "--purge", "ioto-server")
    left = files(debian) - before
    assert left == {"etc/ioto-server", "etc/ioto-server/actions", "etc/ioto-server/actions/mine.py"}


def serves(root: Path) -> None:
    """Start it in there, ask it for its page, stop it."""
    script = (
        "ioto-server start --set control=/tmp/c.sock --set \"listen=['unix:/tmp/web.sock']\" "
        "--set routes=null >/tmp/log 2>&1 & "
        "for i in $(seq 600); do [ -S /tmp/web.sock ] && [ -S /tmp/c.sock ] && break; sleep 0.1; done; "
        'python3 -c "'
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/tmp/web.sock'); "
        "s.sendall(b'GET / HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n'); print(s.recv(15))\"; "
        "ioto-server stop --control /tmp/c.sock; wait $!; cat /tmp/log"
    )
    assert "HTTP/1.1 200" in (said := inside(root, "sh", "-c", script)), said


def test_lintian_finds_no_error_and_no_warning(package: Path) -> None:
    assert run("lintian", "--allow-root", "--fail-on", "error,warning", package).strip() == ""
