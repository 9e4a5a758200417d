"""The tree under test: where it is, which files are ours, and a copy that may be broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = ROOT / "src" / "surefoot"
BUILT: Final = frozenset({"__pycache__", "build", "dist", "node_modules"})
SECONDS_MAX: Final = 120.0


def our_files() -> list[Path]:
    """Return every file that git tracks or is about to; without git, all that looks like it."""
    asked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    if asked.returncode == 0:
        named = [ROOT / name for name in asked.stdout.split("\0") if name]
        return sorted(path for path in named if path.is_file())
    return sorted(path for path in ROOT.rglob("*") if path.is_file() and not _made(path))


def python_files() -> list[Path]:
    return [path for path in our_files() if path.suffix == ".py"]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def copy_of_the_tree(to: Path) -> Path:
    """Copy what the tools read, so that a test may break it."""
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore", "hatch_build.py"):
        shutil.copy(ROOT / name, to / name)
    shutil.copytree(SOURCE, to / "src" / "surefoot", ignore=shutil.ignore_patterns(*BUILT))
    return to


def plant(tree: Path, name: str, text: str) -> None:
    """Add text to the end of a file of a copy, which may be new."""
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(before + text, encoding="utf-8")


def run(*command: str, tree: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a tool of this environment on a tree; its own source wins over the installed one."""
    tool, *rest = command
    return subprocess.run(
        [Path(sys.executable).parent / tool, *rest],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree / "src"), "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


def _made(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    hidden = any(part.startswith(".") and part != ".ci" for part in parts[:-1])
    return hidden or not BUILT.isdisjoint(parts)
