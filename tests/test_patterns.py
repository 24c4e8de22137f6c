"""Patterns that the Python of Debian 12 reads as we do.

Up to 3.11.4 a possessive repetition of a group whose alternatives need backtracking matches wrongly
(python/cpython issue 106052): `(?:ab?|c)*+` has to be written `(?>(?:ab?|c)*)`. One of a single character
class, `[a-z]*+`, was always right.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import ioto_server

_ONE_CHARACTER = (codes.IN, codes.LITERAL, codes.NOT_LITERAL, codes.ANY, codes.RANGE, codes.CATEGORY)


def repeats_a_group_possessively(pattern: str | bytes) -> bool:
    return any(
        code is codes.POSSESSIVE_REPEAT and not (len(value[2]) == 1 and value[2][0][0] in _ONE_CHARACTER)
        for code, value in nodes(_parser.parse(pattern))
    )


def nodes(parsed: Any) -> Iterator[tuple[Any, Any]]:
    """Every (code, value) of a parsed pattern, also inside others."""
    for node in parsed:
        yield node
        yield from within(node[1])


def within(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, _parser.SubPattern):
        yield from nodes(value)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from within(one)


def patterns() -> Iterator[tuple[str, str | bytes]]:
    """Every pattern of the package: compiled ones, and texts that are put together to one later."""
    for found in pkgutil.walk_packages(ioto_server.__path__, "ioto_server."):
        if found.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(found.name)).items():
            where = f"{found.name}.{name}"
            if isinstance(value, re.Pattern):
                yield where, value.pattern
            elif isinstance(value, str) and ("(?:" in value or "(?>" in value):
                yield where, value


def test_no_pattern_repeats_a_group_possessively() -> None:
    every = dict(patterns())
    assert len(every) > 30
    assert [name for name, pattern in every.items() if repeats_a_group_possessively(pattern)] == []


def test_such_a_pattern_would_be_noticed() -> None:
    assert repeats_a_group_possessively(r"x(?:(?:a|b*)y)?+z")
    assert repeats_a_group_possessively(rb"(?=(?:ab){2,3}+)")
    assert not repeats_a_group_possessively(r"(?>(?:a[b-c]*+|\d++|.?+)*)")
