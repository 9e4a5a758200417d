"""The wheel carries all of the source, the simulator's tapes included, and starts the program."""

from __future__ import annotations

import tarfile
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


def test_the_sdist_carries_the_built_dashboard_and_its_sources_but_no_packages(
    tmp_path: Path,
) -> None:
    """Whoever builds from it needs no node, and does not carry somebody's node_modules."""
    tree = copy_of_the_tree(tmp_path)
    plant(tree, "ui/src/App.svelte", "a source")
    plant(tree, "ui/node_modules/a/index.js", "a package")
    plant(tree, "src/surefoot/web/ui/index.html", "")
    built = run("hatchling", "build", "-t", "sdist", "-d", "out", tree=tree)
    assert built.returncode == 0, built.stderr
    (sdist,) = (tree / "out").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        carried = {name.partition("/")[2] for name in archive.getnames()}
    assert {"ui/src/App.svelte", "src/surefoot/web/ui/index.html", "hatch_build.py"} <= carried
    assert not [name for name in carried if "node_modules" in name]
