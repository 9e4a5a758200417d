"""Nothing is too long to read: 500 lines for a file, 60 for a function. A breach is split."""

from __future__ import annotations

import ast
from typing import Final

from tests.architecture.tree import name_of, python_files

FILE_LINES_MAX: Final = 500
FUNCTION_LINES_MAX: Final = 60


def long_functions(source: str) -> list[tuple[str, int]]:
    """Return the functions over the limit, with their number of lines."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                found.append((node.name, lines))
    return found


def test_no_file_is_longer_than_500_lines() -> None:
    sizes = {name_of(path): len(path.read_bytes().splitlines()) for path in python_files()}
    assert {name: size for name, size in sizes.items() if size > FILE_LINES_MAX} == {}


def test_no_function_is_longer_than_60_lines() -> None:
    found = {name_of(path): long_functions(path.read_text("utf-8")) for path in python_files()}
    assert {name: functions for name, functions in found.items() if functions} == {}


def test_a_long_function_is_found_wherever_it_hides() -> None:
    """Nested, in a class, or async: the count is its own lines, the `def` included."""
    body = "            pass\n"
    head = "class Room:\n    def outer(self):\n        async def inner():\n"
    assert long_functions(head + body * (FUNCTION_LINES_MAX - 2)) == []
    assert long_functions(head + body * FUNCTION_LINES_MAX) == [
        ("outer", FUNCTION_LINES_MAX + 2),
        ("inner", FUNCTION_LINES_MAX + 1),
    ]
