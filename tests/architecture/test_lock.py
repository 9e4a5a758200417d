"""The lock pins every package by version and by hash, from no address in particular."""

from __future__ import annotations

import re
import tomllib
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.architecture.tree import ROOT

LOCK: Final = (ROOT / "requirements" / "dev.txt").read_text("utf-8")
ENTRY: Final = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^\s;]+)(?: ; [^\\]+)? \\$")
HASH: Final = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")


def pinned() -> dict[str, tuple[str, int]]:
    """Return each package's version and number of hashes; refuse a line that is anything else."""
    found: dict[str, tuple[str, int]] = {}
    name = ""
    for line in LOCK.splitlines():
        if entry := ENTRY.match(line):
            name = entry["name"]
            found[name] = (entry["version"], 0)
        elif HASH.match(line):
            found[name] = (found[name][0], found[name][1] + 1)
        else:
            assert line.lstrip().startswith("#"), line
    return found


def wanted() -> list[Requirement]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    lines = [
        *settings["build-system"]["requires"],
        *settings["project"]["dependencies"],
        *settings["dependency-groups"]["dev"],
    ]
    return [Requirement(line) for line in lines]


def test_every_entry_has_a_hash() -> None:
    found = pinned()
    assert [name for name, (_, hashes) in found.items() if hashes == 0] == []
    assert len(found) > len(wanted())


def test_no_entry_names_an_address_or_a_path() -> None:
    for line in LOCK.splitlines():
        assert not re.search(r"https?:|file:|index|find-links|git\+|/", line.split(" ; ")[0]), line


def test_everything_that_is_asked_for_is_locked_within_its_range() -> None:
    """Runtime, tools and the build backend: an editable install then needs no network."""
    found = pinned()
    for requirement in wanted():
        version, _ = found[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement


def test_the_linter_is_pinned_to_one_version() -> None:
    """Every rule is selected, so another version is another set of rules."""
    (ruff,) = [str(requirement.specifier) for requirement in wanted() if requirement.name == "ruff"]
    assert ruff == f"=={pinned()['ruff'][0]}"
