"""`python -m tests.simulation.convict`: put mistakes back, and count the worlds that convict them.

A mistake needs a situation. Each is tried in worlds of the seeds 1, 2, 3, ... in which goes wrong
what makes that situation, again and again for some minutes, and nothing else; the first harm that
the same world does not come to without the mistake convicts it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks.sabotage import SABOTAGES, Sabotage
from tests.simulation.ledger import Ledger

ROOT: Final = Path(__file__).parents[2]
LASTS_S: Final = 900.0
# Mistakes of the whole program, and what makes the situation in which they matter: what goes wrong,
# and how many seconds apart.
WHOLE: Final[dict[str, str]] = {
    "forget the protective stop": "crash=200",
    "send before it is written": "crash=60",
    "ignore the fee that is kept back": "crash=200",
    "book a fill as often as it is told": "stream=20",
    "take an entry while one is out": "crash=200",
    "send again when no answer came": "request=20",
    "take one empty answer for absence": "lag=15,request=20",
    "take a stop for less than is held for the one that is wanted": "crash=200",
    "leave the row of what is replaced as it was": "jump=30,crash=60",
    "believe an ending before its fills are counted": "lag=15,partial=20,stream=20",
    "give every life the same names": "snapshot=40,crash=60",
    "use a name twice": "crash=200",
    "wait for ever in silence": "latency=5,outage=30",
    "cancel whatever is not known": "owner=20",
    "conclude absence of what has moved on": "lag=15,request=20,latency=30",
    "call an order of a lost journal a stranger's": "deleted=60",
    "begin a journal where one was": "deleted=60",
    "look for no trades of a lost journal where coins lie": "deleted=60",
    "forget that a journal had more records": "log-lost=40,crash=40",
    "let a bot enter on a journal that went back in time": "log-lost=40,crash=40",
    "sell what an older journal believes in": "restore=20,crash=60",
    "believe an older journal although the exchange has an order that it lost": "snapshot=40",
    "hold on although the exchange says that the stop is passed": "hush=15",
    "compare nothing that is frozen": "owner=20,crash=40,jump=20",
    "take the machine's clock for the exchange's time": "clock=15",
    "ask on through a ban": "ban=30",
    "forget a ban when a life ends": "ban=30,crash=20",
}
_HARM: Final = "  HARM: "


def main() -> None:
    """Try the mistakes that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.convict")
    parser.add_argument("names", nargs="*", default=[*WHOLE])
    parser.add_argument("--within", type=int, default=20, help="worlds at most")
    given = parser.parse_args()
    for sabotage in SABOTAGES:
        if sabotage.name in given.names:
            worlds, harm = convicted(sabotage, given.within)
            Ledger().convict(sabotage.name, WHOLE[sabotage.name], worlds, harm)
            print(f"{sabotage.name}: {worlds} worlds, {harm or 'NOT CONVICTED'}", flush=True)


def convicted(sabotage: Sabotage, within: int) -> tuple[int, str | None]:
    """Return how many worlds it took, and the harm; None if there was none in any of them."""
    with ExitStack() as stack:
        source = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sabotage-"))) / "src"
        shutil.copytree(ROOT / "src", source)
        file = source / "surefoot" / sabotage.file
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(sabotage.old, sabotage.new), encoding="utf-8")
        told, seed = WHOLE[sabotage.name], 0
        while seed < within:
            seed, harm = _first_harm(source, told, seed + 1, within - seed)
            if harm is None:
                break
            if _first_harm(ROOT / "src", told, seed, 1)[1] is None:
                return seed, harm
            print(f"seed {seed}, told {told}, comes to harm by itself", flush=True)
    return seed, None


def _first_harm(source: Path, told: str, seed: int, seeds: int) -> tuple[int, str | None]:
    """Return the last seed that was tried, and the harm it came to, or None."""
    words = ["--until-harm", "--told", told, "--lasts", str(LASTS_S)]
    words += ["--seed", str(seed), "--seeds", str(seeds)]
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.simulation", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = result.stdout.splitlines()
    worlds = sum(1 for line in lines if line.startswith("seed "))
    told_of = (line.removeprefix(_HARM) for line in lines if _HARM in line)
    harms = [re.split(r" at \d", each)[0] for each in told_of]
    if not harms and result.returncode != 0:
        return seed + worlds, f"the machine itself ended: {result.stderr[-200:]}"
    return seed + worlds - 1, harms[0] if harms else None


if __name__ == "__main__":
    main()
