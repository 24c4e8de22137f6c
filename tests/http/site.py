"""A folder of files and the questions that are asked of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from pathlib import Path

from ioto_server.http import FileResponse, HttpError, Range, Request, RequestParser, StaticFiles

NOW = 1_700_000_000.5
"""The clock of the tests; files are stamped an hour before."""

FUTURE = 4_100_000_000.5


@dataclass
class Answer:
    """A response with its body read, or a refusal."""

    status: int
    headers: dict[str, str]
    body: bytes
    text: str = ""

    def parts(self) -> list[tuple[Message, bytes]]:
        """The parts of a multipart/byteranges body, read by the standard library."""
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        message = message_from_bytes(head + self.body)
        return [(part, part.get_payload(decode=True)) for part in message.get_payload()]  # type: ignore[misc,union-attr]


class Site:
    """Files under a temporary folder, asked as the server would: parse a request, respond, send the parts."""

    def __init__(self, folder: Path, *, warm: bool = False, **options: object) -> None:
        """A `warm` site lives in the far future, so that every file has long settled, and is asked twice."""
        self.folder = folder
        self.warm = warm
        self.files = StaticFiles(folder, clock=lambda: FUTURE if warm else NOW, **options)  # type: ignore[arg-type]

    def write(self, name: str, content: bytes = b"content", age: float = 3600) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (NOW - age, NOW - age))
        return path

    def ask(
        self,
        target: str,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        path: str | None = None,
    ) -> Answer:
        """The answer to a request; `path` is what `trim` left of it."""
        answer = self._ask(target, headers or {}, method, path)
        if self.warm:
            again = self._ask(target, headers or {}, method, path)
            if "boundary=" not in answer.headers.get("Content-Type", ""):
                assert answer == again
            return again
        return answer

    def _ask(self, target: str, headers: Mapping[str, str], method: str, path: str | None) -> Answer:
        try:
            request = parse(method, target, headers)
            with self.files.respond(request, request.path if path is None else path) as response:
                body = b"".join(sent(response))
                assert response.length == len(body)
                fields = dict(response.headers)
                assert len(fields) == len(response.headers)
                return Answer(response.status, fields, body if method != "HEAD" else b"")
        except HttpError as error:
            return Answer(error.status, dict(error.headers), b"", error.text)

    def etag(self, target: str, headers: Mapping[str, str] | None = None) -> str:
        return self.ask(target, headers).headers["ETag"]


def parse(method: str, target: str, headers: Mapping[str, str]) -> Request:
    parser = RequestParser(65536, 100)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    parser.feed(f"{method} {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode("latin-1"))
    request = parser.next_event()
    assert isinstance(request, Request)
    return request


def sent(response: FileResponse) -> Iterator[bytes]:
    """The body, read in small blocks as a server would."""
    for part in response.parts:
        if isinstance(part, Range):
            offset, left = part
            while left:
                block = response.read(offset, min(left, 7000))
                yield block
                offset, left = offset + len(block), left - len(block)
        else:
            yield part


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """No file stays open behind."""
    before = sorted(os.listdir("/proc/self/fd"))
    yield
    assert sorted(os.listdir("/proc/self/fd")) == before
