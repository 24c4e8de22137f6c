"""Who goes first: a server and those who measure it, before the clients that only make work for both."""

from __future__ import annotations

import os

#: Whether it is permitted here: root may (sched(7)).
MAY_PREFER = os.geteuid() == 0


def prefer(pid: int) -> None:
    """Let a process, or a thread by its native number, go before all others; what it starts inherits it."""
    os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(1))
