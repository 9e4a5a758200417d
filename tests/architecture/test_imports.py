"""Imports go downwards only, and each contract that says so can fail.

The contracts are in pyproject.toml. Every one is broken here on purpose in a copy of the tree: a
contract that never refuses anything looks just like one that is kept.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

import pytest
from tests.architecture.tree import ROOT, copy_of_the_tree, plant, run

ROOMS: Final = "Rooms import downwards only"
ORDER: Final = "Core reads in one order"
PURE: Final = "Core touches nothing outside itself"
SIMULATOR: Final = "Only the command line, the demo and replay start a simulator or virtual time"
VENUES: Final = "Only the table of venues reaches into a venue's folder"
READERS: Final = "Dashboard and messengers reach neither an exchange nor a strategy"
CCXT: Final = "Only a venue's folder imports ccxt"
DOOR: Final = "The journal is reached through its door and its port"
ACYCLIC: Final = "No cycles between siblings"

# What is added to which file, and the contract that refuses it. A file may be a new one.
BREACHES: Final = [
    (ROOMS, {"utils/__init__.py": ""}),
    (ROOMS, {"core/values.py": "import surefoot.journal"}),
    (ROOMS, {"journal/__init__.py": "import surefoot.engine"}),
    (ROOMS, {"exchange/__init__.py": "import surefoot.journal"}),
    (ROOMS, {"strategy/__init__.py": "import surefoot.exchange"}),
    (ROOMS, {"engine/__init__.py": "import surefoot.cli", "cli/__init__.py": ""}),
    (ROOMS, {"simulator/__init__.py": "import surefoot.core"}),
    (ROOMS, {"crashpoint.py": "import surefoot.core"}),
    (ORDER, {"core/errors.py": "import surefoot.core.values"}),
    (ORDER, {"core/state.py": "import surefoot.core.decide"}),
    (ORDER, {"core/extra.py": ""}),
    (PURE, {"core/values.py": "import time"}),
    (PURE, {"core/decide.py": "import asyncio"}),
    (PURE, {"core/records.py": "from pathlib import Path"}),
    (PURE, {"core/reconcile.py": "import ccxt"}),
    (SIMULATOR, {"engine/__init__.py": "import surefoot.simulator", "simulator/__init__.py": ""}),
    (SIMULATOR, {"app/serving.py": "import surefoot.virtual"}),
    (ROOMS, {"virtual/__init__.py": "import surefoot.simulator"}),
    (VENUES, {"engine/account.py": "import surefoot.exchange.binance.facts"}),
    (VENUES, {"exchange/hosts.py": "import surefoot.exchange.binance.payloads"}),
    (CCXT, {"exchange/port.py": "import ccxt"}),
    (CCXT, {"app/serving.py": "import ccxt"}),
    (ROOMS, {"web/board.py": "import surefoot.engine.clock"}),
    (ROOMS, {"web/keys.py": "import surefoot.config"}),
    (READERS, {"web/board.py": "import surefoot.exchange"}),
    (READERS, {"web/routes.py": "import surefoot.strategy"}),
    (DOOR, {"cli/__init__.py": "import surefoot.journal.sqlite"}),
    (DOOR, {"app/serving.py": "import surefoot.journal.lease"}),
    (DOOR, {"web/wishes.py": "import surefoot.journal.inbox"}),
    (DOOR, {"demo/stage.py": "import surefoot.journal.rows"}),
    (DOOR, {"engine/__init__.py": "import apsw"}),
    (
        ACYCLIC,
        {
            "journal/one.py": "import surefoot.journal.two",
            "journal/two.py": "import surefoot.journal.one",
        },
    ),
]


def broken(tree: Path) -> list[str]:
    """Return the names of the contracts that the tree breaks."""
    result = run("lint-imports", "--no-cache", tree=tree)
    lines = [line.strip() for line in result.stdout.splitlines()]
    verdicts = [line for line in lines if line.endswith((" KEPT", " BROKEN"))]
    assert len(verdicts) == len(contracts()), result.stdout + result.stderr
    found = [line.removesuffix(" BROKEN") for line in verdicts if line.endswith(" BROKEN")]
    assert (result.returncode == 0) == (not found), result.stdout
    return found


def contracts() -> list[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return [contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]]


def test_every_contract_is_kept(tmp_path: Path) -> None:
    """Also shows that an untouched copy is green, so that the red ones below mean something."""
    assert broken(copy_of_the_tree(tmp_path)) == []


@pytest.mark.parametrize(
    ("contract", "planted"), BREACHES, ids=[", ".join(planted) for _, planted in BREACHES]
)
def test_a_breach_is_refused(tmp_path: Path, contract: str, planted: dict[str, str]) -> None:
    tree = copy_of_the_tree(tmp_path)
    for name, line in planted.items():
        plant(tree, f"src/surefoot/{name}", f"\n{line}\n")
    assert contract in broken(tree)


def test_the_simulator_may_be_started_by_the_command_line(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path)
    plant(tree, "src/surefoot/simulator/__init__.py", "")
    plant(tree, "src/surefoot/cli/__init__.py", "\nimport surefoot.simulator\n")
    assert broken(tree) == []


def test_every_contract_is_broken_once() -> None:
    """A contract added without a breach of its own is a contract nobody has seen fail."""
    assert {contract for contract, _ in BREACHES} == set(contracts())
