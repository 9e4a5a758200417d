"""`python -m tests.simulation.convict`: put mistakes back, and count the worlds that convict them.

A mistake needs a situation. Each is tried in worlds of the seeds 1, 2, 3, ... in which goes wrong
what makes that situation, again and again for some minutes, and nothing else; the first harm that
the same world does not come to without the mistake convicts it. What is too seldom for that has a
world of its own; `docket` says which is tried where.

With `--drawn` each is tried in worlds as `make simulate SEED=1` draws them, of which none knows of
it: so a mistake would be found that is in no list.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.sabotage import SABOTAGES, Sabotage
from tests.simulation.docket import AS_DRAWN, DRAWN, STAGED, TOLD
from tests.simulation.ledger import Ledger

ROOT: Final = Path(__file__).parents[2]
LASTS_S: Final = 900.0
_HARM: Final = "  HARM: "


def main() -> None:
    """Try the mistakes that are named, or all that can be tried in a world."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.convict")
    parser.add_argument("names", nargs="*", default=[*TOLD, *STAGED, *DRAWN])
    parser.add_argument("--within", type=int, default=20, help="worlds at most")
    parser.add_argument("--drawn", action="store_true", help="in worlds as they are drawn")
    parser.add_argument("--seconds", type=float, default=60, help="try none after, if drawn")
    given = parser.parse_args()
    for sabotage in SABOTAGES:
        if sabotage.name not in given.names:
            continue
        if given.drawn or sabotage.name in DRAWN:
            told, (worlds, harm) = AS_DRAWN, drawn(sabotage, given.within, given.seconds)
        else:
            told, worlds, harm = convicted(sabotage, given.within)
        Ledger().convict(sabotage.name, told, worlds, harm)
        print(f"{sabotage.name}: {worlds} worlds, {harm or 'NOT CONVICTED'}", flush=True)


def convicted(sabotage: Sabotage, within: int) -> tuple[str, int, str | None]:
    """Return where it was tried, in how many worlds, and the harm; None if there was none."""
    with _made(sabotage) as source:
        if sabotage.name in STAGED:
            tests = STAGED[sabotage.name]
            return tests, 1, _red(source, tests)
        told = TOLD[sabotage.name]
        return (told, *_tried(source, told, within))


def drawn(sabotage: Sabotage, within: int, seconds: float) -> tuple[int, str | None]:
    """Return up to which seed worlds were drawn, and the harm that one of them came to, if any."""
    words = ["--sorts", "mixed", "storm", "--seconds", str(seconds)]
    with _made(sabotage) as source:
        seed, harm = _first_harm(source, words, 1, within)
    if harm is not None and _first_harm(ROOT / "src", words, seed, 1)[1] is not None:
        return seed, None
    return seed, harm


@contextmanager
def _made(sabotage: Sabotage) -> Iterator[Path]:
    """Make a mistake in a copy of the program."""
    with tempfile.TemporaryDirectory(prefix="sabotage-") as directory:
        source = Path(directory) / "src"
        shutil.copytree(ROOT / "src", source)
        file = source / "surefoot" / sabotage.file
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(sabotage.old, sabotage.new), encoding="utf-8")
        yield source


def _tried(source: Path, told: str, within: int) -> tuple[int, str | None]:
    seed, words = 0, ["--told", told, "--lasts", str(LASTS_S)]
    while seed < within:
        seed, harm = _first_harm(source, words, seed + 1, within - seed)
        if harm is None:
            break
        if _first_harm(ROOT / "src", words, seed, 1)[1] is None:
            return seed, harm
        print(f"seed {seed}, told {told}, comes to harm by itself", flush=True)
    return seed, None


def _red(source: Path, tests: str) -> str | None:
    """Return which world made for a mistake ends otherwise with it, or None."""
    result = _run(source, "pytest", "-q", "-x", "--no-header", "-n", "0", *tests.split())
    failed = [line for line in result.stdout.splitlines() if line.startswith("FAILED")]
    return failed[0].split()[1].rpartition("::")[2] if failed else None


def _run(source: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )


def _first_harm(source: Path, world: list[str], seed: int, seeds: int) -> tuple[int, str | None]:
    """Return the last seed that was tried, and the harm it came to, or None."""
    words = ["--until-harm", *world, "--seed", str(seed), "--seeds", str(seeds)]
    result = _run(source, "tests.simulation", *words)
    lines = result.stdout.splitlines()
    tried = [int(line.split()[1].rstrip(":")) for line in lines if line.startswith("seed ")]
    last = tried[-1] if tried else seed
    told_of = (line.removeprefix(_HARM) for line in lines if _HARM in line)
    harms = [re.split(r" at \d", each)[0] for each in told_of]
    if not harms and result.returncode != 0:
        return last, f"the machine itself ended: {result.stderr[-200:]}"
    return last, harms[0] if harms else None


if __name__ == "__main__":
    main()
