"""An answer whose body is, or is part of, a file: decided in this room, sent by the server."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import TracebackType

from ioto_server.http.ranges import Range


class FileResponse:
    """An answer: `status`, `headers` (without Content-Length), `length` of the body, its `parts` in order.

    A part is bytes, or a Range of the open file `descriptor`. Whoever sends it closes it at the end, also
    where the request is HEAD and the parts are not sent.
    """

    __slots__ = ("descriptor", "headers", "length", "parts", "status")

    def __init__(
        self,
        status: int,
        headers: Sequence[tuple[str, str]],
        parts: Sequence[bytes | Range] = (),
        descriptor: int = -1,
    ) -> None:
        self.status = status
        self.headers = headers
        self.parts = parts
        self.length = sum(len(part) if isinstance(part, bytes) else part.length for part in self.parts)
        self.descriptor = descriptor

    @property
    def content(self) -> bytes:
        """The whole body, where no file is open for it."""
        return b"".join(part for part in self.parts if isinstance(part, bytes))

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
