"""A venue is its folder and one row: what else knows its name, and what judges a second one."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Final

import pytest
from tests.architecture.tree import SOURCE, copy_of_the_tree, plant, run

from surefoot.exchange.port import Exchange

EXCHANGE: Final = "surefoot.exchange"
TABLE: Final = "exchange/venues.py"
FOLDERS: Final = sorted(path.parent.name for path in (SOURCE / "exchange").glob("*/__init__.py"))

FACTS: Final = """
from dataclasses import dataclass

from msgspec.structs import replace

from surefoot.exchange.budget import Window
from surefoot.exchange.port import Exchange, Login, Venue

SECOND = Venue(
    name="second", client_id_prefix="sf", client_id_pattern=r"[a-z0-9]{1,36}",
    request_lifetime=timedelta(seconds=5), request_lifetime_max=timedelta(seconds=60),
    visibility=timedelta(seconds=60), native_stop=False, orders=(),
    weight=Window(name="1M", length=timedelta(minutes=1), limit=60),
    timeframes=frozenset({"1m"}), hosts=("second.example",), urls_together=(),
)
"""
ROW: Final = """
from surefoot.exchange.second import SECOND, open_account
VENUES[SECOND.name] = Row(facts=SECOND, open=open_account)
"""
LACKS: Final = ("send", "replace", "oldest", "account", "note_ban")


def methods(port: type) -> dict[str, str]:
    """Return the methods of the port and of what it is made of, as they are declared."""
    found: dict[str, str] = {}
    for part in reversed(port.__mro__):
        if part.__module__ != port.__module__:
            continue
        for name, method in vars(part).items():
            if not name.startswith("_") and inspect.isfunction(method):
                found[name] = inspect.getsource(method)
    return found


def second_venue(without: str | None = None) -> str:
    """Write a venue whose adapter declares what the port does, and raises at every call."""
    port = ast.parse((SOURCE / "exchange" / "port.py").read_text("utf-8"))
    imports = [ast.unparse(n) for n in port.body if isinstance(n, ast.ImportFrom | ast.Import)]
    future = [line for line in imports if "__future__" in line]
    lines = [*future, *(line for line in imports if line not in future), FACTS]
    lines += ["from surefoot.exchange.port import *", "", "class Second:", "    venue = SECOND"]
    for name, source in methods(Exchange).items():
        if name != without:
            declared = source.replace("        ...\n", "        raise NotImplementedError\n")
            lines += ["", declared.rstrip()]
    lines += ["", "", "def open_account(login: Login) -> Exchange:", "    return Second()", ""]
    return "\n".join(lines)


def imported(path: Path) -> set[str]:
    """Return every module that a file may be importing, also in its functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def reaching_in(source: Path, folder: str) -> set[str]:
    """Return the files outside a venue's folder that import something of it."""
    inside, name = source / "exchange" / folder, f"{EXCHANGE}.{folder}"
    return {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if inside not in path.parents
        and any(each == name or each.startswith(f"{name}.") for each in imported(path))
    }


@pytest.mark.parametrize("folder", FOLDERS)
def test_only_the_table_knows_a_venues_folder(folder: str) -> None:
    """Also no venue the folder of another."""
    assert reaching_in(SOURCE, folder) == {TABLE}


def test_a_second_venue_is_a_folder_and_a_row(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path)
    plant(tree, "src/surefoot/exchange/second/__init__.py", second_venue())
    plant(tree, f"src/surefoot/{TABLE}", ROW)
    types = run("mypy", "-p", EXCHANGE, tree=tree)
    assert types.returncode == 0, types.stdout
    imports = run("lint-imports", "--no-cache", tree=tree)
    assert imports.returncode == 0, imports.stdout
    assert reaching_in(tree / "src" / "surefoot", "second") == {TABLE}
    opened = run(
        "python",
        "-c",
        "from surefoot.exchange import open_exchange as o\n"
        "print(type(o('second', keys=lambda: ('', ''), settings={}, allow_custom_host=False,"
        " time=None)).__name__)",
        tree=tree,
    )
    assert opened.stdout == "Second\n", opened.stderr


def test_a_venue_that_lacks_a_method_is_refused(tmp_path: Path) -> None:
    """One copy holds a venue for each lack: what the type checker reads is read once."""
    tree = copy_of_the_tree(tmp_path)
    for lack in LACKS:
        plant(tree, f"src/surefoot/exchange/without_{lack}/__init__.py", second_venue(lack))
        plant(tree, f"src/surefoot/{TABLE}", ROW.replace("second", f"without_{lack}"))
    types = run("mypy", "-p", EXCHANGE, tree=tree)
    assert types.returncode == 1
    told = [line.split() for line in types.stdout.splitlines() if "note:     " in line]
    missing = {Path(words[0]).parent.name: words[-1] for words in told}
    assert missing == {f"without_{lack}": lack for lack in LACKS}, types.stdout
    assert len(told) == len(LACKS), types.stdout


@pytest.mark.parametrize("other", ["engine/account.py", "exchange/hosts.py"])
def test_who_reaches_into_a_venue_is_seen(tmp_path: Path, other: str) -> None:
    tree = copy_of_the_tree(tmp_path)
    plant(tree, f"src/surefoot/{other}", "\nfrom surefoot.exchange import binance\n")
    assert reaching_in(tree / "src" / "surefoot", "binance") == {TABLE, other}
