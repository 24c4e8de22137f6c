"""How a process ends: its exit code, and what it says to whoever started it (SPEC 9)."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from .journal import leads_to_journal, with_priority
from .visible import visible

if TYPE_CHECKING:
    from ioto_server.plugins import PluginError

OK = 0
FAILED = 1
MISUSED = 2

_STDERR: Final = 2


def report_plugin(error: PluginError) -> None:
    """Say on stderr what is wrong with a plugin, its own traceback first."""
    report(unusable(error), error.trace)


def unusable(error: PluginError) -> str:
    """Why a plugin keeps a server from starting, and what to do."""
    return f"{error}\nThe server was not started: mend the plugin, or rename it to begin with '_'"


def report(text: str, trace: str = "") -> None:
    """Say on stderr why the server does not start, the traceback first where there is one."""
    if trace:
        say(trace.rstrip())
    complain(text)


def complain(text: str) -> None:
    """Say why the server does not start, on stderr: the log may not be there."""
    say(f"ioto-server: {text}")


def say(text: str) -> None:
    """Tell whoever started this process, on stderr, what is wrong; the journal takes it for an error."""
    text = visible(text)
    if leads_to_journal(_STDERR):
        text = with_priority("error", text)
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        # Nobody is there to read it: the exit code says it all the same. But what is left in the buffer
        # would be tried again at the interpreter's end, which makes 120 of the code.
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), _STDERR)
