"""Write where somebody reads, such as into a pipe, without waiting for whoever that is."""

from __future__ import annotations

import os
import select
import socket
import stat
from collections.abc import Callable
from typing import Final

Write = Callable[[int, bytes], int]

# A pipe that has any room takes as many bytes in one piece (pipe(7), PIPE_BUF).
_AT_ONCE: Final = select.PIPE_BUF


def unhindered(descriptor: int) -> tuple[int, Write]:
    """Where to write in place of `descriptor`, and by what: like os.write, but it never waits.

    That raises BlockingIOError instead where there is no room.

    O_NONBLOCK is no way: it belongs to what is open, which is not ours alone where it is our standard output.
    Who has started us, and whoever else writes there, would find it set too.
    """
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor, os.write
    if stat.S_ISSOCK(mode):
        # As systemd's journal.
        own = socket.socket(fileno=os.dup(descriptor))
        return own.fileno(), lambda _descriptor, data: own.send(data, socket.MSG_DONTWAIT)
    try:
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        # Opened once more, and that is ours alone.
        return os.open(f"/proc/self/fd/{descriptor}", flags), os.write
    except OSError:
        # Another user's, as the pipe that a container's log goes to.
        return descriptor, _write_where_room_is


def _write_where_room_is(descriptor: int, data: bytes) -> int:
    # Where another process fills it in between, this waits after all: there is no better way.
    if not room_within(descriptor, 0):
        raise BlockingIOError
    return os.write(descriptor, data[:_AT_ONCE])


def room_within(descriptor: int, seconds: float) -> bool:
    """Whether something can be written there in time."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(seconds * 1000))
