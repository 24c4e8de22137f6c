"""Find a file below a folder, never outside of it, whatever its path and symbolic links say.

The path is walked in the kernel's terms, one segment at a time from an open folder, and symbolic links are
followed here rather than there: so that a link may lead anywhere inside, nowhere outside, and no change made
to the tree meanwhile can lead the walk out of it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import TracebackType

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_MAX_LINKS = 40  # as Linux has it
_NAME_MAX = 255


class NoFile(Exception):
    """The path leads to nothing that may be served: it is missing, hidden, outside, or no name at all."""


class Entry:
    """A name in an open folder: what is there is `status`, None if nothing; it is never a symbolic link.

    Owns the folder's descriptor: close it, or use `with`.
    """

    __slots__ = ("folder", "name", "status")

    def __init__(self, folder: int, name: bytes, status: os.stat_result | None) -> None:
        self.folder = folder
        self.name = name
        self.status = status

    @property
    def is_folder(self) -> bool:
        return self.status is not None and stat.S_ISDIR(self.status.st_mode)

    @property
    def is_file(self) -> bool:
        return self.status is not None and stat.S_ISREG(self.status.st_mode)

    def open(self) -> int:
        """Open the file for reading. Raises NoFile when it is no regular file any more, OSError.

        Only what was seen to be a regular file is opened: opening a device can have effects. Non-blocking,
        in case a FIFO took its place meanwhile.
        """
        if not self.is_file:
            raise NoFile
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        descriptor = os.open(self.name, flags, dir_fd=self.folder)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise NoFile
        return descriptor

    def beside(self, name: bytes) -> Entry:
        """Another name in the same folder, which stays this entry's to close; a link counts as nothing."""
        try:
            status = os.stat(name, dir_fd=self.folder, follow_symlinks=False)
        except OSError:
            return Entry(self.folder, name, None)
        return Entry(self.folder, name, None if stat.S_ISLNK(status.st_mode) else status)

    def close(self) -> None:
        """Close the folder. May be called again."""
        if self.folder >= 0:
            os.close(self.folder)
            self.folder = -1

    def __enter__(self) -> Entry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def segments_of(path: str) -> list[bytes]:
    """The names in a decoded path that begins with `/`; without those of a trailing `/`.

    Raises NoFile for names that no path may have: empty, beginning with a dot, or longer than a file system
    takes.
    """
    names = [name.encode() for name in path.split("/")[1:]]
    if names and not names[-1]:
        names.pop()
    if any(not name or name.startswith(b".") or len(name) > _NAME_MAX for name in names):
        raise NoFile
    return names


def find(documents: Path, names: list[bytes]) -> Entry:
    """The entry that `names` lead to from the folder `documents`, with every symbolic link followed.

    The last name may lead to nothing (`status` is None). Raises NoFile when a folder on the way is missing or
    outside, OSError for what the kernel refuses (permission, descriptors).
    """
    folders: list[int] = []
    todo = names[::-1]
    links = 0
    try:
        folders.append(os.open(documents, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        while todo:
            name = todo.pop()
            if name == b"..":
                # Only a link's target can say so. Above the top is outside.
                if len(folders) == 1:
                    raise NoFile
                os.close(folders.pop())
                continue
            try:
                status = os.stat(name, dir_fd=folders[-1], follow_symlinks=False)
            except FileNotFoundError:
                if todo:
                    raise
                return Entry(folders.pop(), name, None)
            if stat.S_ISLNK(status.st_mode):
                links += 1
                if links > _MAX_LINKS:
                    raise NoFile
                target = os.readlink(name, dir_fd=folders[-1])
                if target.startswith(b"/"):
                    target = _inside(documents, target)
                    while len(folders) > 1:
                        os.close(folders.pop())
                todo += [part for part in reversed(target.split(b"/")) if part not in (b"", b".")]
            elif not todo:
                return Entry(folders.pop(), name, status)
            else:
                folders.append(os.open(name, _FOLDER, dir_fd=folders[-1]))
        status = os.fstat(folders[-1])
        return Entry(folders.pop(), b".", status)
    except (FileNotFoundError, NotADirectoryError):
        raise NoFile from None
    finally:
        for folder in folders:
            os.close(folder)


def _inside(documents: Path, target: bytes) -> bytes:
    """An absolute link target as seen from `documents`. Raises NoFile when it lies outside."""
    for top in {os.fsencode(documents), os.fsencode(os.path.realpath(documents))}:
        if target == top or target.startswith(top.rstrip(b"/") + b"/"):
            return target[len(top) :]
    raise NoFile
