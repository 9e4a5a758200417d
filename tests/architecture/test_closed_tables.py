"""A table over a closed union has an arm for every kind, and the type checker proves it.

Broken here on purpose in a copy of the tree: an arm taken away and a kind added must be refused.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from tests.architecture.tree import copy_of_the_tree, run

# The file and the function that hold a table.
TABLES: Final = [
    ("core/decide.py", "_take"),
    ("core/state.py", "_changed"),
    ("journal/sentences.py", "_said"),
]
# What a union is called, where it stands, and the files whose tables must then be refused.
UNIONS: Final = [
    ("Input", "core/decide.py", ["core/decide.py"]),
    ("PositionChange", "core/records.py", ["core/state.py", "journal/sentences.py"]),
    ("AccountRecord", "core/account_records.py", ["journal/sentences.py"]),
]


def source(tree: Path, name: str) -> Path:
    return tree / "src" / "surefoot" / name


def checked(tree: Path) -> subprocess.CompletedProcess[str]:
    files = [str(Path("src", "surefoot", name)) for name, _ in TABLES]
    return run("mypy", *files, tree=tree)


def refused(result: subprocess.CompletedProcess[str]) -> set[str]:
    """Return the files that the type checker refuses for a kind without an arm."""
    lines = [line for line in result.stdout.splitlines() if "assert_never" in line]
    return {line.split(":")[0].removeprefix("src/surefoot/") for line in lines}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy that the type checker accepts, with what it remembers of it."""
    tree = copy_of_the_tree(tmp_path_factory.mktemp("whole"))
    result = checked(tree)
    assert result.returncode == 0, result.stdout + result.stderr
    return tree


@pytest.fixture
def tree(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "tree")


def without_an_arm(text: str, function: str) -> str:
    """Delete the first arm of the table in a function."""
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    table = next(node for node in functions if node.name == function).body[-1]
    assert isinstance(table, ast.Match)
    arm = table.cases[0]
    lines = text.splitlines(keepends=True)
    del lines[arm.pattern.lineno - 1 : arm.body[-1].end_lineno]
    return "".join(lines)


@pytest.mark.parametrize(("name", "function"), TABLES)
def test_a_deleted_arm_is_refused(tree: Path, name: str, function: str) -> None:
    path = source(tree, name)
    path.write_text(without_an_arm(path.read_text("utf-8"), function), "utf-8")
    result = checked(tree)
    assert refused(result) == {name}, result.stdout + result.stderr


@pytest.mark.parametrize(("union", "name", "tables"), UNIONS)
def test_a_kind_without_an_arm_is_refused(
    tree: Path, union: str, name: str, tables: list[str]
) -> None:
    path = source(tree, name)
    text = path.read_text("utf-8")
    head = f"{union}: TypeAlias = (\n"
    assert text.count(head) == 1
    new = f"class Unheard(Struct, frozen=True):\n    at: datetime\n\n\n{head}    Unheard |"
    path.write_text(text.replace(head, new), "utf-8")
    result = checked(tree)
    assert refused(result) == set(tables), result.stdout + result.stderr
