"""What is published says nothing about the machine it was written on, and its commands exist."""

from __future__ import annotations

import os
import re
from typing import Final

import pytest
from tests.architecture.tree import ROOT, name_of, our_files

# Spelled in pieces, so that this file does not hold what it looks for.
MACHINE_PATH: Final = re.compile(r"(?<![\w.}])/(?:work|root|Users|opt/pypi)/[\w.]")


def text_of(name: str) -> str | None:
    content = (ROOT / name).read_bytes()
    return None if b"\0" in content else content.decode("utf-8", errors="replace")


def test_no_file_names_a_path_of_one_machine() -> None:
    found = [
        f"{name}:{number}: {line.strip()[:80]}"
        for name in map(name_of, our_files())
        for number, line in enumerate((text_of(name) or "").splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("room", ["work", "root", "Users"])
def test_a_machine_path_is_found(room: str) -> None:
    assert MACHINE_PATH.search(f"see '/{room}/notes.txt'")
    assert not MACHINE_PATH.search(f"frame{room}/notes or https://example.org/{room}/notes.txt")


def test_the_files_a_reader_expects_are_there() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "pyproject.toml"):
        assert (ROOT / name).stat().st_size > 0
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_every_make_command_in_the_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        (name, target)
        for name in map(name_of, our_files())
        if name.endswith(".md") or name == ".ci/run"
        for target in re.findall(r"(?:`|^|^\$ )make ([a-z-]+)", text_of(name) or "", re.MULTILINE)
    }
    assert ("CONTRIBUTING.md", "check") in named
    assert {(name, target) for name, target in named if target not in targets} == set()
