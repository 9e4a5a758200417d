"""The wheel carries all of the source, the simulator's tapes included, and starts the program."""

from __future__ import annotations

import zipfile
from pathlib import Path

from tests.architecture.tree import BUILT, SOURCE, copy_of_the_tree, plant, run


def test_everything_in_the_source_is_in_the_wheel(tmp_path: Path) -> None:
    """The planted tape is there even when a line of .gitignore hides it from the builder."""
    tree = copy_of_the_tree(tmp_path)
    plant(tree, "src/surefoot/simulator/tapes/planted.jsonl.gz", "not really")
    plant(tree, ".gitignore", "\n*.gz\n")
    built = run("hatchling", "build", "-t", "wheel", "-d", "out", tree=tree)
    assert built.returncode == 0, built.stderr
    (wheel,) = (tree / "out").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        carried = set(archive.namelist())
        (entry_points,) = [name for name in carried if name.endswith("entry_points.txt")]
        assert b"surefoot = surefoot.__main__:main" in archive.read(entry_points)
    source = {
        path.relative_to(SOURCE.parent).as_posix()
        for path in SOURCE.rglob("*")
        if path.is_file() and BUILT.isdisjoint(path.parts)
    }
    assert source - carried == set()
    assert "surefoot/simulator/tapes/planted.jsonl.gz" in carried
    assert "surefoot/py.typed" in carried
