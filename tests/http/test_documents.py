"""Path attacks: nothing outside the documents folder, no hidden file, no device, no hang, no 500 (SPEC 8)."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ioto_server.http.documents import NoFile, find, segments_of

from .site import Site, no_descriptor_left

SECRET = b"SECRET"


@pytest.fixture(params=["cold", "warm"])
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    (tmp_path / "secret.txt").write_bytes(SECRET)
    (tmp_path / "docs-private").mkdir()
    (tmp_path / "docs-private" / "secret.txt").write_bytes(SECRET)
    (tmp_path / "docs").mkdir()
    site = Site(tmp_path / "docs", warm=request.param == "warm")
    site.write("index.html", b"public")
    site.write("sub/page.html", b"page")
    with no_descriptor_left():
        yield site


_SPELLINGS = r"""
    ../secret.txt ..%2fsecret.txt ..%2Fsecret.txt %2e%2e/secret.txt %2e%2e%2fsecret.txt .%2e/secret.txt
    %2e./secret.txt ..%5csecret.txt ..\secret.txt %2e%2e%5csecret.txt ..%252fsecret.txt
    %252e%252e/secret.txt %c0%ae%c0%ae/secret.txt %e0%80%ae%e0%80%ae/secret.txt ..%c0%afsecret.txt
    ..%e0%80%afsecret.txt ..%c1%9csecret.txt ..%u2216secret.txt %uff0e%uff0e/secret.txt ..;/secret.txt
    ..%00/secret.txt ../secret.txt%00.html ....//secret.txt ...//secret.txt .../secret.txt
    sub/../../secret.txt sub/%2e%2e/%2e%2e/secret.txt ./../secret.txt /../secret.txt //../secret.txt
    sub/page.html/../../../secret.txt ..%ef%bc%8fsecret.txt %ef%bc%8e%ef%bc%8e/secret.txt
    ..%0d%0a/secret.txt ../docs-private/secret.txt ..%09/secret.txt ~/secret.txt file:///etc/passwd
    /etc/passwd %2fetc%2fpasswd
"""
CLIMBS = _SPELLINGS.split()


@pytest.mark.parametrize("path", CLIMBS)
def test_no_spelling_of_dot_dot_leads_out(site: Site, path: str) -> None:
    answer = site.ask("/" + path)
    assert answer.status in (400, 404)
    assert SECRET not in answer.body


@pytest.mark.parametrize(
    "target",
    [
        "../secret.txt",
        "../../../../../../../etc/passwd",
        "/etc/passwd",
        "../docs-private",
        "sub/../../secret.txt",
    ],
)
def test_no_link_leads_out(site: Site, target: str) -> None:
    (site.folder / "link").symlink_to(target)
    for path in ("/link", "/link/", "/link/secret.txt", "/link/../link"):
        answer = site.ask(path)
        assert (answer.status, answer.body) == (404, b"")


def test_an_absolute_link_beside_the_folder_leads_out(site: Site) -> None:
    """The name of the folder is a prefix of its neighbour's."""
    (site.folder / "link").symlink_to(site.folder.parent / "docs-private")
    site.write("-private/secret.txt", b"not what the link says")
    assert site.ask("/link/secret.txt").status == 404


def test_links_inside_are_followed(site: Site) -> None:
    (site.folder / "relative.html").symlink_to("sub/page.html")
    (site.folder / "absolute.html").symlink_to(site.folder / "sub" / "page.html")
    (site.folder / "folder").symlink_to("sub")
    (site.folder / "sub" / "up.html").symlink_to("../index.html")
    (site.folder / "sub" / "top").symlink_to(site.folder)
    (site.folder / "chain").symlink_to("relative.html")
    (site.folder / "self").symlink_to(".")
    assert site.ask("/relative.html").body == b"page"
    assert site.ask("/absolute.html").body == b"page"
    assert site.ask("/folder/page.html").body == b"page"
    assert site.ask("/folder").headers == {"Location": "/folder/"}
    assert site.ask("/sub/up.html").body == b"public"
    assert site.ask("/sub/top/sub/page.html").body == b"page"
    assert site.ask("/chain").body == b"page"
    assert site.ask("/self/self/self/").body == b"public"


def test_the_type_of_a_linked_file_is_that_of_the_name_asked_for(site: Site) -> None:
    site.write("data", b"{}")
    (site.folder / "data.json").symlink_to("data")
    assert site.ask("/data.json").headers["Content-Type"] == "application/json"


