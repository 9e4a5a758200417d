"""`python -m tests.simulation.convict`: put mistakes back, and count the worlds that convict them.

Only worlds that end well without the mistake are asked, in the order of their seeds; quiet ones
are left out, which take long and see little.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.sabotage import SABOTAGES, Sabotage
from tests.simulation.ledger import Ledger
from tests.simulation.plan import draw

ROOT: Final = Path(__file__).parents[2]
# Mistakes of the whole program, which a world of bots can meet.
WHOLE: Final = (
    "forget the protective stop",
    "send before it is written",
    "ignore the fee that is kept back",
    "book a fill as often as it is told",
    "take an entry while one is out",
    "send again when no answer came",
    "take one empty answer for absence",
    "leave a stop as it is when more is held",
    "leave the row of what is replaced as it was",
    "believe an ending before its fills are counted",
    "give every life the same names",
    "use a name twice",
    "wait for ever in silence",
    "cancel whatever is not known",
    "conclude absence of what has moved on",
    "call an order of a lost journal a stranger's",
)
_HARM: Final = "  HARM: "


def main() -> None:
    """Try the mistakes that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.convict")
    parser.add_argument("names", nargs="*", default=WHOLE)
    parser.add_argument("--within", type=int, default=20, help="worlds at most")
    given = parser.parse_args()
    for sabotage in SABOTAGES:
        if sabotage.name in given.names:
            ledger = Ledger()
            busy = [seed for seed in ledger.sound() if draw(seed).sort != "quiet"]
            worlds, harm = convicted(sabotage, busy[: given.within])
            ledger.convict(sabotage.name, worlds, harm)
            print(f"{sabotage.name}: {worlds} worlds, {harm or 'NOT CONVICTED'}", flush=True)


def convicted(sabotage: Sabotage, seeds: list[int]) -> tuple[int, str | None]:
    """Return how many worlds it took, and the harm; None if there was none in any of them."""
    with tempfile.TemporaryDirectory(prefix="sabotage-") as directory:
        source = Path(directory) / "src"
        shutil.copytree(ROOT / "src", source)
        file = source / "surefoot" / sabotage.file
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(sabotage.old, sabotage.new), encoding="utf-8")
        among = [str(seed) for seed in seeds]
        result = subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--until-harm", "--among", *among],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(source)},
            capture_output=True,
            text=True,
            check=False,
        )
    lines = result.stdout.splitlines()
    worlds = sum(1 for line in lines if line.startswith("seed "))
    harms = [line.removeprefix(_HARM).partition(" at ")[0] for line in lines if _HARM in line]
    if not harms and result.returncode != 0:
        return worlds + 1, f"the machine itself ended: {result.stderr[-200:]}"
    return worlds, harms[0] if harms else None


if __name__ == "__main__":
    sys.exit(main())
