"""curl against the daemon, over TCP and TLS."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.http_live.conftest import Site

Curl = Callable[..., bytes]


@pytest.fixture(params=["http", "https"])
def url(request: pytest.FixtureRequest, site: Site) -> str:
    return site.http if request.param == "http" else site.https


@pytest.fixture
def curl(site: Site) -> Curl:
    """Run curl and return what it prints; a status over 399 or a broken connection fails."""

    def run(*arguments: str | Path) -> bytes:
        command = [
            "curl",
            "--silent",
            "--show-error",
            "--fail",
            "--max-time",
            "60",
            "--cacert",
            site.authority,
        ]
        return subprocess.run([*command, *arguments], check=True, stdout=subprocess.PIPE).stdout

    return run


def test_get_and_head(curl: Curl, url: str, site: Site) -> None:
    assert curl(f"{url}/large.bin") == site.large
    head = curl("--head", f"{url}/large.bin").decode()
    assert head.startswith("HTTP/1.1 200")
    assert f"content-length: {len(site.large)}" in head.lower()


def test_a_download_is_resumed(curl: Curl, url: str, site: Site, tmp_path: Path) -> None:
    file = tmp_path / "large.bin"
    file.write_bytes(site.large[:1_234_567])
    said = curl("--continue-at", "-", "--output", file, "--write-out", "%{response_code}", f"{url}/large.bin")
    assert said == b"206"
    assert file.read_bytes() == site.large


def test_a_range_of_several_parts(curl: Curl, url: str, site: Site) -> None:
    body = curl("--range", "0-9,1000-1009", f"{url}/large.bin")
    assert body.count(b"Content-Range: bytes") == 2
    assert site.large[1000:1010] in body


def test_an_unchanged_file_is_not_sent_again(curl: Curl, url: str, tmp_path: Path) -> None:
    tag = tmp_path / "etag"
    first = curl("--etag-save", tag, "--write-out", "%{response_code}", f"{url}/")
    assert first.endswith(b"200")
    assert curl("--etag-compare", tag, "--write-out", "%{response_code}", f"{url}/") == b"304"


def test_an_upload_that_asks_first(curl: Curl, url: str, tmp_path: Path) -> None:
    """curl sends `Expect: 100-continue` with a body as large as this."""
    file = tmp_path / "up.bin"
    file.write_bytes(bytes(range(256)) * 8000)
    curl("--upload-file", file, "--header", "Expect: 100-continue", f"{url}/upload/up.bin")
    assert curl(f"{url}/upload/up.bin") == file.read_bytes()
    curl("--request", "DELETE", f"{url}/upload/up.bin")


def test_a_chunked_upload_to_an_action(curl: Curl, url: str, tmp_path: Path) -> None:
    file = tmp_path / "body.bin"
    file.write_bytes(b"x" * 90_000)
    sent = ("--data-binary", f"@{file}", "--header", "Transfer-Encoding: chunked")
    assert curl(*sent, f"{url}/echo") == file.read_bytes()


def test_a_chunked_answer(curl: Curl, url: str) -> None:
    body = curl("--dump-header", "-", f"{url}/stream")
    assert b"Transfer-Encoding: chunked" in body
    assert body.endswith(b"99 " * 1000)


def test_one_connection_for_many_requests(curl: Curl, url: str) -> None:
    said = curl("--write-out", "%{num_connects} ", *[f"{url}/"] * 5, *["--output", "/dev/null"] * 5)
    assert said == b"1 0 0 0 0 "


def test_http_1_0(curl: Curl, url: str, site: Site) -> None:
    assert curl("--http1.0", f"{url}/large.bin") == site.large
    assert curl("--http1.0", f"{url}/stream").endswith(b"99 " * 1000)
