"""A reader who follows the documents arrives: links lead somewhere, commands and tests exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
from tests.architecture.tree import ROOT, our_files

from surefoot.cli import COMMANDS

PAGES: Final = sorted(path for path in our_files() if path.suffix == ".md" and path.is_file())
LINK: Final = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
COMMAND: Final = re.compile(r"(?:\$ (?:sudo -u \w+ )?(?:\S*/)?|`)surefoot ([a-z][a-z-]+)")
TEST: Final = re.compile(r"`((?:[\w]+/)*test_\w+\.py)(?:::(test_\w+))?`")


def anchors(page: Path) -> set[str]:
    """Return the names that a page's headings get where it is shown."""
    heads = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def astray(page: Path, text: str) -> list[str]:
    """Return the links of a page that lead nowhere."""
    found = []
    for place, anchor in LINK.findall(text):
        target = (page.parent / place).resolve() if place else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(f"{place}#{anchor}")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert astray(page, page.read_text("utf-8")) == []


def test_a_link_that_leads_nowhere_is_found() -> None:
    text = (
        "[a](docs/faq.md) [b](docs/none.md) [c](docs/review.md#every-kind) [d](docs/review.md#no)"
    )
    assert astray(ROOT / "README.md", text) == ["docs/none.md#", "docs/review.md#no"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_is_named_exists(page: Path) -> None:
    named = set(COMMAND.findall(page.read_text("utf-8")))
    assert named - set(COMMANDS) == set()


def test_every_test_that_a_promise_names_exists() -> None:
    """A promise whose test was renamed is a promise that nothing shows."""
    files = {path.name: path for path in (ROOT / "tests").rglob("test_*.py")}
    for place, case in TEST.findall((ROOT / "SAFETY.md").read_text("utf-8")):
        assert Path(place).name in files, place
        assert not case or f"def {case}(" in files[Path(place).name].read_text("utf-8"), case
