"""packaging/: what `make install` and `make deb` put in place runs by itself, and goes away again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import REPOSITORY
from tests.support import daemon as support
from tests.support.daemon import Daemon, environment, run_program
from tests.support.raw import TEXT, RawClient

# Dependencies are fetched and unpacked: minutes on a busy machine.
pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


def packaging(script: str, **variables: str | Path) -> str:
    """Run one of packaging/, for the Python that runs the tests."""
    given = {"PYTHON": sys.executable, **{name: str(value) for name, value in variables.items()}}
    run = subprocess.run(
        [REPOSITORY / "packaging" / script],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def serves(prefix: Path, etc: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start what was installed, with its own configuration but for places that only root may write to."""
    monkeypatch.setattr(support, "PROGRAM", prefix / "bin" / "ioto-server")
    config = etc / "ioto-server" / "web.json5"
    settings = (
        *("--set", "listen=['http://127.0.0.1:0']"),
        *("--set", f"control={folder}/control.sock"),
        *("--set", "routes=null"),
    )
    daemon = Daemon(config, arguments=settings)
    try:
        with RawClient(daemon.url) as client:
            client.upgrade("/ws/echo")
            client.send_frame(TEXT, b"installed")
            assert client.read_message() == (TEXT, b"installed")
        assert run_program("stop", "--control", folder / "control.sock", cwd=folder).returncode == 0
        assert daemon.wait() == 0
    finally:
        daemon.close()


def test_it_is_installed_runs_without_the_repository_and_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, prefix = tmp_path / "root", "/opt/ioto"
    where = {"DESTDIR": root, "PREFIX": prefix}
    packaging("install.sh", **where)
    library = root / "opt" / "ioto" / "lib" / "ioto-server"
    assert (library / "ioto_server" / "site" / "index.html").is_file()
    assert list((library / "ioto_server" / "__pycache__").glob("*.pyc")), "nothing is compiled at a start"
    unit = (root / "opt/ioto/lib/systemd/system/ioto-server.service").read_text()
    assert "ExecStart=/opt/ioto/bin/ioto-server start --config /etc/ioto-server/web.json5" in unit
    checked = subprocess.run(
        [root / "opt/ioto/bin/ioto-server", "check", "--config", root / "etc/ioto-server/web.json5"],
        env=environment({"PYTHONPATH": ""}),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    serves(root / "opt" / "ioto", root / "etc", tmp_path, monkeypatch)
    mine = root / "etc" / "ioto-server" / "web.json5"
    mine.write_text("{ /* mine */ }")
    (library / "gone.py").touch()
    packaging("install.sh", **where)
    assert mine.read_text() == "{ /* mine */ }", "the administrator's file stays"
    assert not (library / "gone.py").exists(), "what an older version had goes"
    packaging("uninstall.sh", **where)
    assert {name.partition("/")[0] for name in files(root)} == {"etc"}


def test_the_debian_package_holds_all_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packaging("build-deb.sh", OUTPUT=tmp_path)
    (package,) = tmp_path.glob("ioto-server_*.deb")
    root = tmp_path / "root"
    for action, target in (("--extract", root), ("--control", root / "DEBIAN")):
        subprocess.run(["dpkg-deb", action, package, target], check=True)
    control = (root / "DEBIAN" / "control").read_text()
    minor = sys.version_info[1]
    assert f"Depends: libc6, python3 (>= 3.{minor}), python3 (<< 3.{minor + 1})\n" in control
    assert "@" not in control.replace("maintainers@users", "")
    conffiles = (root / "DEBIAN" / "conffiles").read_text().split()
    assert "/etc/ioto-server/web.json5" in conffiles
    assert {f"/{name}" for name in files(root / "etc")} == {name.removeprefix("/etc") for name in conffiles}
    assert (root / "lib/systemd/system/ioto-server.service").is_file()
    for script in ("postinst", "prerm", "postrm"):
        subprocess.run(["sh", "-n", root / "DEBIAN" / script], check=True)
    serves(root / "usr", root / "etc", tmp_path, monkeypatch)
