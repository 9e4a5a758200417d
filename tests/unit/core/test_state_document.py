"""docs/states.md is drawn from the table that the code obeys, and says so when it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from surefoot.core.position import TRANSITIONS, State

DOCUMENT: Final = Path(__file__).resolve().parents[3] / "docs" / "states.md"
BEGIN: Final = "<!-- drawn from the table in the code: begin -->"
END: Final = "<!-- drawn from the table in the code: end -->"

# Edges in the order of the table; the same numbers stand in the diagram and in the rows. Reasons
# stay out of the diagram, because Mermaid reads a colon or a semicolon in a label as its own.
EDGES: Final = [
    (source, target, why)
    for source, targets in TRANSITIONS.items()
    for target, why in targets.items()
]


def diagram() -> list[str]:
    """Draw the states: edges are numbered, final states lead out."""
    drawn = [f"    {source} --> {target}: {n}" for n, (source, target, _) in enumerate(EDGES, 1)]
    final = [f"    {state} --> [*]" for state in State if not TRANSITIONS[state]]
    start = f"    [*] --> {next(iter(State))}"
    return ["```mermaid", "stateDiagram-v2", start, *drawn, *final, "```"]


def table() -> list[str]:
    """List every edge with its reason, and every state that has none."""
    rows = [
        f"| {n} | {source} | {target} | {why} |" for n, (source, target, why) in enumerate(EDGES, 1)
    ]
    final = [f"| | {state} | nothing | it is final |" for state in State if not TRANSITIONS[state]]
    return ["| | from | to | when |", "|---|---|---|---|", *rows, *final]


def drawn() -> str:
    return "\n".join([BEGIN, "", *diagram(), "", *table(), "", END])


def test_the_document_is_drawn_from_the_table() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert drawn() in text, f"put this into docs/states.md, markers included:\n\n{drawn()}\n"


def test_the_drawing_shows_every_state_and_every_edge() -> None:
    lines = diagram()
    for state in State:
        assert any(str(state) in line for line in lines)
    assert sum("-->" in line and "[*]" not in line for line in lines) == len(EDGES)
    assert all(f"| {source} | {target} | {why} |" in drawn() for source, target, why in EDGES)
