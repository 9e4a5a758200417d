"""A room's public surface is the `__all__` of its `__init__`, and that list is true."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest
from tests.architecture.tree import SOURCE

import surefoot

ROOMS = sorted(path.parent for path in SOURCE.rglob("__init__.py"))


def module_name(room: Path) -> str:
    return ".".join(room.relative_to(SOURCE.parent).parts)


def defined(room: Path) -> set[str]:
    """Return the public functions and classes that the room's `__init__` itself defines."""
    tree = ast.parse((room / "__init__.py").read_text("utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    names = {node.name for node in tree.body if isinstance(node, kinds)}
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize("room", ROOMS, ids=module_name)
def test_the_door_shows_what_is_there_and_all_of_it(room: Path) -> None:
    """A name in `__all__` that cannot be imported, or a public one left out, is a broken door."""
    module = import_module(module_name(room))
    shown = list(getattr(module, "__all__", []))
    assert len(shown) == len(set(shown))
    assert [name for name in shown if not hasattr(module, name)] == []
    assert [name for name in shown if name.startswith("_")] == []
    assert defined(room) - set(shown) == set()


def test_every_folder_of_the_source_is_a_room() -> None:
    """A folder without `__init__` is invisible to the import contracts."""
    folders = {path.parent for path in SOURCE.rglob("*.py")}
    assert sorted(folders - set(ROOMS)) == []


def test_the_package_is_typed_and_has_its_version() -> None:
    assert (SOURCE / "py.typed").is_file()
    assert surefoot.__version__.count(".") == len(("major.", "minor."))
