"""Static files: what is sent for a GET or HEAD of a path below a folder (SPEC 8, RFC 9110).

Decided here, sent by the server: a FileResponse says status, header fields and length, and gives the body as
bytes and as parts of an open file. No file is ever loaded whole but a small one.
"""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from ioto_server.http.conditional import Validators, check_preconditions, range_holds
from ioto_server.http.dates import http_date
from ioto_server.http.documents import Entry, NoFile, find, segments_of
from ioto_server.http.errors import HttpError
from ioto_server.http.mime import media_type
from ioto_server.http.negotiate import IDENTITY, choose_coding
from ioto_server.http.ranges import Range, content_range, multipart, parse_ranges
from ioto_server.http.request import Request

SMALL = 65536
"""A whole file of at most so many bytes is read at once, so that head and body leave together."""

# In order of preference: what the sibling is called, and its content coding.
_VARIANTS = {"br": b".br", "gzip": b".gz"}

# A sibling older than the file was made from an older state of it. Two seconds: the coarsest of time stamps.
_STALE = 2.0

# RFC 3986 3.3: what a path may hold unencoded, beyond what `quote` always leaves.
_PATH_SAFE = "/!$&'()*+,;=:@~"


class FileResponse:
    """An answer: `status`, `headers` (without Content-Length), `length` of the body, its `parts` in order.

    A part is bytes, or a Range of the open file `descriptor`. Whoever sends it closes it at the end, also
    where the request is HEAD and the parts are not sent.
    """

    __slots__ = ("descriptor", "headers", "length", "parts", "status")

    def __init__(
        self,
        status: int,
        headers: list[tuple[str, str]],
        parts: list[bytes | Range] | None = None,
        descriptor: int = -1,
    ) -> None:
        self.status = status
        self.headers = headers
        self.parts = parts or []
        self.length = sum(len(part) if isinstance(part, bytes) else part.length for part in self.parts)
        self.descriptor = descriptor

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes of the open file from `offset` on; reads the disk, so it may block.

        Raises EOFError when the file has become shorter: what was announced cannot be sent any more.
        """
        data = os.pread(self.descriptor, size, offset)
        if not data:
            raise EOFError(
                "the file became shorter while it was sent: replace files by renaming new ones over them"
            )
        return data

    def close(self) -> None:
        """Close the file, if one is open. May be called again."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __enter__(self) -> FileResponse:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def validators_of(status: os.stat_result) -> Validators:
    """The validators of a file's content.

    The entity tag is strong, so it is made of all that changes with the content: also of the time of the last
    change of any kind, which nobody can set back, unlike that of the modification. It is a digest, since
    inode numbers are nobody's business.
    """
    facts = f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
    digest = blake2b(facts.encode("ascii"), digest_size=12).hexdigest()
    return Validators(f'"{digest}"', status.st_mtime_ns / 1e9)


