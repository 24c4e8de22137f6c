"""Forms: application/x-www-form-urlencoded and multipart/form-data (RFC 7578), read in bounded space.

Fields stay in memory within `limits.body`; files go to temporary files as they arrive.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qsl

from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from ioto_server.http import temporaries
from ioto_server.http.disk import upload_errors
from ioto_server.http.errors import HttpError

MAX_PARTS = 1000
"""Most fields and files of one form."""

KEPT = "upload-"
"""How the names of files begin that an action keeps."""

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


class FormFile:
    """A file of a form, in a temporary file.

    name          of the form's field
    filename      the client's name for it, without folders: good to show, not to be trusted
    content_type  as the client says
    path          where it is
    size          bytes

    The process holds the file open until it is removed or kept, so that the next start knows it for its own.
    """

    __slots__ = ("_descriptor", "content_type", "filename", "name", "path", "size")

    def __init__(self, name: str, filename: str, content_type: str, path: Path, descriptor: int) -> None:
        self.name = name
        self.filename = filename
        self.content_type = content_type
        self.path = path
        self.size = 0
        self._descriptor = descriptor

    def write(self, data: bytes) -> None:
        """Append a piece (the reader does it)."""
        self.size += len(data)
        view = memoryview(data)
        with upload_errors():
            while view:
                view = view[os.write(self._descriptor, view) :]

    def remove(self) -> None:
        """Remove the file, if it is still where it was. May be called again."""
        if self._descriptor >= 0:
            # What a failing disk does not let go of now is removed at the next start.
            with suppress(OSError):
                os.unlink(self.path)
            self._close()

    def keep(self) -> None:
        """Leave the file to whoever called for it, under the new name in `path`. May be called again.

        Under the old one the next start would remove it. A file that was moved away meanwhile is left alone.
        """
        if self._descriptor >= 0:
            kept = self.path.with_name(KEPT + self.path.name.removeprefix(temporaries.FORM))
            with suppress(FileNotFoundError):
                os.rename(self.path, kept)
                self.path = kept
            self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        with suppress(OSError):
            os.close(descriptor)

    def __repr__(self) -> str:
        return f"<FormFile {self.name} {self.filename!r} {self.size} bytes>"


class Form:
    """The fields of a form, in order, and its files. Used with `with`, its files are removed at the end."""

    __slots__ = ("_fields", "files")

    def __init__(self, fields: list[tuple[str, str]], files: list[FormFile] | None = None) -> None:
        self._fields = fields
        self.files = files or []

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value of a field, or `default`."""
        return next((value for key, value in self._fields if key == name), default)

    def get_all(self, name: str) -> list[str]:
        """Every value of a field, in order."""
        return [value for key, value in self._fields if key == name]

    def items(self) -> Iterator[tuple[str, str]]:
        """Every field as (name, value), in order."""
        return iter(self._fields)

    def file(self, name: str) -> FormFile | None:
        """The first file of a field, None without one."""
        return next((file for file in self.files if file.name == name), None)

    def __contains__(self, name: object) -> bool:
        return any(key == name for key, _ in self._fields) or any(file.name == name for file in self.files)

    def remove(self) -> None:
        """Remove every file. May be called again."""
        for file in self.files:
            file.remove()

    def __enter__(self) -> Form:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


def form_type(content_type: str | None) -> str:
    """Which of the two types of form a Content-Type names. Raises HttpError 415 for another."""
    media_type = (content_type or "").partition(";")[0].strip(" \t").lower()
    if media_type not in (URLENCODED, MULTIPART):
        raise HttpError(
            415, f"A form is sent as {URLENCODED} or {MULTIPART} (RFC 9110 15.5.16): use one of them"
        )
    return media_type


def parse_urlencoded(body: bytes) -> Form:
    """The form in a body of application/x-www-form-urlencoded. Raises HttpError 400."""
    try:
        fields = parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARTS
        )
    except UnicodeDecodeError:
        raise HttpError(400, "The form is not UTF-8: send it as UTF-8") from None
    except ValueError:
        raise HttpError(400, f"The form has more than {MAX_PARTS} fields: send fewer") from None
    return Form(fields)


