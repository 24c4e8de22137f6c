"""PUT and DELETE: whole or not at all, never outside, never against a precondition (SPEC 8)."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from ioto_server.http import FolderBusy, HttpError, Upload, Uploads
from ioto_server.http.uploads import PREFIX

from .site import NOW, Site, no_descriptor_left, parse


class Store:
    """A folder that takes uploads, asked as the server would."""

    def __init__(
        self, folder: Path, limit: int = 1000, *, kept: Callable[[Path], bool] = lambda _folder: False
    ) -> None:
        self.folder = folder
        self.uploads = Uploads(folder, limit, kept=kept, clock=lambda: NOW)
        self.site = Site(folder)

    def begin(self, path: str, headers: Mapping[str, str] | None = None) -> Upload:
        return self.uploads.put(parse("PUT", path, {"Content-Length": "7", **(headers or {})}), path)

    def put(self, path: str, content: bytes = b"content", /, **fields: str) -> int:
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        try:
            with self.begin(path, headers) as upload:
                for start in range(0, len(content), 3):
                    upload.write(content[start : start + 3])
                return upload.finish().status
        except HttpError as error:
            return error.status

    def delete(self, path: str, /, **fields: str) -> int:
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        try:
            return self.uploads.delete(parse("DELETE", path, headers), path).status
        except HttpError as error:
            return error.status

    def etag(self, path: str) -> str:
        return self.site.etag(path)

    def names(self) -> list[str]:
        return sorted(os.listdir(self.folder))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    folder = tmp_path / "store"
    folder.mkdir()
    with no_descriptor_left():
        yield Store(folder)


def test_put_creates_then_replaces(store: Store) -> None:
    """RFC 9110 9.3.4."""
    for content, status in ((b"one", 201), (b"two!", 204)):
        with store.begin("/a.txt") as upload:
            upload.write(content)
            response = upload.finish()
        shown = store.site.ask("/a.txt")
        assert (response.status, shown.body) == (status, content)
        assert dict(response.headers) == {name: shown.headers[name] for name in ("ETag", "Last-Modified")}
    assert store.names() == ["a.txt"]


def test_an_empty_file_can_be_put(store: Store) -> None:
    assert store.put("/a.txt", b"", Content_Length="0") == 201
    assert (store.folder / "a.txt").read_bytes() == b""


def test_until_the_end_the_old_file_is_there(store: Store) -> None:
    store.put("/a.txt", b"old")
    with store.begin("/a.txt") as upload:
        upload.write(b"new")
        assert store.site.ask("/a.txt").body == b"old"
        upload.finish()
        assert store.site.ask("/a.txt").body == b"new"


def test_an_upload_that_is_cut_leaves_the_old_file_and_nothing_else(store: Store) -> None:
    store.put("/a.txt", b"old")
    for path in ("/a.txt", "/b.txt"):
        upload = store.begin(path)
        upload.write(b"ne")
        upload.abort()
        upload.abort()
    assert store.names() == ["a.txt"]
    assert (store.folder / "a.txt").read_bytes() == b"old"


def test_the_temporary_file_is_hidden_from_readers(store: Store) -> None:
    with store.begin("/a.txt"):
        (temporary,) = store.names()
        assert temporary.startswith(PREFIX)
        assert store.site.ask(f"/{temporary}").status == 404


def test_new_files_get_the_usual_mode_and_replaced_ones_keep_theirs(store: Store) -> None:
    mask = os.umask(0o027)
    try:
        store.put("/a.txt")
    finally:
        os.umask(mask)
    path = store.folder / "a.txt"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    store.put("/a.txt")
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_the_limit_holds_for_announced_and_for_arriving_bytes(store: Store) -> None:
    """RFC 9110 15.5.14."""
    store.put("/a.txt", b"old")
    assert store.put("/a.txt", Content_Length="1001") == 413
    assert store.put("/a.txt", bytes(1000)) == 204
    assert store.put("/a.txt", bytes(1001)) == 413
    with pytest.raises(HttpError) as refused, store.begin("/a.txt") as upload:
        upload.write(bytes(1001))
    assert refused.value.text == "The file is over limits.upload (RFC 9110 15.5.14): send less"
    assert (store.folder / "a.txt").stat().st_size == 1000
    assert store.names() == ["a.txt"]


def test_a_part_is_not_taken_for_the_whole(store: Store) -> None:
    """RFC 9110 14.5."""
    assert store.put("/a.txt", Content_Range="bytes 0-6/10") == 400


def test_coded_content_is_refused(store: Store) -> None:
    """RFC 9110 8.4: it would be served as what it is not."""
    assert store.put("/a.txt", Content_Encoding="gzip") == 415
    assert store.put("/a.txt", Content_Encoding="identity") == 201


def test_a_put_without_any_body_is_refused(store: Store) -> None:
    """RFC 9110 15.5.12."""
    with pytest.raises(HttpError) as caught:
        store.uploads.put(parse("PUT", "/a.txt", {}), "/a.txt")
    assert caught.value.status == 411
    with store.uploads.put(parse("PUT", "/a.txt", {"Transfer-Encoding": "chunked"}), "/a.txt") as upload:
        assert upload.finish().status == 201


@pytest.mark.parametrize(
    "path", ["/", "/sub/", "/sub", "/none/a.txt", "/a.txt/b", "/fifo", "/deep/none/a.txt"]
)
def test_where_no_file_can_be(store: Store, path: str) -> None:
    """RFC 9110 15.5.10: 409, for the client to resolve."""
    (store.folder / "sub").mkdir()
    os.mkfifo(store.folder / "fifo")
    store.put("/a.txt")
    assert store.put(path) == 409
    assert store.delete(path) == 409


@pytest.mark.parametrize(
    "path", ["/.htaccess", "/.git/config", "/a//b", "/" + "x" * 256, "/..x", f"/{PREFIX}0"]
)
def test_names_that_are_never_served_cannot_be_written(store: Store, path: str) -> None:
    assert store.put(path) == 403
    assert store.delete(path) == 403


def test_the_packaged_site_is_not_written_to(store: Store) -> None:
    (store.folder / "a.txt").write_text("x")
    site = Store(store.folder, kept=lambda _folder: True)
    assert site.put("/a.txt") == 403
    assert site.delete("/a.txt") == 403
    assert site.uploads.clean() == 0
    assert (store.folder / "a.txt").read_text() == "x"


def test_nor_is_a_folder_below_that_is_kept(store: Store) -> None:
    site = store.folder / "site"
    (site / "sub").mkdir(parents=True)
    (site / "a.txt").write_text("x")
    (store.folder / "link").symlink_to("site")
    above = Store(store.folder, kept=lambda folder: folder.resolve().is_relative_to(site))
    for path in ("/site/a.txt", "/site/sub/a.txt", "/link/a.txt"):
        assert above.put(path) == 403
        assert above.delete(path) == 403
    assert above.put("/a.txt") == 201
    assert (site / "a.txt").read_text() == "x"


def test_a_folder_that_somebody_holds_is_not_waited_for(store: Store) -> None:
    """A thread that waited would be one less for all others."""
    held = os.open(store.folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with store.begin("/a.txt") as upload:
        upload.write(b"content")
        with pytest.raises(FolderBusy):
            upload.finish()
        with pytest.raises(FolderBusy):
            store.delete("/a.txt")
        os.close(held)
        assert upload.finish().status == 201
    assert (store.folder / "a.txt").read_bytes() == b"content"
    assert store.delete("/a.txt") == 204
    assert store.names() == []


def test_links_on_the_way_never_lead_out(store: Store) -> None:
    outside = store.folder.parent / "outside"
    outside.mkdir()
    (outside / "a.txt").write_text("kept")
    (store.folder / "link").symlink_to("../outside")
    (store.folder / "absolute").symlink_to(outside)
    for path in ("/link/a.txt", "/link/new.txt", "/absolute/a.txt"):
        assert store.put(path) == 409
        assert store.delete(path) == 409
    assert os.listdir(outside) == ["a.txt"]
    assert (outside / "a.txt").read_text() == "kept"


def test_links_to_folders_inside_are_followed(store: Store) -> None:
    (store.folder / "sub").mkdir()
    (store.folder / "link").symlink_to("sub")
    assert store.put("/link/a.txt") == 201
    assert (store.folder / "sub" / "a.txt").read_bytes() == b"content"


def test_a_link_is_replaced_or_removed_itself_not_what_it_leads_to(store: Store) -> None:
    outside = store.folder.parent / "outside.txt"
    outside.write_text("kept")
    for name in ("a", "b"):
        (store.folder / name).symlink_to(outside)
    assert store.put("/a") == 204
    assert store.delete("/b") == 204
    assert outside.read_text() == "kept"
    assert not (store.folder / "a").is_symlink()
    assert store.names() == ["a"]


def test_delete_removes(store: Store) -> None:
    """RFC 9110 9.3.5."""
    store.put("/a.txt")
    assert store.delete("/a.txt") == 204
    assert store.names() == []
    assert store.delete("/a.txt") == 404


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"If_Match": "ETAG"}, 204),
        ({"If_Match": "*"}, 204),
        ({"If_Match": '"other"'}, 412),
        ({"If_Match": "W/ETAG"}, 412),
        ({"If_None_Match": "*"}, 412),
        ({"If_None_Match": "ETAG"}, 412),
        ({"If_None_Match": '"other"'}, 204),
        ({"If_Unmodified_Since": "Fri, 01 Jan 2100 00:00:00 GMT"}, 204),
        ({"If_Unmodified_Since": "Thu, 01 Jan 1970 00:00:00 GMT"}, 412),
        ({"If_Modified_Since": "Fri, 01 Jan 2100 00:00:00 GMT"}, 204),
    ],
)
def test_preconditions_of_an_existing_file(store: Store, fields: dict[str, str], expected: int) -> None:
    """RFC 9110 13.1, 13.2.2."""
    for change in (store.put, store.delete):
        store.put("/a.txt")
        named = {name: value.replace("ETAG", store.etag("/a.txt")) for name, value in fields.items()}
        assert change("/a.txt", **named) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({"If_Match": "*"}, 412), ({"If_Match": '"x"'}, 412), ({"If_None_Match": "*"}, 201)],
)
def test_preconditions_of_a_file_that_is_not_there(
    store: Store, fields: dict[str, str], expected: int
) -> None:
    assert store.put("/a.txt", **fields) == expected
    assert store.names() == (["a.txt"] if expected == 201 else [])


def test_preconditions_are_checked_again_at_the_end(store: Store) -> None:
    """RFC 9110 13.1.1: the lost update. Of two that began on one state the second to end has lost."""
    store.put("/a.txt", b"zero")
    condition = {"If-Match": store.etag("/a.txt")}
    first, second = store.begin("/a.txt", condition), store.begin("/a.txt", condition)
    second.write(b"two")
    second.finish()
    first.write(b"one")
    with pytest.raises(HttpError) as caught:
        first.finish()
    assert caught.value.status == 412
    assert (store.folder / "a.txt").read_bytes() == b"two"
    assert store.names() == ["a.txt"]


def test_of_two_that_create_one_file_one_has_lost(store: Store) -> None:
    first, second = (store.begin("/a.txt", {"If-None-Match": "*"}) for _ in range(2))
    first.finish()
    with pytest.raises(HttpError) as caught:
        second.finish()
    assert caught.value.status == 412


def test_a_full_disk_is_507_and_leaves_the_old_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("/a.txt", b"old")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("ioto_server.http.uploads.os.write", full)
        assert store.put("/a.txt") == 507
    assert store.names() == ["a.txt"]
    assert (store.folder / "a.txt").read_bytes() == b"old"


def test_the_content_is_on_the_disk_before_it_has_its_name(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power failure after the rename must not show an empty file."""
    calls: list[str] = []
    for name in ("fsync", "rename"):
        real = getattr(os, name)

        def record(*arguments: object, _name: str = name, _real: object = real, **named: object) -> object:
            calls.append(_name)
            return _real(*arguments, **named)  # type: ignore[operator]

        monkeypatch.setattr(f"ioto_server.http.uploads.os.{name}", record)
    store.put("/a.txt")
    assert calls == ["fsync", "rename", "fsync"]


