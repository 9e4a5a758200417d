"""The locks pin every package by version and by hash, from no address in particular."""

from __future__ import annotations

import re
import tomllib
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.architecture.tree import ROOT

LOCKS: Final = {
    name: (ROOT / "requirements" / f"{name}.txt").read_text("utf-8") for name in ("dev", "run")
}
ENTRY: Final = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^\s;]+)(?: ; [^\\]+)? \\$")
HASH: Final = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")


def pinned(lock: str) -> dict[str, tuple[str, int]]:
    """Return each package's version and number of hashes; refuse a line that is anything else."""
    found: dict[str, tuple[str, int]] = {}
    name = ""
    for line in LOCKS[lock].splitlines():
        if entry := ENTRY.match(line):
            name = entry["name"]
            found[name] = (entry["version"], 0)
        elif HASH.match(line):
            found[name] = (found[name][0], found[name][1] + 1)
        else:
            assert line.lstrip().startswith("#"), line
    return found


def wanted(lock: str) -> list[Requirement]:
    """Return what must be in a lock: for developing, or for running with every extra."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = settings["project"]["optional-dependencies"]
    lines = {
        "dev": [*settings["build-system"]["requires"], *settings["dependency-groups"]["dev"]],
        "run": [line for extra in extras.values() for line in extra],
    }
    every = [*settings["project"]["dependencies"], *lines[lock]]
    return [Requirement(line) for line in every]


EACH: Final = pytest.mark.parametrize("lock", list(LOCKS))


@EACH
def test_every_entry_has_a_hash(lock: str) -> None:
    found = pinned(lock)
    assert [name for name, (_, hashes) in found.items() if hashes == 0] == []
    assert len(found) > len(wanted(lock))


@EACH
def test_no_entry_names_an_address_or_a_path(lock: str) -> None:
    for line in LOCKS[lock].splitlines():
        assert not re.search(r"https?:|file:|index|find-links|git\+|/", line.split(" ; ")[0]), line


@EACH
def test_everything_that_is_asked_for_is_locked_within_its_range(lock: str) -> None:
    """Runtime, tools and the build backend: an editable install then needs no network."""
    found = pinned(lock)
    for requirement in wanted(lock):
        version, _ = found[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement


def test_the_linter_is_pinned_to_one_version() -> None:
    """Every rule is selected, so another version is another set of rules."""
    (ruff,) = [str(each.specifier) for each in wanted("dev") if each.name == "ruff"]
    assert ruff == f"=={pinned('dev')['ruff'][0]}"
