"""Time and chance come in as arguments; the linter refuses every other way, and can.

The ban is ruff's TID251 with the table in pyproject.toml. Each entry is planted once in a copy.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

from tests.architecture.tree import ROOT, SOURCE, name_of, plant, run

PLANTS: Final = {
    "datetime.datetime.now": "from datetime import datetime\n\nNOW = datetime.now()",
    "datetime.datetime.utcnow": "from datetime import datetime\n\nNOW = datetime.utcnow()",
    "datetime.date.today": "from datetime import date\n\nNOW = date.today()",
    "time.time": "import time\n\nNOW = time.time()",
    "time.time_ns": "from time import time_ns\n\nNOW = time_ns()",
    "time.monotonic": "from time import monotonic as now\n\nNOW = now()",
    "time.monotonic_ns": "import time\n\nNOW = time.monotonic_ns()",
    "time.perf_counter": "import time\n\nNOW = time.perf_counter()",
    "time.sleep": "import time\n\ntime.sleep(1)",
    "asyncio.sleep": "import asyncio\n\nWAIT = asyncio.sleep(1)",
    "asyncio.create_task": "import asyncio\n\nTASK = asyncio.create_task",
    "asyncio.ensure_future": "import asyncio\n\nTASK = asyncio.ensure_future",
    "asyncio.wait_for": "import asyncio\n\nWAIT = asyncio.wait_for",
    "random": "from random import random\n\nDRAW = random()",
    "os.urandom": "import os\n\nDRAW = os.urandom(16)",
    "uuid.uuid1": "import uuid\n\nDRAW = uuid.uuid1()",
    "uuid.uuid4": "from uuid import uuid4\n\nDRAW = uuid4()",
}
CLOCKS: Final = {"src/surefoot/engine/clock.py", "src/surefoot/simulator/clock.py"}


def refused(tree: Path) -> set[str]:
    """Return the files in which the linter refuses an ambient name."""
    result = run("ruff", "check", "--no-cache", "--output-format=concise", "src", tree=tree)
    assert result.returncode in {0, 1}, result.stderr
    lines = [line for line in result.stdout.splitlines() if " TID251 " in line]
    return {line.partition(":")[0] for line in lines}


def lint_settings() -> dict[str, dict[str, list[str]]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return dict(settings["tool"]["ruff"]["lint"])


def test_each_ban_refuses_what_it_names(tmp_path: Path) -> None:
    """A ban without a plant is refused here too: nobody would have seen it work."""
    assert set(PLANTS) == set(lint_settings()["flake8-tidy-imports"]["banned-api"])
    plant(tmp_path, "pyproject.toml", (ROOT / "pyproject.toml").read_text("utf-8"))
    files = {
        f"src/surefoot/core/{name.replace('.', '_')}.py": text for name, text in PLANTS.items()
    }
    for name, text in files.items():
        plant(tmp_path, name, f"{text}\n")
    assert refused(tmp_path) == set(files)


def test_only_the_two_clocks_and_what_replaces_them_are_excused(tmp_path: Path) -> None:
    """A file called clock.py in another room is as bound as the rest.

    Virtual time has to name the functions that it puts its own in the place of.
    """
    plant(tmp_path, "pyproject.toml", (ROOT / "pyproject.toml").read_text("utf-8"))
    for name in (*CLOCKS, "src/surefoot/exchange/clock.py"):
        plant(tmp_path, name, PLANTS["time.time"] + "\n")
    assert refused(tmp_path) == {"src/surefoot/exchange/clock.py"}
    excused = lint_settings()["per-file-ignores"]
    ours = {
        name for name, rules in excused.items() if name.startswith("src/") and "TID251" in rules
    }
    assert ours == CLOCKS | {"src/surefoot/virtual/ambient.py"}


def test_no_line_of_the_source_excuses_itself() -> None:
    """Save one: a generator that is seeded by its caller is no ambient chance."""
    excuse = re.compile(r"# (?:noqa\b(?!: )|(?:noqa|ruff: noqa): .*TID251)")
    found = [
        f"{name_of(path)}:{number}: {line.strip()}"
        for path in sorted(SOURCE.rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if excuse.search(line) and not line.startswith("from random import Random ")
    ]
    assert found == []