class StaticFiles:
    """The files below one folder.

    documents   the folder; looked up again for each request, so it may be replaced
    index       the file that stands for a folder
    mime        media types by extension (`.ext`), over the built-in ones
    compressed  take `NAME.br` and `NAME.gz` beside a file for clients that accept them
    cache       the Cache-Control of the answers, None for none
    clock       seconds since the epoch
    """

    def __init__(
        self,
        documents: Path,
        index: str = "index.html",
        mime: Mapping[str, str] | None = None,
        *,
        compressed: bool = True,
        cache: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._documents = documents
        self._index = index.encode()
        self._mime = dict(mime or {})
        self._compressed = compressed
        self._cache = cache
        self._clock = clock

    def respond(self, request: Request, path: str) -> FileResponse:
        """The answer to a GET or HEAD request for `path` (decoded, after `trim`).

        Raises HttpError 403, 404, 405, 412, 416, 503. Touches the disk, so it may block; any thread will do.
        """
        if request.method not in ("GET", "HEAD"):
            raise HttpError(405, "Files take GET and HEAD here (RFC 9110 15.5.6)", [("Allow", "GET, HEAD")])
        with disk_errors():
            names = segments_of(path)
            entry = find(self._documents, names)
            with entry:
                if not entry.is_folder:
                    if path.endswith("/"):
                        raise NoFile
                    return self._represent(request, entry, names[-1])
            if not request.path.endswith("/"):
                return self._with_slash(request)
            with find(self._documents, [*names, self._index]) as entry:
                return self._represent(request, entry, self._index)

    def _with_slash(self, request: Request) -> FileResponse:
        """To the folder's own URL, against which its pages' relative links are resolved."""
        # The path has no empty segment: it cannot begin with `//` and name another host (RFC 3986 4.2).
        location = quote(request.path + "/", safe=_PATH_SAFE)
        if request.query:
            location += "?" + request.query
        return FileResponse(301, [("Location", location)])

    def _represent(self, request: Request, entry: Entry, name: bytes) -> FileResponse:
        """Choose among the file and its compressed siblings, then answer with that."""
        if not entry.is_file:
            raise NoFile
        siblings = self._siblings(entry)
        coding = choose_coding(request.headers.get("Accept-Encoding"), list(siblings))
        chosen = siblings.get(coding, entry)
        fields = [("Content-Type", media_type(name.decode(), self._mime))]
        if coding != IDENTITY:
            fields.append(("Content-Encoding", coding))
        if siblings:
            fields.append(("Vary", "Accept-Encoding"))
        descriptor = chosen.open()
        try:
            response = self._answer(request, descriptor, fields)
        except BaseException:
            os.close(descriptor)
            raise
        if response.descriptor < 0:
            os.close(descriptor)
        return response

    def _siblings(self, entry: Entry) -> dict[str, Entry]:
        """Coding to compressed sibling, in order of preference; all in the entry's folder."""
        found: dict[str, Entry] = {}
        if self._compressed and entry.status is not None:
            for coding, suffix in _VARIANTS.items():
                sibling = entry.beside(entry.name + suffix)
                made = sibling.status
                if made is not None and sibling.is_file and made.st_mtime + _STALE >= entry.status.st_mtime:
                    found[coding] = sibling
        return found

    def _answer(self, request: Request, descriptor: int, fields: list[tuple[str, str]]) -> FileResponse:
        """The answer with the open file; takes the descriptor over only where the response has one."""
        status = os.fstat(descriptor)
        now = self._clock()
        current = validators_of(status)
        size = status.st_size
        # RFC 9110 8.8.2.1: never later than the answer's own Date.
        stamps = [("ETag", current.etag), ("Last-Modified", http_date(min(current.modified, now)))]
        if self._cache is not None:
            stamps.append(("Cache-Control", self._cache))
        if check_preconditions(request.method, request.headers, current, now) == "not modified":
            # RFC 9110 15.4.5: what a cache needs to update its copy, nothing else.
            return FileResponse(304, [*stamps, *(field for field in fields if field[0] == "Vary")])
        fields = [*fields, *stamps, ("Accept-Ranges", "bytes")]
        wanted = request.headers.get("Range")
        # RFC 9110 14.2: Range is defined for GET alone.
        if wanted is not None and request.method == "GET" and range_holds(request.headers, current, now):
            ranges = parse_ranges(wanted, size)
            if ranges is not None:
                return _partial(fields, ranges, descriptor, status)
        return _body(200, fields, Range(0, size), descriptor, status)


def _partial(
    fields: list[tuple[str, str]], ranges: list[Range], descriptor: int, status: os.stat_result
) -> FileResponse:
    """206 with one or several parts, or 416 (RFC 9110 15.3.7, 15.5.17)."""
    size = status.st_size
    if not ranges:
        text = f"No range of the request lies within the {size} bytes of the file (RFC 9110 15.5.17)"
        raise HttpError(416, text, [("Content-Range", content_range(None, size))])
    if len(ranges) == 1:
        fields = [*fields, ("Content-Range", content_range(ranges[0], size))]
        return _body(206, fields, ranges[0], descriptor, status)
    boundary = secrets.token_hex(16)
    content_type = next(value for name, value in fields if name == "Content-Type")
    others = [field for field in fields if field[0] != "Content-Type"]
    fields = [("Content-Type", f"multipart/byteranges; boundary={boundary}"), *others]
    return FileResponse(206, fields, multipart(ranges, size, content_type, boundary), descriptor)


def _body(
    code: int, fields: list[tuple[str, str]], part: Range, descriptor: int, status: os.stat_result
) -> FileResponse:
    """An answer with one part of the file, read already if it is small."""
    if part.length > SMALL:
        return FileResponse(code, fields, [part], descriptor)
    data = os.pread(descriptor, part.length, part.offset)
    if len(data) != part.length or validators_of(os.fstat(descriptor)) != validators_of(status):
        # Sent with the old entity tag it would be cached as what it is not.
        raise HttpError(503, "The file is being written: try again", [("Retry-After", "1")])
    return FileResponse(code, fields, [data] if data else [])


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn what the file system says into the HTTP answers that say as much as a client may know."""
    try:
        yield
    except NoFile:
        raise HttpError(404, "There is no such file") from None
    except PermissionError:
        raise HttpError(
            403, "The server may not use this file: its permissions are for the operator to change"
        ) from None
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL):
            raise HttpError(404, "There is no such file") from None
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
            raise HttpError(
                503, "The server has too many files open: try again", [("Retry-After", "5")]
            ) from error
        raise