WRITER = """
import sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from ioto_server.http import RequestParser, Uploads
uploads = Uploads(Path(sys.argv[1]), 10_000_000)
uploads.clean()
parser = RequestParser(10000, 100)
parser.feed(b"PUT /sub/a.txt HTTP/1.1\\r\\nHost: a\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n")
request = parser.next_event()
letter = sys.argv[2].encode()
print("ready", flush=True)
while True:
    with uploads.put(request, request.path) as upload:
        for _ in range(20):
            upload.write(letter * 5000)
        upload.finish()
"""


def test_a_killed_process_leaves_the_old_or_the_new_file_whole(tmp_path: Path) -> None:
    folder = tmp_path / "sub"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"0" * 100_000)
    chance = random.Random(7)
    left = 0
    for letter in "ABCDEFGH":
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), letter, os.getcwd()], stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            while not any(name.startswith(PREFIX) for name in os.listdir(folder)):
                pass
            for _ in range(chance.randrange(2000)):
                pass
            child.send_signal(signal.SIGKILL)
        content = (folder / "a.txt").read_bytes()
        assert len(content) == 100_000
        assert len(set(content)) == 1
        left += len(os.listdir(folder)) - 1
    assert left, "no kill came in the midst of an upload: the test shows nothing"
    Uploads(tmp_path, 10).clean()
    assert os.listdir(folder) == ["a.txt"]


def test_clean_leaves_what_is_being_written(store: Store) -> None:
    """Another worker, or a predecessor that drains, is still at it."""
    (store.folder / "sub").mkdir()
    orphan = store.folder / "sub" / f"{PREFIX}dead"
    orphan.write_text("x")
    (store.folder / f"{PREFIX}folder").mkdir()
    (store.folder / f"{PREFIX}link").symlink_to("sub")
    with store.begin("/sub/a.txt") as upload:
        assert store.uploads.clean() == 1
        assert not orphan.exists()
        upload.write(b"content")
        assert upload.finish().status == 201
    assert os.listdir(store.folder / "sub") == ["a.txt"]


def test_clean_of_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert Uploads(tmp_path / "none", 10).clean() == 0
