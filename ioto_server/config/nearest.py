"""The name somebody most likely meant."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, names: Iterable[str]) -> str | None:
    """Return the name at the smallest edit distance from `word`, None when none is near enough to suggest.

    Case does not count: `maxframe` is one thought with `maxFrame`. A third of the letters may be wrong, no
    more; of two equally near names the first one wins. The beginning of one name alone stands for it.
    """
    names = list(names)
    lower = word.lower()[:64]
    begun = [name for name in names if len(lower) > 2 and name.lower().startswith(lower)]
    if len(begun) == 1:
        return begun[0]
    if len(lower) < 2:
        # Any letter would be near.
        return None
    best: str | None = None
    least = max(1, len(lower) // 3) + 1
    for name in names:
        if abs(len(name) - len(lower)) >= least:
            continue
        distance = _distance(lower, name.lower())
        if distance < least:
            best, least = name, distance
    return best


def _distance(one: str, other: str) -> int:
    """Count insertions, deletions, replacements and swaps of neighbours (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
