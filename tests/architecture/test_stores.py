"""A database is a file in the journal's room and one row: what judges a second one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from tests.architecture.test_venues import imported, methods
from tests.architecture.tree import ROOT, SOURCE, copy_of_the_tree, plant, run

from surefoot.journal.store import Store

DOOR: Final = "journal/__init__.py"
JOURNAL: Final = (ROOT / "tests/memory_journal.py").read_text("utf-8")
ROW: Final = '    "sqlite": SqliteStore,\n'
SECOND: Final = '''"""A journal elsewhere."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from surefoot.journal.browse import Browser
from surefoot.journal.elsewhere import MemoryJournal
from surefoot.journal.port import Client, Holder, Journal, Repair


class SecondStore:
    """One journal elsewhere."""

    def __init__(self, url: str, directory: Path) -> None:
        self._journal = MemoryJournal()

    @property
    def file(self) -> Path | None:
        return None

    def open(self, *, at: datetime) -> Journal:
        return self._journal

    def read(self) -> Client:
        return self._journal
'''
WRITTEN: Final = {"open", "read"}
OPENED: Final = """
from datetime import UTC, datetime
from pathlib import Path
from surefoot import journal
where = ("postgresql://me@there/journal", Path())
opened = journal.open_journal(*where, at=datetime(2026, 1, 1, tzinfo=UTC))
print(type(opened).__name__, journal.journal_file(*where))
"""


def with_a_second(to: Path, without: str | None = None) -> Path:
    """Copy the tree and plant a second store in it: a file, and a row of the door."""
    tree = copy_of_the_tree(to)
    rest = {name: code for name, code in methods(Store).items() if name not in WRITTEN}
    lines = [
        code.replace("        ...\n", "        raise NotImplementedError\n")
        for name, code in rest.items()
        if name != without
    ]
    plant(tree, "src/surefoot/journal/elsewhere.py", JOURNAL)
    plant(tree, "src/surefoot/journal/second.py", "\n".join([SECOND, *lines]))
    door = tree / "src" / "surefoot" / DOOR
    text = door.read_text("utf-8")
    assert text.count(ROW) == 1
    row = f'{ROW}    "postgresql": SecondStore,\n'
    first = "from surefoot.journal.store import"
    needed = f"from surefoot.journal.second import SecondStore\n{first}"
    door.write_text(text.replace(ROW, row).replace(first, needed), "utf-8")
    return tree


@pytest.mark.slow
def test_a_second_database_is_a_file_and_a_row(tmp_path: Path) -> None:
    """Nothing outside the journal's room is touched, and types and contracts say yes."""
    tree = with_a_second(tmp_path)
    types = run("mypy", "-p", "surefoot.journal", tree=tree)
    assert types.returncode == 0, types.stdout
    imports = run("lint-imports", "--no-cache", tree=tree)
    assert imports.returncode == 0, imports.stdout
    opened = run("python", "-c", OPENED, tree=tree)
    assert opened.stdout == "MemoryJournal None\n", opened.stderr


@pytest.mark.slow
@pytest.mark.parametrize("without", ["holder", "repair", "browse"])
def test_a_store_that_lacks_a_method_is_refused(tmp_path: Path, without: str) -> None:
    types = run("mypy", "-p", "surefoot.journal", tree=with_a_second(tmp_path, without))
    assert types.returncode == 1
    assert "type[SecondStore]" in types.stdout, types.stdout


def test_only_the_door_knows_where_a_journal_lies() -> None:
    """Who names a store, or what it opens, would have to learn of a second one."""
    inside = SOURCE / "journal"
    kinds = {"surefoot.journal.store", "surefoot.journal.sqlite"}
    knowing = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if inside not in path.parents and not kinds.isdisjoint(imported(path))
    }
    assert knowing == set()
