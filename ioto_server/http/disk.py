"""What the file system says, as an answer to the client, and in more words for the operator."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from ioto_server.http.documents import NoFile
from ioto_server.http.errors import HttpError

# The path leads nowhere, which is the client's affair.
_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL)
_SPENT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_ADVICE = {
    errno.EACCES: "let the server's user write there",
    errno.EDQUOT: "raise the disk quota of the server's user",
    errno.EFBIG: "raise the limit of the size of files (ulimit -f)",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "raise the machine's limit of open files (fs.file-max)",
    errno.ENOMEM: "give the machine more memory, or the server less to do",
    errno.ENOSPC: "make room on the disk",
    errno.EPERM: "let the server's user write there",
    errno.EROFS: "mount the file system writable",
    errno.ESTALE: "mount the network file system anew",
}


def fault_of(error: OSError) -> str:
    """What happened, and what an operator can do about it."""
    return f"{error}: {_ADVICE.get(error.errno or 0, 'see what the kernel says of the disk (dmesg)')}"


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
        if error.errno in _NOWHERE:
            raise HttpError(404, "There is no such file") from None
        if error.errno in _SPENT:
            text = "The server has too many files open: try again"
            raise HttpError(503, text, [("Retry-After", "5")], fault=fault_of(error)) from error
        text = "The disk failed at this file: the server's log says how"
        raise HttpError(500, text, fault=fault_of(error)) from error


@contextmanager
def upload_errors() -> Iterator[None]:
    """The same while files are written to, where what fails is the operator's affair."""
    with disk_errors():
        try:
            yield
        except OSError as error:
            if error.errno in _NO_ROOM:
                text = "There is no room for the file on the server's disk (RFC 4918 11.5): try again later"
                raise HttpError(507, text, close=True, fault=fault_of(error)) from error
            if error.errno == errno.EROFS:
                text = "The server's folder is read-only: mount it writable"
                raise HttpError(403, text, fault=fault_of(error)) from error
            if isinstance(error, PermissionError):
                text = "The server may not write here: its permissions are for the operator to change"
                raise HttpError(403, text, fault=fault_of(error)) from error
            raise
