"""Temporary files that never outlive their use: a process that dies leaves some, the next start removes them.

Whoever writes one holds a lock on it, which ends with the process however that ends. So a file of our
prefix that can be locked is nobody's any more, also while other workers, or a predecessor that drains,
write theirs.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

FORM = "ioto-form-"
"""How the names of files begin that a form has brought."""

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SEEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def create(folder: int, prefix: str, mode: int) -> tuple[int, str]:
    """Create and lock a file of an unguessable name in the open `folder`: its descriptor and its name."""
    while True:
        name = prefix + secrets.token_hex(12)
        descriptor = os.open(name, _NEW, mode, dir_fd=folder)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Between the two calls a start elsewhere may have taken it for an orphan.
        if os.fstat(descriptor).st_nlink:
            return descriptor, name
        os.close(descriptor)


def remove_orphans(folder: Path, prefix: str, *, below: bool) -> int:
    """Remove the files of `prefix` in `folder` (and `below` it) that no process holds; how many there were.

    What belongs to other users, or vanishes meanwhile, is left alone. Reads every folder, so it takes its
    time in large trees.
    """
    removed = 0
    for parent in _folders(folder) if below else [folder]:
        try:
            names = [name for name in os.listdir(parent) if name.startswith(prefix)]
        except OSError:
            continue
        removed += sum(_remove_orphan(parent / name) for name in names)
    return removed


def _folders(top: Path) -> Iterator[Path]:
    for parent, _, _ in os.walk(top):
        yield Path(parent)


def _remove_orphan(path: Path) -> bool:
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            return False
        descriptor = os.open(path, _SEEN)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
