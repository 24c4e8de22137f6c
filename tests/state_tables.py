"""Draw the states of a connection, from the tables that the code steps through, into ARCHITECTURE.md.

python -m tests.state_tables            print them
python -m tests.state_tables --write    put them between the marks in ARCHITECTURE.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from ioto_server.server import states as http
from ioto_server.session import states as websocket
from tests.support import REPOSITORY

DOCUMENT = REPOSITORY / "ARCHITECTURE.md"
BEGIN, END = "<!-- states -->", "<!-- /states -->"


def draw() -> str:
    """Both tables, as Markdown."""
    http_notes = {phase: (meaning, deadline) for phase, (meaning, deadline) in http.MEANING.items()}
    websocket_notes = {phase: (meaning,) for phase, meaning in websocket.MEANING.items()}
    return "\n".join(
        [
            "A connection that speaks HTTP:",
            "",
            *table(http.TABLE, http.Step, http_notes, ("holds", "deadline")),
            "",
            "A WebSocket, from its handshake on (`timeouts.close` runs from CLOSING on):",
            "",
            *table(websocket.TABLE, websocket.Step, websocket_notes, ("holds",)),
        ]
    )


def table(
    rows: Mapping[Enum, Mapping[Enum, Enum]],
    steps: Iterable[Enum],
    notes: Mapping[Enum, Sequence[str]],
    headings: Sequence[str],
) -> list[str]:
    """One table: a row for a phase, a column for a step, the phase it leads to where they meet."""
    steps = list(steps)
    lines = [line(["", *headings, *(str(step.value) for step in steps)])]
    lines.append(line(["---"] * (1 + len(headings) + len(steps))))
    for phase, row in rows.items():
        targets = [row[step].name if step in row else "" for step in steps]
        lines.append(line([f"**{phase.name}**", *notes[phase], *targets]))
    return lines


def line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def split(text: str) -> tuple[str, str, str]:
    """What stands before, between and after the marks."""
    before, begin, rest = text.partition(BEGIN)
    between, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{DOCUMENT}: the marks {BEGIN} and {END} are missing")
    return before, between.strip("\n"), after


def main() -> None:
    if "--write" not in sys.argv[1:]:
        print(draw())
        return
    before, _, after = split(DOCUMENT.read_text())
    DOCUMENT.write_text(f"{before}{BEGIN}\n{draw()}\n{END}{after}")


if __name__ == "__main__":
    main()
