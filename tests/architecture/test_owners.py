"""One owner for each thing: who may change a state, and where a rule lives."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.architecture.test_venues import imported
from tests.architecture.tree import SOURCE


def assigned(path: Path) -> set[str]:
    """Return whose attributes a file assigns, beside those of the object that a method is of."""
    return {
        ast.unparse(part.value)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store)
        if ast.unparse(part.value) != "self"
    }


def test_nobody_in_the_engine_assigns_into_another() -> None:
    """Recovery assigned into the account, and two files were one class."""
    found = {path.name: assigned(path) for path in (SOURCE / "engine").glob("*.py")}
    # Each is a class of the file itself: one recovery's course, and one window of candles.
    assert {name: whose for name, whose in found.items() if whose} == {
        "recovery.py": {"course"},
        "windows.py": {"window"},
    }


def test_the_engine_reaches_into_no_private_part_but_its_file_s_own() -> None:
    found = {
        path.name
        for path in (SOURCE / "engine").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and ast.unparse(node.value) not in {"self", "cls"}
    }
    assert found <= {"sweep.py"}  # two halves of one file


def test_why_a_position_is_left_is_decided_in_one_place() -> None:
    """Prices, levels and wishes: whoever else held a price against a level would be a second."""
    rules = {"surefoot.core.exits.breached", "surefoot.core.exits.advance"}
    deciding = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if not rules.isdisjoint(imported(path))
    }
    assert deciding == {"core/leaving.py"}
