"""Builds the dashboard into the package: whoever installs a wheel or an sdist needs no node.

An editable install builds nothing (`make ui` does); an sdist carries what was built; a tree
without `ui/` has nothing to build.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class DashboardHook(BuildHookInterface):  # type: ignore[misc,type-arg]
    """Runs npm, with the packages that the lock file pins by their hashes."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build the dashboard unless it is built already."""
        sources = Path(self.root) / "ui"
        built = Path(self.root) / "src" / "surefoot" / "web" / "ui" / "index.html"
        if version == "editable" or built.is_file() or not sources.is_dir():
            return
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError("building the dashboard needs npm; `make dist` brings one along")
        for arguments in (["ci"], ["run", "build"]):
            subprocess.run([npm, *arguments], cwd=sources, check=True)  # noqa: S603 (found above)
