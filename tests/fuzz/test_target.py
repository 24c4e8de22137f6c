"""The inputs of the coverage-guided target, each replayed: what a fuzzing run once found stays found."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from .seeds import FOUND, REQUEST, seeds
from .target import HANDSHAKE, check, reference, shake
from .target import running as codec


def test_replay() -> None:
    count = 0
    for seed in seeds():
        check(seed)
        count += 1
    assert count > 200


def test_corpus_is_small_and_says_each_thing_once() -> None:
    lines = FOUND.read_text().splitlines()
    assert len(set(lines)) == len(lines)
    assert FOUND.stat().st_size < 500_000


def test_seeds_reach_a_good_handshake() -> None:
    """A corpus of nothing but refusals would leave most of the handshake in the dark."""
    results = [
        shake(codec(), seed[1:].decode()) for seed in seeds() if seed[0] & HANDSHAKE and seed.isascii()
    ]
    for position in range(5):
        assert any(type(result[position]) is str and result[position] != "None" for result in results)


def test_target_notices_a_difference() -> None:
    """Sources that negotiate nothing are unlike what runs."""
    sources = reference()
    deflate = SimpleNamespace(**{**vars(sources.deflate), "negotiate": lambda headers, settings: None})
    other = SimpleNamespace(handshake=sources.handshake, deflate=deflate)
    request = bytes([HANDSHAKE]) + "\n".join(REQUEST).encode()
    check(request)
    with pytest.raises(AssertionError):
        check(request, other)  # type: ignore[arg-type]
