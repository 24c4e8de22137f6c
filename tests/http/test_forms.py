"""Forms, urlencoded and multipart (RFC 7578)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ioto_server.http import HttpError, temporaries
from ioto_server.http.forms import (
    MAX_PARTS,
    MULTIPART,
    URLENCODED,
    Form,
    MultipartReader,
    form_type,
    parse_urlencoded,
)

from .site import no_descriptor_left

TYPE = "multipart/form-data; boundary=xyz"


def part(disposition: str, content: bytes, *more: str) -> bytes:
    lines = "".join(f"{line}\r\n" for line in (f"Content-Disposition: form-data; {disposition}", *more))
    return b"--xyz\r\n" + lines.encode() + b"\r\n" + content + b"\r\n"


END = b"--xyz--\r\n"
BODY = (
    part('name="text"', "grüße".encode())
    + part('name="f"; filename="C:\\\\dir\\\\a.bin"', b"\0\r\n--xy\xff" * 100, "Content-Type: image/png")
    + part('name="text"', b"")
    + part('name="g"; filename=""', b"")
    + END
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with no_descriptor_left():
        yield tmp_path


def read(folder: Path, body: bytes, size: int = 0, max_fields: int = 1000) -> Form:
    reader = MultipartReader(TYPE, folder, max_fields)
    for start in range(0, len(body), size or len(body)):
        reader.feed(body[start : start + (size or len(body))])
    return reader.finish()


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 100])
def test_fields_and_files(folder: Path, size: int) -> None:
    """However the body is cut."""
    with read(folder, BODY, size) as form:
        assert list(form.items()) == [("text", "grüße"), ("text", "")]
        assert form.get("text") == "grüße"
        assert form.get_all("text") == ["grüße", ""]
        assert form.get("none", "default") == "default"
        assert "f" in form
        assert "none" not in form
        file = form.file("f")
        assert file is not None
        assert (file.filename, file.content_type, file.size) == ("a.bin", "image/png", 800)
        assert file.path.read_bytes() == b"\0\r\n--xy\xff" * 100
        assert file.path.parent == folder
        empty = form.file("g")
        assert empty is not None
        assert (empty.filename, empty.content_type, empty.size) == ("", "application/octet-stream", 0)
        assert form.file("text") is None
    assert os.listdir(folder) == []


def test_files_can_be_kept_or_moved_away(folder: Path) -> None:
    form = read(folder, BODY)
    moved, kept = form.files
    moved.path.rename(folder / "mine")
    kept.keep()
    form.remove()
    form.remove()
    assert sorted(os.listdir(folder)) == sorted(["mine", kept.path.name])
    # The next start takes it for nobody's leftover.
    assert temporaries.remove_orphans(folder, temporaries.FORM, below=False) == 0
    kept.path.rename(folder / temporaries.FORM)
    assert temporaries.remove_orphans(folder, temporaries.FORM, below=False) == 1


def test_files_are_readable_by_their_owner_alone(folder: Path) -> None:
    with read(folder, BODY) as form:
        assert {file.path.stat().st_mode & 0o777 for file in form.files} == {0o600}


@pytest.mark.parametrize(
    "filename", ["../../etc/passwd", "/etc/passwd", "..\\\\..\\\\boot.ini", "a/b/c.txt", "..", "x\x00y"]
)
def test_the_clients_name_never_becomes_a_path(folder: Path, filename: str) -> None:
    with read(folder, part(f'name="f"; filename="{filename}"', b"x") + END) as form:
        (file,) = form.files
        assert file.path.parent == folder
        assert file.path.name.startswith(temporaries.FORM)
        assert "/" not in file.filename
        assert "\\" not in file.filename


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--xyz",
        BODY[: -len(END)],
        BODY[:-4],
        b"no form at all, and longer than a boundary",
        b"--xyz\r\n\r\nno disposition\r\n--xyz--\r\n",
        part('filename="x"', b"no name") + END,
        part('name="x"', b"\xff not UTF-8") + END,
        b"--xyz\nContent-Disposition: form-data; name=x\n\nbare LF\n--xyz--\n",
        b"--xyz\r\nContent-Disposition form-data\r\n\r\nx\r\n--xyz--\r\n",
    ],
)
def test_malformed_forms_are_400_and_leave_nothing(folder: Path, body: bytes) -> None:
    for size in (0, 1):
        if not body and size == 0:
            continue
        with pytest.raises(HttpError) as caught:
            read(folder, body, size)
        assert caught.value.status == 400
        assert os.listdir(folder) == []


def test_limits_are_413_and_leave_nothing(folder: Path) -> None:
    file = part('name="f"; filename="a"', b"x" * 5000)
    too_many = part('name="x"', b"") * (MAX_PARTS + 1) + END
    for body in (
        file + part('name="x"', b"y" * 1001) + END,
        file + part('name="x"', b"y" * 501) * 2 + END,
        too_many,
    ):
        with pytest.raises(HttpError) as caught:
            read(folder, body)
        assert caught.value.status == 413
        assert os.listdir(folder) == []
    with read(folder, file + part('name="x"', b"y" * 1000) + END) as form:
        assert len(form.files) == 1


def test_a_header_of_a_part_that_never_ends_is_413(folder: Path) -> None:
    with pytest.raises(HttpError) as caught:
        read(folder, b"--xyz\r\nContent-Disposition: " + b"x" * 10_000, 500)
    assert caught.value.status == 413


def test_an_aborted_form_leaves_nothing(folder: Path) -> None:
    reader = MultipartReader(TYPE, folder, 1000)
    reader.feed(BODY[:300])
    assert len(os.listdir(folder)) == 1
    reader.abort()
    reader.abort()
    assert os.listdir(folder) == []


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/form-data; boundary={'x' * 71}",
        "multipart/form-data; boundary=\xe9",
    ],
)
def test_a_boundary_that_is_none(folder: Path, content_type: str) -> None:
    with pytest.raises(HttpError) as caught:
        MultipartReader(content_type, folder, 1000)
    assert caught.value.status == 400


@pytest.mark.parametrize("size", [0, 1, 20])
def test_what_surrounds_the_parts_is_ignored(folder: Path, size: int) -> None:
    """RFC 2046 5.1.1: preamble and epilogue."""
    with read(folder, b"preamble\r\n" + BODY + b"epilogue\r\n--xyz\r\n", size) as form:
        assert len(form.files) == 2


def test_quoted_boundaries(folder: Path) -> None:
    reader = MultipartReader('multipart/form-data; charset=utf-8; boundary="x y"', folder, 1000)
    reader.feed(b'--x y\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x y--')
    assert list(reader.finish().items()) == [("a", "1")]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", []),
        (b"a=1&b=2&a=3", [("a", "1"), ("b", "2"), ("a", "3")]),
        (b"a=&b&=c", [("a", ""), ("b", ""), ("", "c")]),
        (b"a+b=%26+%3D", [("a b", "& =")]),
        ("n=é&m=%C3%A9".encode(), [("n", "é"), ("m", "é")]),
        (b"a=1;b=2", [("a", "1;b=2")]),
    ],
)
def test_urlencoded(body: bytes, fields: list[tuple[str, str]]) -> None:
    assert list(parse_urlencoded(body).items()) == fields


@pytest.mark.parametrize("body", [b"a=\xff", b"a=%ff", b"a=%C3", b"&".join([b"a=1"] * (MAX_PARTS + 1))])
def test_urlencoded_that_is_refused(body: bytes) -> None:
    with pytest.raises(HttpError) as caught:
        parse_urlencoded(body)
    assert caught.value.status == 400


def test_types() -> None:
    assert form_type("Application/X-WWW-Form-URLEncoded; charset=utf-8") == URLENCODED
    assert form_type(TYPE) == MULTIPART
    for other in (None, "", "application/json", "multipart/mixed; boundary=x"):
        with pytest.raises(HttpError) as caught:
            form_type(other)
        assert caught.value.status == 415
