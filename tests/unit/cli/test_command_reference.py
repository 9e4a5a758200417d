"""`docs/commands.md` is what the command line says of itself."""

from __future__ import annotations

from benchmarks.command_reference import PAGE, reference

from surefoot.cli import COMMANDS


def test_the_page_is_what_the_command_line_says() -> None:
    """After a change of a command: python benchmarks/command_reference.py."""
    assert PAGE.read_text(encoding="utf-8") == reference()


def test_every_command_has_its_chapter_and_is_shown_as_it_is_typed() -> None:
    """An option that was renamed left the first of these red."""
    page = PAGE.read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f"\n## {name}\n\n```console\n$ surefoot {name}" in page
