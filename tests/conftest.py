"""What holds for every test: nothing of the caller's environment, no race with the clock."""

from __future__ import annotations

import os

from hypothesis import settings

for _name in [name for name in os.environ if name.startswith("SUREFOOT_")]:
    del os.environ[_name]  # a configuration override or a crash point set in the caller's shell

settings.register_profile("surefoot", parent=settings(), deadline=None)
settings.load_profile("surefoot")
