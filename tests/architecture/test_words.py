"""A name says what a thing is: words that fit everything are not used for anything."""

from __future__ import annotations

import ast
import re
from pathlib import PurePosixPath
from typing import Final

import pytest
from tests.architecture.tree import name_of, python_files

EMPTY_WORDS: Final = frozenset({"manager", "handler", "helper", "util", "misc", "common"})
# "base" is half of every symbol, so functions may speak of the base asset; files and classes not.
EMPTY_TITLES: Final = EMPTY_WORDS | {"base"}


def words(name: str) -> set[str]:
    """Split a snake_case or CamelCase name into its words, in the singular."""
    found = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return {word.lower() for word in found} | {word.lower().removesuffix("s") for word in found}


def empty_names(path: str, source: str) -> list[str]:
    """Return the file, folder, class and function names that use an empty word."""
    where = PurePosixPath(path)
    found = [part for part in (*where.parts[:-1], where.stem) if words(part) & EMPTY_TITLES]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and words(node.name) & EMPTY_TITLES:
            found.append(node.name)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found += [node.name] if words(node.name) & EMPTY_WORDS else []
    return found


def test_no_name_uses_an_empty_word() -> None:
    found = {
        name_of(path): empty_names(name_of(path), path.read_text("utf-8"))
        for path in python_files()
    }
    assert {name: names for name, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("path", "source", "names"),
    [
        ("src/surefoot/utils/dates.py", "", ["utils"]),
        ("src/surefoot/core/base.py", "", ["base"]),
        ("src/surefoot/core/order.py", "class HTTPManager: ...", ["HTTPManager"]),
        ("src/surefoot/core/order.py", "class OrderBase: ...", ["OrderBase"]),
        ("src/surefoot/core/order.py", "async def fill_handlers(): ...", ["fill_handlers"]),
        ("src/surefoot/core/order.py", "def base_asset(): ...", []),
        ("src/surefoot/core/order.py", "def database(): ...\nclass Commonplace: ...", []),
    ],
)
def test_an_empty_word_is_found(path: str, source: str, names: list[str]) -> None:
    """In any case and number, but only as a whole word."""
    assert empty_names(path, source) == names
