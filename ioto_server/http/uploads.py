"""PUT and DELETE of files: whole or not at all (SPEC 8, RFC 9110 9.3.4, 9.3.5).

A new content is written to a temporary file in the same folder, brought to the disk, then renamed over
the old one. Whatever happens in between, the old file is there, whole. Preconditions are checked twice:
when the request comes, so that nothing is sent in vain, and at the end, while no other upload can get in
between.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from ioto_server.http import temporaries
from ioto_server.http.conditional import Validators, check_preconditions
from ioto_server.http.dates import http_date
from ioto_server.http.disk import upload_errors
from ioto_server.http.documents import NoFile, find, segments_of
from ioto_server.http.errors import HttpError
from ioto_server.http.file_response import FileResponse
from ioto_server.http.files import validators_of
from ioto_server.http.request import Request

PREFIX = ".ioto-upload-"
"""Of temporary files: hidden, so they are never served."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class FolderBusy(Exception):
    """Somebody else changes files of the folder at this moment: try again in a while."""


class Uploads:
    """Files that clients may create, replace and remove below one folder.

    documents   the folder
    limit       most bytes of one file (`limits.upload`)
    kept        whether nothing may change in a folder, which is answered 403: of the packaged site
    clock       seconds since the epoch

    Every method touches the disk and may block; any thread will do, and `finish` deserves one, since it
    waits for the disk.
    """

    def __init__(
        self,
        documents: Path,
        limit: int,
        *,
        kept: Callable[[Path], bool] = lambda _folder: False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._documents = documents
        self._limit = limit
        self._kept = kept
        self.read_only = kept(documents)
        self._clock = clock

    def clean(self) -> int:
        """Remove what a process that was killed left behind; how many files. For every start."""
        return 0 if self.read_only else temporaries.remove_orphans(self._documents, PREFIX, below=True)

    def put(self, request: Request, path: str) -> Upload:
        """Begin to create or replace the file at `path` (decoded, after `trim`).

        Raises HttpError 400, 403, 404, 409, 411, 412, 413, 415, 500, 503, 507; nothing has been changed then.
        """
        if "Content-Range" in request.headers:
            # RFC 9110 14.5: a part must not be taken for the whole.
            raise HttpError(
                400, "A PUT with Content-Range would store a part as the whole (RFC 9110 14.5): send all"
            )
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise HttpError(
                415, "A coded body would be stored as it is (RFC 9110 8.4): send it without coding"
            )
        if request.content_length is None and not request.chunked:
            raise HttpError(
                411, "A PUT without a body would empty the file: send Content-Length, also if it is 0"
            )
        if request.content_length is not None and request.content_length > self._limit:
            raise _too_large()
        target = self._target(request, path)
        try:
            with upload_errors():
                return Upload(target, self._limit)
        except BaseException:
            target.close()
            raise

    def delete(self, request: Request, path: str) -> FileResponse:
        """Remove the file at `path`. Raises HttpError 403, 404, 409, 412, 500, 503, or FolderBusy."""
        with self._target(request, path) as target, upload_errors():
            with target.alone():
                if target.check() is None:
                    raise HttpError(404, "There is no such file")
                os.unlink(target.name, dir_fd=target.folder)
            os.fsync(target.folder)
        return FileResponse(204, [])

    def _target(self, request: Request, path: str) -> _Target:
        if self.read_only:
            raise _of_the_site()
        if path.endswith("/"):
            raise HttpError(409, "The path names a folder: send the path of a file")
        try:
            names = segments_of(path)
        except NoFile:
            raise HttpError(
                403,
                "A file cannot have this name: no part of the path may be empty, begin with a dot, "
                "or be longer than 255 bytes",
            ) from None
        # The documents may be a folder that contains what is kept.
        if self._kept(self._documents.joinpath(*map(os.fsdecode, names[:-1]))):
            raise _of_the_site()
        with upload_errors():
            target = _Target(self._documents, names, request, self._clock)
        try:
            target.check()
        except BaseException:
            target.close()
            raise
        return target


class _Target:
    """The place of a file: its open folder and its name there, which may be free, taken or a symbolic link.

    Links on the way are followed, inside; the last one is not: a link is replaced or removed itself, not
    what it leads to.
    """

    def __init__(
        self, documents: Path, names: list[bytes], request: Request, clock: Callable[[], float]
    ) -> None:
        self._documents = documents
        self._names = names
        self._request = request
        self.now = clock
        self.name = names[-1]
        self.folder = _open_folder(documents, names[:-1])

    def check(self) -> os.stat_result | None:
        """The file as it is now, None without one. Raises HttpError 409 for what is no file, 412."""
        try:
            found = os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            found = None
        if found is not None and not stat.S_ISREG(found.st_mode) and not stat.S_ISLNK(found.st_mode):
            raise HttpError(409, "There is something else than a file at this path: choose another")
        headers = self._request.headers
        check_preconditions(self._request.method, headers, self._shown(), self.now())
        return found

    def _shown(self) -> Validators | None:
        """What a GET of the path would show, behind a link too."""
        try:
            with find(self._documents, self._names) as entry:
                return validators_of(entry.status) if entry.status is not None and entry.is_file else None
        except NoFile:
            return None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other upload or removal in this folder meanwhile, in any process of ours.

        Raises FolderBusy rather than wait: whoever holds the folder, for however long, must not take the
        threads from all others who wait for the disk.
        """
        try:
            fcntl.flock(self.folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderBusy from None
        try:
            yield
        finally:
            fcntl.flock(self.folder, fcntl.LOCK_UN)

    def close(self) -> None:
        if self.folder >= 0:
            os.close(self.folder)
            self.folder = -1

    def __enter__(self) -> _Target:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Upload:
    """A file that is arriving: `write` its pieces, then `finish`; `abort` if they do not all come.

    Used with `with`, it is aborted where it was not finished.
    """

    def __init__(self, target: _Target, limit: int) -> None:
        """Made by `Uploads.put`."""
        self._target = target
        self._left = limit
        self._descriptor, self._temporary = temporaries.create(target.folder, PREFIX, 0o666)

    def write(self, data: bytes) -> None:
        """Append a piece. Raises HttpError 413, 500, 507; abort then."""
        if len(data) > self._left:
            raise _too_large()
        self._left -= len(data)
        view = memoryview(data)
        with upload_errors():
            while view:
                view = view[os.write(self._descriptor, view) :]

    def finish(self) -> FileResponse:
        """Put the file in its place, on the disk: 201 if it is new, 204 if it replaced one.

        Raises HttpError 409, 412, 500, 507 where that is not possible any more; the old file is there then.
        After a FolderBusy it is to be called again, or `abort`.
        """
        target = self._target
        try:
            with upload_errors():
                os.fsync(self._descriptor)
                with target.alone():
                    old = target.check()
                    if old is not None and stat.S_ISREG(old.st_mode):
                        os.fchmod(self._descriptor, stat.S_IMODE(old.st_mode) & 0o777)
                    os.rename(
                        self._temporary, target.name, src_dir_fd=target.folder, dst_dir_fd=target.folder
                    )
                    self._temporary = ""
                    stored = os.fstat(self._descriptor)
                os.fsync(target.folder)
        except FolderBusy:
            raise
        except BaseException:
            self.abort()
            raise
        self.abort()
        current = validators_of(stored)
        # RFC 9110 9.3.4: validators may be sent, since what is stored is what was received.
        fields = [("ETag", current.etag), ("Last-Modified", http_date(min(current.modified, target.now())))]
        return FileResponse(201 if old is None else 204, fields)

    def abort(self) -> None:
        """Leave everything as it was. May be called again, and after `finish`."""
        if self._descriptor < 0:
            return
        descriptor, self._descriptor = self._descriptor, -1
        # What a failing disk does not let go of now is removed at the next start.
        with suppress(OSError):
            if self._temporary:
                os.unlink(self._temporary, dir_fd=self._target.folder)
        with suppress(OSError):
            os.close(descriptor)
        self._target.close()

    def __enter__(self) -> Upload:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()


def _open_folder(documents: Path, names: list[bytes]) -> int:
    """The folder that `names` lead to, opened so that it can be locked and synchronised."""
    try:
        with find(documents, names) as entry:
            if not entry.is_folder:
                raise NoFile
            return os.open(entry.name, _FOLDER | os.O_NOFOLLOW, dir_fd=entry.folder)
    except NoFile:
        raise HttpError(409, "The folder of this path does not exist: create it first") from None


def _of_the_site() -> HttpError:
    return HttpError(403, "The packaged site cannot be changed: set `documents` to a folder of your own")


def _too_large() -> HttpError:
    return HttpError(413, "The file is over limits.upload (RFC 9110 15.5.14): send less", close=True)
