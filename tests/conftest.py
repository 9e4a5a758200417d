"""What holds for every test: nothing of the caller's environment, no race with the clock."""

from __future__ import annotations

import os
import sys

from hypothesis import settings

for _name in [name for name in os.environ if name.startswith("SUREFOOT_")]:
    del os.environ[_name]  # a configuration override or a crash point set in the caller's shell

# Where the shell says so, each of a thousand processes compiled the whole program anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

settings.register_profile("surefoot", parent=settings(), deadline=None)
settings.load_profile("surefoot")
