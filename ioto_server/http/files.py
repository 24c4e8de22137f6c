"""Static files: what is sent for a GET or HEAD of a path below a folder (SPEC 8, RFC 9110).

No file is ever loaded whole but a small one; those are remembered, and looked at again each time.
"""

from __future__ import annotations

import os
import secrets
import stat
import time
from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote

from ioto_server.http.conditional import CONDITIONS, Validators, check_preconditions, range_holds
from ioto_server.http.dates import http_date
from ioto_server.http.disk import disk_errors
from ioto_server.http.documents import Entry, NoFile, find, segments_of
from ioto_server.http.errors import HttpError
from ioto_server.http.facts import Watched, facts_of
from ioto_server.http.file_cache import SETTLED, FileCache, Known, Representation
from ioto_server.http.file_response import FileResponse
from ioto_server.http.mime import media_type
from ioto_server.http.negotiate import IDENTITY, choose_coding
from ioto_server.http.ranges import Range, content_range, multipart, parse_ranges
from ioto_server.http.request import Request
from ioto_server.http.target import PATH_SAFE

SMALL = 65536
"""A file of at most so many bytes is read at once, so that head and body leave together."""

# In order of preference: the content coding, and what the sibling is called.
_VARIANTS = {"br": b".br", "gzip": b".gz"}

# A sibling older than the file was made from an older state of it. Two seconds: the coarsest of time stamps.
_STALE_NS = 2_000_000_000

# RFC 9110 15.4.5: what a cache needs to update its copy.
_KEPT_BY_304 = frozenset(("ETag", "Last-Modified", "Cache-Control", "Vary"))


def validators_of(status: os.stat_result) -> Validators:
    """The validators of a file's content.

    The entity tag is strong, so it is made of all that changes with the content: also of the time of the last
    change of any kind, which nobody can set back, unlike that of the modification. It is a digest, since
    inode numbers are nobody's business.
    """
    digest = blake2b(repr(facts_of(status)).encode("ascii"), digest_size=12).hexdigest()
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
        self._variants = _VARIANTS if compressed else {}
        self._cache = cache
        self._clock = clock
        self._files = FileCache()

    def respond(self, request: Request, path: str) -> FileResponse:
        """The answer to a GET or HEAD request for `path` (decoded, after `trim`).

        Raises HttpError 403, 404, 405, 412, 416, 500, 503. Touches the disk, so it may block; any thread will
        do.
        """
        if request.method not in ("GET", "HEAD"):
            raise HttpError(405, "Files take GET and HEAD here (RFC 9110 15.5.6)", [("Allow", "GET, HEAD")])
        known = self._files.get(path)
        found = _chosen(known, request, path)
        return self._look(request, path, known) if found is None else self._answer(request, found)

    def repeat(self, request: Request, path: str) -> Representation | None:
        """What is in memory for a request that asks for the whole of it, with 200; None: ask `respond`.

        The way of most requests, which costs two system calls where no variants of a file are known.
        """
        if request.method not in ("GET", "HEAD") or request.headers.has_any(CONDITIONS):
            return None
        return _chosen(self._files.get(path), request, path)

    def _look(self, request: Request, path: str, known: Known | None) -> FileResponse:
        """The answer from the disk; `known` is what still holds of the path, in other codings."""
        with disk_errors():
            names = segments_of(path)
            with find(self._documents, names) as entry:
                if not entry.is_folder:
                    if path.endswith("/"):
                        raise NoFile
                    return self._answer(request, self._read(request, path, known, names, entry))
            if not request.path.endswith("/"):
                return _with_slash(request)
            names.append(self._index)
            with find(self._documents, names) as entry:
                return self._answer(request, self._read(request, path, known, names, entry))

    def _read(
        self, request: Request, path: str, known: Known | None, names: list[bytes], entry: Entry
    ) -> Representation:
        """Choose among the file and its compressed siblings, and read or open it."""
        if entry.status is None or not entry.is_file:
            raise NoFile
        beside = {coding: entry.beside(entry.name + suffix) for coding, suffix in self._variants.items()}
        siblings = {coding: one for coding, one in beside.items() if _made_from(one, entry.status)}
        coding = choose_coding(request.headers.get("Accept-Encoding"), list(siblings))
        fields = [("Content-Type", media_type(names[-1].decode(), self._mime))]
        if coding != IDENTITY:
            fields.append(("Content-Encoding", coding))
        if siblings:
            fields.append(("Vary", "Accept-Encoding"))
        chosen = siblings.get(coding, entry)
        representation = self._open(chosen, fields)
        watched = self._watched(names, entry, list(beside.values()))
        if representation.content is not None and watched:
            others = known.read if known is not None and known.watched == watched else {}
            self._files.put(path, Known(watched, list(siblings), {**others, coding: representation}))
        return representation

    def _open(self, chosen: Entry, fields: list[tuple[str, str]]) -> Representation:
        """Open a file, and read it if it is small."""
        if self._cache is not None:
            fields.append(("Cache-Control", self._cache))
        return _represent(chosen.open(), fields, self._clock())

    def _watched(self, names: list[bytes], entry: Entry, beside: list[Entry]) -> list[Watched]:
        """What the choice was made from, by name, to be looked at again; empty if that could mislead.

        Behind a link the name of the folder is that of another: its facts never hold, and the file is looked
        up each time.
        """
        location = os.path.join(os.fsencode(self._documents), *names)
        folder = os.path.dirname(location)
        things = {location: entry.status}
        if self._variants:
            things[folder] = os.fstat(entry.folder)
            suffixes = self._variants.values()
            things |= {location + suffix: one.status for suffix, one in zip(suffixes, beside, strict=True)}
        watched = [(name, facts_of(status)) for name, status in things.items() if status is not None]
        unsettled = (self._clock() - SETTLED) * 1e9
        if any(max(facts[3:]) > unsettled for _, facts in watched):
            # Too fresh to tell the next change from the last.
            return []
        return watched

    def _answer(self, request: Request, found: Representation) -> FileResponse:
        return _answer(request, found, self._clock())


