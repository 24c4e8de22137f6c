"""The corpus of malformed and smuggling requests: the exact answer to each, however its bytes are cut.

Each file under corpus/ is a list of {name, clause, input, expect, nginx, why?}. `input` is a string, or a
list of strings and [string, times] pairs; each character is one byte (Latin-1). `expect` is what
`harness.observe` writes, `nginx` what nginx answered (`tests/http/nginx.py` records it), `why` the clause
that allows us more.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from . import nginx
from .harness import every_cut, expand, observe

FILES = sorted((Path(__file__).parent / "corpus").glob("*.json"))
CASES = [(path.stem, case) for path in FILES for case in json.loads(path.read_text("utf-8"))]


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{stem}: {case['name']}") for stem, case in CASES])
def test_answer_is_exact_and_the_same_for_every_cut(case: dict[str, Any]) -> None:
    data = expand(case["input"])
    for pieces in every_cut(data):
        assert observe(pieces) == case["expect"], [len(piece) for piece in pieces][:20]


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{stem}: {case['name']}") for stem, case in CASES])
def test_nothing_is_accepted_that_nginx_refuses_unless_a_clause_says_so(case: dict[str, Any]) -> None:
    accepted = sum(line.startswith("end") for line in case["expect"])
    more = any(status >= 400 for status in case["nginx"][:accepted]) or len(case["nginx"]) < accepted
    assert more == ("why" in case)
    assert not more or case["why"].startswith("RFC ")


@pytest.mark.long
def test_nginx_still_answers_as_recorded() -> None:
    """Against the nginx that is installed; Debian's `nginx-light` will do."""
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    with nginx.running(binary) as front:
        different = [
            (stem, case["name"], case["nginx"], now)
            for stem, case in CASES
            if (now := nginx.answers(front, expand(case["input"]))) != case["nginx"]
        ]
    assert different == []


def test_corpus_is_as_large_as_promised() -> None:
    refused = [case for _, case in CASES if case["expect"] and case["expect"][-1][:3].isdecimal()]
    assert len(refused) >= 150


def test_names_are_unique() -> None:
    names = [(stem, case["name"]) for stem, case in CASES]
    assert len(names) == len(set(names))
