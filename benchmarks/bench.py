"""Measure what must not grow with history, and compare it with another revision in one run.

    python benchmarks/bench.py [--base REVISION] [--quick]

Each figure is the best of several rounds of processor time, so that a noisy machine spoils little;
what counts is the ratio. The revision is measured by the same script on its own sources.
`docs/performance.md` has the last table.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
# In turns, so that a machine that slows down for a while slows both.
TURNS: Final = 2
FIGURES: Final = Path(__file__).with_name("figures.py")


def main() -> None:
    """Measure here, and at another revision if one is named; print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", help="a revision to compare with")
    parser.add_argument("--quick", action="store_true", help="only short histories")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        trees = [ROOT]
        if chosen.base:
            check_out(chosen.base, Path(name))
            trees.append(Path(name))
        best: list[dict[str, float]] = [{} for _ in trees]
        for _ in range(TURNS):
            for tree, least in zip(trees, best, strict=True):
                # What grew with the square of history took minutes for the longest.
                for what, figure in measured(tree, quick=chosen.quick or tree != ROOT).items():
                    least[what] = min(figure, least.get(what, figure))
    show(best[0], best[1] if chosen.base else {})


def check_out(revision: str, directory: Path) -> None:
    """Lay a revision's sources and tests out, with today's measurements beside them."""
    archive = subprocess.check_output(["git", "archive", revision, "src", "tests"], cwd=ROOT)
    with tarfile.open(fileobj=io.BytesIO(archive)) as sources:
        sources.extractall(directory, filter="data")
    (directory / "benchmarks").mkdir()
    shutil.copy(FIGURES, directory / "benchmarks")


def measured(tree: Path, *, quick: bool) -> dict[str, float]:
    """Measure one tree in a process of its own."""
    command = [sys.executable, str(tree / "benchmarks/figures.py"), *(["--quick"] if quick else [])]
    paths = os.pathsep.join((str(tree / "src"), str(tree)))
    environment = {**os.environ, "PYTHONPATH": paths}
    found: dict[str, float] = json.loads(subprocess.check_output(command, env=environment))
    return found


def show(now: dict[str, float], before: dict[str, float]) -> None:
    """Print the figures as a table for the documents."""
    print("| what | now | before | ratio |\n|---|---:|---:|---:|")
    for what, figure in now.items():
        was = before.get(what)
        compared = " - | - |" if was is None else f" {was:,.1f} | {figure / was:.2f} |"
        print(f"| {what} | {figure:,.1f} |{compared}")


if __name__ == "__main__":
    main()