class MultipartReader:
    """Reads multipart/form-data: `feed` the pieces of the body, then `finish`; `abort` if some do not come.

    content_type  the Content-Type of the request, with the boundary
    folder        where files go (`upload.dir`)
    max_fields    most bytes of all that is kept in memory (`limits.body`)

    How large the whole may be is the request parser's business (`set_max_body`). `feed` writes to the
    disk, so it may block.
    """

    def __init__(self, content_type: str, folder: Path, max_fields: int) -> None:
        """Raises HttpError 400 for a Content-Type without a boundary that can be one (RFC 2046 5.1.1)."""
        _, options = parse_options_header(content_type)
        boundary = options.get("boundary", "")
        if not 1 <= len(boundary) <= 70 or not boundary.isascii() or not boundary.isprintable():
            raise HttpError(
                400, "The form's Content-Type has no boundary of 1 to 70 characters (RFC 2046 5.1.1)"
            )
        # Not its strict mode: there the outcome depends on how the body is cut (what follows the last
        # boundary).
        self._parser = PushMultipartParser(boundary, max_segment_count=MAX_PARTS)
        self._folder = folder
        self._left = max_fields
        self._fields: list[tuple[str, str]] = []
        self._files: list[FormFile] = []
        self._segment: MultipartSegment | None = None
        self._text = bytearray()

    def feed(self, data: bytes) -> None:
        """Take a piece of the body. Raises HttpError 400, 413, 500, 503, 507, having removed all files."""
        try:
            for event in self._parser.parse(data):
                self._take(event)
        except ParserLimitReached as error:
            self.abort()
            raise HttpError(413, f"The form is over its limits ({error}): send less", close=True) from None
        except MultipartError as error:
            self.abort()
            raise HttpError(
                400, f"The form is malformed ({error}, RFC 7578 4): correct it", close=True
            ) from None
        except BaseException:
            self.abort()
            raise

    def finish(self) -> Form:
        """The form. Raises HttpError 400 when its end is missing, having removed all files."""
        try:
            self._parser.close()
        except MultipartError:
            self.abort()
            raise HttpError(
                400, "The form ends before its last boundary (RFC 2046 5.1.1): send all of it"
            ) from None
        files, self._files = self._files, []
        return Form(self._fields, files)

    def abort(self) -> None:
        """Remove the files that have arrived. May be called again."""
        for file in self._files:
            file.remove()
        self._files = []

    def _take(self, event: MultipartSegment | bytes | bytearray | None) -> None:
        segment = self._segment
        if isinstance(event, MultipartSegment):
            self._segment = event
            if not event.name:
                raise HttpError(400, "A part of the form has no name (RFC 7578 4.2): give it one", close=True)
            if event.filename is not None:
                self._files.append(self._new_file(event))
        elif segment is not None and segment.filename is not None:
            if event is not None:
                self._files[-1].write(bytes(event))
        elif event is not None:
            self._left -= len(event)
            if self._left < 0:
                raise HttpError(
                    413, "The form's fields are over limits.body: send large ones as files", close=True
                )
            self._text += event
        elif segment is not None:
            try:
                self._fields.append((segment.name, self._text.decode("utf-8")))
            except UnicodeDecodeError:
                raise HttpError(
                    400, f"The form's field {segment.name!r} is not UTF-8: send it as UTF-8"
                ) from None
            self._text.clear()

    def _new_file(self, segment: MultipartSegment) -> FormFile:
        descriptor, name = self._create()
        # Some clients send whole paths, of either kind (RFC 7578 4.2).
        filename = str(segment.filename).replace("\\", "/").rpartition("/")[2]
        content_type = str(segment.content_type or "application/octet-stream")
        return FormFile(segment.name, filename, content_type, self._folder / name, descriptor)

    def _create(self) -> tuple[int, str]:
        with upload_errors():
            try:
                folder = os.open(self._folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    return temporaries.create(folder, temporaries.FORM, 0o600)
                finally:
                    os.close(folder)
            except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
                raise HttpError(
                    500,
                    "The server cannot store the files of forms: its log says why",
                    close=True,
                    fault=f"{error}: upload.dir has to be a folder that the server's user can write to",
                ) from error