def test_documents_that_are_a_link_themselves(site: Site) -> None:
    link = site.folder.parent / "link"
    link.symlink_to("docs")
    (site.folder / "real.html").symlink_to(site.folder / "index.html")
    (site.folder / "named.html").symlink_to(link / "index.html")
    linked = Site(link)
    for path in ("/", "/real.html", "/named.html"):
        assert linked.ask(path).body == b"public"


def test_links_in_a_circle_end(site: Site) -> None:
    (site.folder / "a").symlink_to("b")
    (site.folder / "b").symlink_to("a")
    (site.folder / "deep").symlink_to("deep/deep")
    assert {site.ask(path).status for path in ("/a", "/b/", "/deep", "/deep/x")} == {404}


def test_a_link_to_nothing(site: Site) -> None:
    (site.folder / "gone").symlink_to("none.html")
    assert site.ask("/gone").status == 404


@pytest.mark.parametrize(
    "path", ["/.env", "/.git/config", "/sub/.htpasswd", "/.well-known/x", "/..data/x", "/.../x", "/sub/..x"]
)
def test_no_dot_files(site: Site, path: str) -> None:
    site.write(path[1:], SECRET)
    answer = site.ask(path)
    assert (answer.status, answer.body) == (404, b"")


def test_a_hidden_index_is_not_found_by_its_folder(site: Site) -> None:
    site.write(".hidden/index.html", SECRET)
    assert site.ask("/.hidden/").status == 404
    assert site.ask("/.hidden").status == 404


def test_a_fifo_does_not_hang_and_is_not_opened(site: Site) -> None:
    os.mkfifo(site.folder / "fifo")
    assert site.ask("/fifo").status == 404
    os.mkfifo(site.folder / "page.gz")
    site.write("page", b"plain")
    assert site.ask("/page", {"Accept-Encoding": "gzip"}).body == b"plain"


def test_sockets_and_devices_are_not_files(site: Site) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(site.folder / "socket"))
        assert site.ask("/socket").status == 404
    (site.folder / "null").symlink_to("/dev/null")
    (site.folder / "zero").symlink_to("/dev/zero")
    assert site.ask("/null").status == 404
    assert site.ask("/zero").status == 404


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/tty"])
def test_devices_inside_are_not_opened(device: str) -> None:
    dev = Site(Path("/dev"))
    assert dev.ask("/" + Path(device).name).status == 404


def test_long_names_and_deep_paths(site: Site) -> None:
    assert site.ask("/" + "a" * 256).status == 404
    assert site.ask("/" + "%C3%A9" * 128).status == 404
    assert site.ask("/" + "a" * 255).status == 404
    assert site.ask("/a" * 3000).status == 404
    assert site.ask("/sub/.." * 500 + "/index.html").body == b"public"
    (site.folder / ("n" * 255)).write_bytes(b"long")
    assert site.ask("/" + "n" * 255).body == b"long"


@pytest.mark.parametrize("path", ["", "/a//b", "//a", "/a/./b", "/.", "/..", "/a/..", "/" + "x" * 256])
def test_segments_refuse_what_the_parser_should_have_removed(path: str) -> None:
    """The last line of defence does not rely on the first."""
    if path:
        with pytest.raises(NoFile):
            segments_of(path)
    else:
        assert segments_of(path) == []


@pytest.mark.parametrize("warm", [False, True])
def test_a_tree_that_changes_under_the_walk_never_leads_out(tmp_path: Path, warm: bool) -> None:
    """A folder inside is swapped for a link to the outside, again and again, while it is asked for."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "page.html").write_bytes(SECRET)
    site = Site(tmp_path / "docs", warm=warm)
    site.warm = False  # two answers in a row may differ here
    site.write("good/page.html", b"page")
    (site.folder / "evil").symlink_to("../outside")
    swapped = site.folder / "swapped"
    rounds = 1000
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for target in ("good", "../outside"):
                (site.folder / "new").symlink_to(target)
                (site.folder / "new").rename(swapped)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        answers = [site.ask("/swapped/page.html") for _ in range(rounds)]
        # On a busy machine the other thread may not have had its turn in all these rounds.
        end = time.monotonic() + 30
        while len({answer.status for answer in answers}) < 2 and time.monotonic() < end:
            answers.append(site.ask("/swapped/page.html"))
    finally:
        stop.set()
        swapper.join()
    assert {answer.body for answer in answers} == {b"page", b""}
    assert {answer.status for answer in answers} == {200, 404}


def test_the_entry_of_a_new_file_names_its_folder(tmp_path: Path) -> None:
    """What uploads build on: the folder is open, the name is free."""
    with find(tmp_path, [b"new.txt"]) as entry:
        assert entry.status is None
        assert os.path.samestat(os.fstat(entry.folder), os.stat(tmp_path))
