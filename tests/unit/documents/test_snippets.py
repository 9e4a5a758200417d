"""What a page shows is run: configurations load, strategies answer, commands and queries exist."""

from __future__ import annotations

import ast
import asyncio
import gzip
import inspect
import json
import re
import shlex
import sys
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any, Final

import apsw
import pytest

from surefoot import strategy
from surefoot.cli import application
from surefoot.config import load, strategies
from surefoot.simulator import Settings as Market
from surefoot.simulator import Simulator

ROOT: Final = Path(__file__).parents[3]
# `commands.md` is usage, made from the command line itself: another test holds the two equal.
PAGES: Final = [
    ROOT / "README.md",
    *sorted(page for page in (ROOT / "docs").glob("*.md") if page.stem != "commands"),
]
ALL_PAGES: Final = [*PAGES, *sorted(page for page in ROOT.glob("*.md") if page not in PAGES)]
SNIPPET: Final = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
ACCOUNT: Final = """[accounts.main]
exchange = "binance"
api_key = "env:KEY"
secret = "env:SECRET"
"""
# What a page leaves to the reader's imagination.
LISTENING: Final = "http://127.0.0.1:8080"
UNPLACED: Final = 'control.do("fill"'  # of an order that its reader has placed


def shown(page: Path) -> list[tuple[str, str]]:
    """Return every snippet of a page with its language, also those inside of a list."""
    found = SNIPPET.findall(page.read_text("utf-8"))
    return [(language, dedent(text)) for _, language, text in found]


def snippets(language: str) -> list[Any]:
    """Return the snippets of a language, with the page that each is on."""
    return [
        pytest.param(page, text, id=f"{page.stem}-{number}")
        for page in PAGES
        for number, (name, text) in enumerate(shown(page))
        if name == language
    ]


def module_of(page: Path) -> ModuleType:
    """Return `my_bots` as a page writes it: every snippet of it that has a strategy."""
    module = ModuleType("my_bots")
    for name, text in shown(page):
        if name == "python" and "(Strategy):" in text:
            exec(compile(text, str(page), "exec"), module.__dict__)  # noqa: S102 (the page's own)
    return module


@pytest.mark.parametrize(("page", "text"), snippets("toml"))
def test_a_configuration_loads_and_its_strategies_can_be_made(
    page: Path, text: str, tmp_path: Path
) -> None:
    file = tmp_path / "surefoot.toml"
    file.write_text(text if "[accounts.main]" in text else f"{ACCOUNT}{text}", "utf-8")
    code = [each for name, each in shown(page) if name == "python"]
    (tmp_path / "my_bots.py").write_text(
        "\n".join(each for each in code if "(Strategy):" in each), "utf-8"
    )
    names = dict.fromkeys(re.findall(r"env:(\w+)", file.read_text("utf-8")), "something")
    settings = load(file, names)
    assert set(strategies(settings)) == set(settings.bots)


@pytest.mark.parametrize(("page", "text"), snippets("python"))
async def test_code_runs(page: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests in it too; what it says to a simulated exchange is said to a real one."""
    monkeypatch.setitem(sys.modules, "my_bots", module_of(page))
    async with Simulator(Market(market="manual")) as simulator:
        code = compile(
            text.replace(LISTENING, simulator.url).partition(UNPLACED)[0],
            str(page),
            "exec",
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        )
        space: dict[str, Any] = {name: getattr(strategy, name) for name in strategy.__all__}
        space["__name__"] = "a_page"
        if code.co_flags & inspect.CO_COROUTINE:
            await eval(code, space)  # noqa: S307 (the page's own)
        else:
            await asyncio.to_thread(exec, code, space)
    for name, each in space.items():
        if name.startswith("test_"):
            each()


@pytest.mark.parametrize(("page", "text"), snippets("console"))
def test_a_command_line_means_something(page: Path, text: str) -> None:
    """Every word of it: a command or an option that is gone is found here, not by a reader."""
    for line in re.findall(r"^\$ (?:sudo -u \w+ )?(?:\S*/)?surefoot (.+)$", text, re.MULTILINE):
        words = shlex.split(re.split(r"[|;>&]", line)[0], comments=True)
        assert application().parse_args(words, exit_on_error=False, print_error=False), page


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: page.stem)
def test_a_command_in_the_text_exists(page: Path) -> None:
    """And so does every option beside it: between back-ticks, or in a block without a language."""
    text = page.read_text("utf-8")
    lines = re.findall(r"`surefoot ([a-z][^`]*)`", text)
    lines += re.findall(r"^    (?:\S*/)?surefoot ([a-z].*)$", text, re.MULTILINE)
    reference = (ROOT / "docs" / "commands.md").read_text("utf-8")
    usage = dict(
        re.findall(r"^## ([a-z-]+)\n(.*?)(?=^## |\Z)", reference, re.MULTILINE | re.DOTALL)
    )
    for line in lines:
        command, *words = line.split()
        for name in command.split("/"):
            assert name in usage, line
        options = [re.split(r"[=\]|]", each)[0] for each in words if each.startswith("--")]
        for option in options:
            assert any(f"`{option}" in usage[name] for name in command.split("/")), line


@pytest.mark.parametrize(("page", "text"), snippets("json"))
def test_a_document_is_json(page: Path, text: str) -> None:
    assert json.loads(text), page


@pytest.mark.parametrize(("page", "text"), snippets("sql"))
def test_a_query_can_be_asked(page: Path, text: str, tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"
    with gzip.open(ROOT / "tests" / "golden" / "journal-1.db.gz") as packed:
        journal.write_bytes(packed.read())
    connection = apsw.Connection(str(journal))
    assert connection.execute(text).fetchall() is not None, page
    connection.close()
