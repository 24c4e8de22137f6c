"""How many subscribers the other processes have: each tells when that changes, and that it is still there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

# Most subscriptions that one message tells of.
_PIECE: Final = 2000
# Most different topics and patterns of one process that others count, 100 to 200 bytes each with them.
MOST: Final = 50_000


class Counts:
    """The subscribers of this process, to be told, and those of others, as last heard of."""

    def __init__(self, publisher: bytes) -> None:
        self._me = publisher.hex()
        self._here: dict[str, int] = {}
        self._changed: dict[str, None] = {}
        self._others: dict[str, dict[str, int]] = {}
        self._heard_at: dict[str, float] = {}

    # ---- ours -----------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[str]:
        """The topics and patterns that somebody here has subscribed to."""
        return iter(self._here)

    def __contains__(self, pattern: str) -> bool:
        return pattern in self._here

    def set(self, pattern: str, count: int) -> bool:
        """Note a change; returns whether somebody has subscribed for the first time, or all have left."""
        before = self._here.get(pattern, 0)
        if count:
            self._here[pattern] = count
        else:
            self._here.pop(pattern, None)
        self._changed[pattern] = None
        return bool(before) != bool(count)

    def everything(self) -> list[str]:
        """Messages that tell all of it."""
        self._changed.clear()
        return list(self._tell(list(self._here)[:MOST], anew=True))

    def changes(self) -> list[str]:
        """Messages that tell what has changed; one at least, since it says that we are here."""
        changed = list(self._changed)[:MOST]
        self._changed.clear()
        return list(self._tell(changed, anew=False))

    def _tell(self, patterns: list[str], anew: bool) -> Iterator[str]:
        for start in range(0, len(patterns) or 1, _PIECE):
            counts = {one: self._here.get(one, 0) for one in patterns[start : start + _PIECE]}
            yield json.dumps({"from": self._me, "anew": anew and start == 0, "counts": counts})

    # ---- theirs ---------------------------------------------------------------------------------------

    def hear(self, text: bytes, now: float) -> bool:
        """Take up what a process tells; returns whether we know too little of it.

        Raises ValueError, TypeError, KeyError or AttributeError for what no process has told.
        """
        told: Any = json.loads(text)
        sender, counts = str(told["from"]), told["counts"].items()
        if sender == self._me:
            return False
        known = sender in self._others
        if told["anew"]:
            self._others[sender] = {}
            known = True
        table = self._others.setdefault(sender, {})
        self._heard_at[sender] = now
        for pattern, count in counts:
            if not count:
                table.pop(pattern, None)
            elif pattern in table or len(table) < MOST:
                table[pattern] = int(count)
        return not known

    def forget_silent(self, since: float) -> None:
        """Count no more with processes that were last heard of before `since`."""
        for sender in [one for one, heard in self._heard_at.items() if heard < since]:
            del self._heard_at[sender], self._others[sender]

    def forget_all(self) -> None:
        """Count with nobody else: the broker is out of reach."""
        self._heard_at.clear()
        self._others.clear()

    def of(self, topic: str) -> int:
        """How many subscribers of a topic the others have; one counts for each of its subscriptions."""
        patterns = [topic]
        end = topic.rfind("/")
        while end >= 0:
            patterns.append(f"{topic[:end]}/*")
            end = topic.rfind("/", 0, end)
        return sum(table.get(pattern, 0) for table in self._others.values() for pattern in patterns)
