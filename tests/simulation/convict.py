"""`python -m tests.simulation.convict`: put mistakes back, and count the worlds that convict them.

Only worlds that end well without the mistake are asked, in the order of their seeds, and of those
only the ones in which it can matter; quiet ones are left out, which take long and see little.
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
from tests.simulation.plan import Plan, draw

ROOT: Final = Path(__file__).parents[2]
# Mistakes of the whole program, and what a world needs for them to matter at all: a crash (in a
# storm there is nothing else), an owner, a journal that is put back.
WHOLE: Final[dict[str, frozenset[str]]] = {
    "forget the protective stop": frozenset(),
    "send before it is written": frozenset(),
    "ignore the fee that is kept back": frozenset(),
    "book a fill as often as it is told": frozenset(),
    "take an entry while one is out": frozenset(),
    "send again when no answer came": frozenset(),
    "take one empty answer for absence": frozenset({"lag"}),
    "leave a stop as it is when more is held": frozenset({"partial"}),
    "leave the row of what is replaced as it was": frozenset({"jump"}),
    "believe an ending before its fills are counted": frozenset({"lag", "partial"}),
    "give every life the same names": frozenset({"restore"}),
    "use a name twice": frozenset({"expire"}),
    "wait for ever in silence": frozenset({"outage"}),
    "cancel whatever is not known": frozenset({"owner"}),
    "conclude absence of what has moved on": frozenset({"lag", "request"}),
    "call an order of a lost journal a stranger's": frozenset({"restore"}),
}
_HARM: Final = "  HARM: "


def main() -> None:
    """Try the mistakes that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.convict")
    parser.add_argument("names", nargs="*", default=[*WHOLE])
    parser.add_argument("--among", type=int, nargs="*", help="these seeds, known to end well")
    parser.add_argument("--within", type=int, default=20, help="worlds at most")
    given = parser.parse_args()
    for sabotage in SABOTAGES:
        if sabotage.name in given.names:
            ledger = Ledger()
            plans = [draw(seed) for seed in given.among or ledger.sound()]
            busy = [plan.seed for plan in plans if _can_matter(sabotage.name, plan)]
            worlds, harm = convicted(sabotage, busy[: given.within])
            ledger.convict(sabotage.name, worlds, harm)
            print(f"{sabotage.name}: {worlds} worlds, {harm or 'NOT CONVICTED'}", flush=True)


def _can_matter(name: str, plan: Plan) -> bool:
    return plan.sort != "quiet" and WHOLE.get(name, frozenset()) <= plan.kinds.keys()


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
