"""The tables of states: drawn as they are, complete, and leading somewhere."""

from __future__ import annotations

from enum import Enum

import pytest

from ioto_server.server import states as http
from ioto_server.session import states as websocket
from tests.state_tables import DOCUMENT, draw, split

TABLES = {
    "http": (http, http.Phase.FRESH, http.Phase.GONE),
    "websocket": (websocket, websocket.OPEN, websocket.ENDED),
}


def test_the_document_shows_the_tables_of_the_code() -> None:
    shown = split(DOCUMENT.read_text())[1]
    assert shown == draw(), "run: python -m tests.state_tables --write"


@pytest.mark.parametrize("name", TABLES)
def test_every_phase_is_reached_and_every_step_leads_somewhere(name: str) -> None:
    module, first, _ = TABLES[name]
    reached: set[Enum] = {first}
    for _round in module.Phase:
        reached |= {target for phase in reached for target in module.TABLE[phase].values()}
    assert reached == set(module.Phase)
    used = {step for row in module.TABLE.values() for step in row}
    assert used == set(module.Step)
    assert set(module.MEANING) == set(module.TABLE) == set(module.Phase)


@pytest.mark.parametrize("name", TABLES)
def test_from_everywhere_a_lost_connection_is_the_end(name: str) -> None:
    module, _, last = TABLES[name]
    assert module.TABLE[last] == {}
    for phase, row in module.TABLE.items():
        if phase not in (last, getattr(module.Phase, "UPGRADED", last)):
            assert row[module.Step.LOST] == last


def test_the_outcome_never_changes_back() -> None:
    """From LINGERING on the action has been told of the end: nothing leads to where it may send again."""
    for phase in (websocket.LINGERING, websocket.FINISHING, websocket.ENDED):
        assert all(target > phase for target in websocket.TABLE[phase].values())
