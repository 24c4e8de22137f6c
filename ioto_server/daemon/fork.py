"""Workers are forked from their supervisor: the same version and configuration, with its memory shared."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Final

from .outcome import FAILED

# prctl(2): the signal that a process gets when its parent ends, and the name that `ps` and `top` show.
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15

# What a terminal or a service manager sends to all processes of ours; workers do what the supervisor says.
_NOT_FOR_WORKERS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


async def fork(
    name: str, main: Callable[[socket.socket], int], keep: Iterable[int]
) -> tuple[int, socket.socket]:
    """Fork a process that runs `main` and ends with the code it returns; returns its pid and a line to it.

    `main` gets the other end of the line. Of our descriptors the process has those in `keep` and the first
    three, nothing else. It ends when we end, however that happens. Raises OSError where there can be no more
    processes.
    """
    loop = asyncio.get_running_loop()
    forked: asyncio.Future[tuple[int, socket.socket]] = loop.create_future()

    def in_no_task() -> None:
        if forked.cancelled():
            return
        # In the child another loop will run tasks; asyncio must not believe that one is running already.
        try:
            forked.set_result(_fork(name, main, keep))
        except OSError as error:
            forked.set_exception(error)

    loop.call_soon(in_no_task)
    try:
        return await forked
    except asyncio.CancelledError:
        if not forked.cancelled() and forked.exception() is None:
            # It came about in this very turn, and nobody else knows of it.
            pid, ours = forked.result()
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)  # noqa: ASYNC222 - it is killed
            ours.close()
        raise


def _fork(name: str, main: Callable[[socket.socket], int], keep: Iterable[int]) -> tuple[int, socket.socket]:
    ours, theirs = socket.socketpair()
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    # A signal that came now would be the child's too, and go the way of our handlers in both.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _child(name, main, theirs, keep, parent, mask)
    except OSError:
        ours.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()
    return pid, ours


def _child(
    name: str,
    main: Callable[[socket.socket], int],
    line: socket.socket,
    keep: Iterable[int],
    parent: int,
    mask: Iterable[int],
) -> None:
    """Be the new process. Never returns: the frames below are the parent's, and keep what it has alive."""
    code = FAILED
    try:
        _end_with(parent, name)
        signal.set_wakeup_fd(-1)
        for number in _NOT_FOR_WORKERS:
            # Not SIG_IGN, which programs that a plugin starts would inherit.
            signal.signal(number, _nothing)
        asyncio._set_running_loop(None)
        # What is garbage closes its descriptors now; what is not never will, as their numbers are used anew.
        gc.collect()
        gc.freeze()
        _close_all_but({0, 1, 2, line.fileno(), *keep})
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        code = main(line)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _end_with(parent: int, name: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    # Where a sandbox forbids it, the end of the line says the same to all but a worker that is stuck.
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)
    if os.getppid() != parent:
        os._exit(FAILED)


def _close_all_but(kept: set[int]) -> None:
    edges = [-1, *sorted(kept), os.sysconf("SC_OPEN_MAX")]
    for below, above in pairwise(edges):
        # An empty range from 0 would be taken for all.
        if below + 1 < above:
            os.closerange(below + 1, above)


def _nothing(_number: int, _frame: object) -> None:
    """Take note of a signal that is meant for the supervisor."""