def one_file(request: Request, path: Path, content_type: str) -> FileResponse:
    """The answer to a GET or HEAD request with one file, wherever it is, as `StaticFiles` would send it.

    Raises HttpError 403, 404, 412, 416, 500, 503. Touches the disk, so it may block; any thread will do.
    """
    now = time.time()
    with disk_errors():
        # A FIFO is opened without waiting for somebody at its other end, and then refused.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise NoFile
        return _answer(request, _represent(descriptor, [("Content-Type", content_type)], now), now)


def _represent(descriptor: int, fields: list[tuple[str, str]], now: float) -> Representation:
    """A representation of an open file, which is read and closed if it is small; `fields` are its own."""
    try:
        status = os.fstat(descriptor)
        size = status.st_size
        content = _read_whole(descriptor, status) if size <= SMALL else None
    except BaseException:
        os.close(descriptor)
        raise
    if content is not None:
        os.close(descriptor)
        descriptor = -1
    current = validators_of(status)
    # RFC 9110 8.8.2.1: never later than the answer's own Date.
    modified = http_date(min(current.modified, now))
    all_fields = (*fields, ("ETag", current.etag), ("Last-Modified", modified), ("Accept-Ranges", "bytes"))
    return Representation(all_fields, current, size, content, descriptor)


def _answer(request: Request, found: Representation, now: float) -> FileResponse:
    """The answer with what was found; its open file becomes the response's, or is closed."""
    response = None
    try:
        if request.headers.has_any(CONDITIONS):
            response = _conditional(request, found, now)
        if response is None:
            response = _whole_or_part(200, found.fields, Range(0, found.size), found)
    finally:
        if found.descriptor >= 0 and (response is None or response.descriptor < 0):
            os.close(found.descriptor)
    return response


def _conditional(request: Request, found: Representation, now: float) -> FileResponse | None:
    """304, 206, 416 or None for the whole, in the order of RFC 9110 13.2.2. Raises HttpError 412."""
    headers = request.headers
    if check_preconditions(request.method, headers, found.validators, now) == "not modified":
        return FileResponse(304, [field for field in found.fields if field[0] in _KEPT_BY_304])
    wanted = headers.get("Range")
    # RFC 9110 14.2: Range is defined for GET alone.
    if wanted is None or request.method != "GET" or not range_holds(headers, found.validators, now):
        return None
    ranges = parse_ranges(wanted, found.size)
    return None if ranges is None else _partial(ranges, found)


def _chosen(known: Known | None, request: Request, path: str) -> Representation | None:
    """The representation that a client is to have of what is known, if it is in memory."""
    # `/app` may be trimmed to `/`, which is known, but the client is to be sent to `/app/`.
    if known is None or path.endswith("/") != request.path.endswith("/"):
        return None
    return known.read.get(choose_coding(request.headers.get("Accept-Encoding"), known.codings))


def _made_from(sibling: Entry, original: os.stat_result) -> bool:
    """Whether a compressed sibling is there, and not older than the file."""
    made = sibling.status
    return made is not None and sibling.is_file and made.st_mtime_ns + _STALE_NS >= original.st_mtime_ns


def _with_slash(request: Request) -> FileResponse:
    """To the folder's own URL, against which its pages' relative links are resolved."""
    # The path has no empty segment: it cannot begin with `//` and name another host (RFC 3986 4.2).
    location = quote(request.path + "/", safe=PATH_SAFE)
    if request.query:
        location += "?" + request.query
    return FileResponse(301, [("Location", location)])


def _read_whole(descriptor: int, status: os.stat_result) -> bytes:
    """The content that `status` describes. Raises HttpError 503 when it changed while it was read."""
    data = os.pread(descriptor, status.st_size + 1, 0)
    if len(data) != status.st_size or facts_of(os.fstat(descriptor)) != facts_of(status):
        # Sent with the old entity tag it would be cached as what it is not.
        raise HttpError(503, "The file is being written: try again", [("Retry-After", "1")])
    return data


def _whole_or_part(
    status: int, fields: tuple[tuple[str, str], ...], part: Range, found: Representation
) -> FileResponse:
    """An answer with one range of bytes, which may be all."""
    if found.content is None:
        return FileResponse(status, fields, [part], found.descriptor)
    return FileResponse(status, fields, [_bytes_of(found.content, part)])


def _bytes_of(content: bytes, part: Range) -> bytes:
    return content[part.offset : part.offset + part.length]


def _partial(ranges: list[Range], found: Representation) -> FileResponse:
    """206 with one or several parts, or 416 (RFC 9110 15.3.7, 15.5.17)."""
    size = found.size
    if not ranges:
        text = f"No range of the request lies within the {size} bytes of the file (RFC 9110 15.5.17)"
        raise HttpError(416, text, [("Content-Range", content_range(None, size))])
    if len(ranges) == 1:
        fields = (*found.fields, ("Content-Range", content_range(ranges[0], size)))
        return _whole_or_part(206, fields, ranges[0], found)
    boundary = secrets.token_hex(16)
    content_type = next(value for name, value in found.fields if name == "Content-Type")
    others = [field for field in found.fields if field[0] != "Content-Type"]
    fields = (("Content-Type", f"multipart/byteranges; boundary={boundary}"), *others)
    parts = multipart(ranges, size, content_type, boundary)
    content = found.content
    if content is not None:
        parts = [part if isinstance(part, bytes) else _bytes_of(content, part) for part in parts]
    return FileResponse(206, fields, parts, found.descriptor)
