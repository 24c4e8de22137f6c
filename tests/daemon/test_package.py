"""The Debian package in a Debian of its own: installed, upgraded, removed and purged by the real dpkg."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import REPOSITORY
from tests.support.machine import Machine
from tests.support.raw import TEXT, RawClient

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
    """A minimal Debian 12, in which no systemd runs unless it is booted."""
    if not (BASE / "lib" / "systemd" / "systemd").exists() or not (BASE / "usr" / "bin" / "python3").exists():
        shutil.rmtree(BASE, ignore_errors=True)
        run("debootstrap", "--variant=minbase", "--include=python3,systemd", "bookworm", BASE, MIRROR)
    root = tmp_path / "debian"
    run("cp", "-a", BASE, root)
    # Of an installed system, it is the installer's.
    (root / "etc" / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    return root


def inside(root: Path, *command: str) -> str:
    return run("chroot", root, *command)


def newer(package: Path, folder: Path, *, changes_config: bool = True, is_broken: bool = False) -> Path:
    """The same package as a later version, with another line in its configuration, or a start that fails."""
    tree = folder / f"newer{is_broken}"
    run("dpkg-deb", "--raw-extract", package, tree)
    control = tree / "DEBIAN" / "control"
    control.write_text(control.read_text().replace("\nVersion: ", f"\nVersion: {9 + is_broken}"))
    if changes_config:
        config = tree / "etc" / "ioto-server" / "web.json5"
        config.write_text("// of the new version\n" + config.read_text())
    if is_broken:
        start = tree / "usr" / "lib" / "ioto-server" / "ioto_server" / "cli" / "start.py"
        start.write_text('raise SystemExit("broken")\n')
    built = folder / f"newer{is_broken}.deb"
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


def test_under_systemd_it_starts_reloads_is_upgraded_under_a_connection_and_goes(
    package: Path, debian: Path, tmp_path: Path
) -> None:
    """What an operator does with it, in a Debian that is up, with its real systemd, dpkg and journal."""
    shutil.copy(package, debian / "root" / "one.deb")
    shutil.copy(newer(package, tmp_path, changes_config=False), debian / "root" / "two.deb")
    shutil.copy(newer(package, tmp_path, changes_config=False, is_broken=True), debian / "root" / "bad.deb")
    with Machine(debian) as machine:

        def shown(name: str) -> str:
            return machine.run("systemctl", "show", "--value", "-p", name, "ioto-server").strip()

        def connect() -> RawClient:
            return RawClient(f"unix:{machine.path('/run/ioto-server/web.sock')}")

        machine.run("dpkg", "--install", "/root/one.deb")
        assert (shown("ActiveState"), shown("UnitFileState")) == ("active", "enabled")
        assert re.search(r"^actions +4$", machine.run("ioto-server", "status"), re.MULTILINE), "all that ship"
        # For a client out here, who has no way to its network.
        config = machine.path("/etc/ioto-server/web.json5")
        default = "// listen: ['http://localhost:4100'],"
        ours = "listen: ['http://localhost:4100', 'unix:/run/ioto-server/web.sock'],"
        shipped = config.read_text()
        changed = shipped.replace(default, ours)
        assert changed != shipped
        config.write_text(changed)
        machine.run("systemctl", "reload", "ioto-server")
        first = shown("MainPID")
        with connect() as client:
            client.upgrade("/ws/echo")
            config.write_text(changed.replace(ours, "listen: ]"))
            machine.fails("systemctl", "reload", "ioto-server")
            errors = machine.run("journalctl", "-u", "ioto-server", "-p", "err", "-o", "cat")
            assert "web.json5" in errors, "why it was refused stands among the errors of the journal"
            config.write_text(changed)
            machine.run("systemctl", "reload", "ioto-server")
            said = machine.run("dpkg", "--install", "/root/bad.deb")
            assert "the version before goes on" in said
            assert shown("MainPID") == first
            client.send_frame(TEXT, b"still there")
            assert client.read_message() == (TEXT, b"still there")
            machine.run("dpkg", "--force-downgrade", "--install", "/root/two.deb")
            assert client.read_close()[0] == 1012
        assert shown("MainPID") != first
        assert (shown("ActiveState"), shown("NRestarts"), shown("Result")) == ("active", "0", "success")
        with connect() as client:
            client.upgrade("/ws/echo")
            machine.run("systemctl", "restart", "ioto-server")
            assert client.read_close()[0] == 1001, "also one that an upgrade has begun stops in order"
        assert (shown("ActiveState"), shown("NRestarts"), shown("Result")) == ("active", "0", "success")
        machine.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", "ioto-server")
        machine.wait_until(lambda: (shown("ActiveState"), shown("NRestarts")) == ("active", "1"))
        with connect() as client:
            client.upgrade("/ws/echo")
            machine.run("systemctl", "restart", "ioto-server")
            assert client.read_close()[0] == 1001
        with connect() as client:
            client.upgrade("/ws/echo")
            machine.run("dpkg", "--purge", "ioto-server")
            assert client.read_close()[0] == 1001
        assert machine.run("systemctl", "is-system-running").strip() == "running", "nothing has failed"
        assert shown("LoadState") == "not-found"
        left = machine.run(
            "find",
            "/var/lib",
            "/usr",
            "/etc/systemd",
            "/run",
            "-name",
            "*ioto*",
            "-not",
            "-path",
            "*/journal/*",
        )
        assert left == ""


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
