"""systemd's journal: whether it is at the other end, and what it takes for the importance of a line."""

from __future__ import annotations

import os
from typing import Final

# What the journal takes for the priority of a line that begins with it (sd-daemon(3)).
_PRIORITIES: Final = {"debug": "<7>", "info": "<6>", "warning": "<4>"}
_PRIORITY_ERROR: Final = "<3>"


def leads_to_journal(descriptor: int) -> bool:
    """Whether what is written to `descriptor` goes there ($JOURNAL_STREAM, systemd.exec(5))."""
    stream = os.environ.get("JOURNAL_STREAM")
    if not stream:
        return False
    found = os.fstat(descriptor)
    return stream == f"{found.st_dev}:{found.st_ino}"


def with_priority(level: str, text: str) -> str:
    """`text` with the priority of `level` before every line: the journal takes each for a message."""
    priority = _PRIORITIES.get(level, _PRIORITY_ERROR)
    return priority + text.replace("\n", f"\n{priority}")
