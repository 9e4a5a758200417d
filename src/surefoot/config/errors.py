"""What a configuration is refused with: all that is wrong with it, at once.

SurefootError
└── ConfigError   nothing was started and nothing was changed
"""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.core.errors import SurefootError


class ConfigError(SurefootError):
    """The configuration cannot be used. `problems` has a sentence for each thing to change.

    No key, secret or password is ever part of it.
    """

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        self.source = source
        self.problems = tuple(problems)
        if len(self.problems) == 1:
            super().__init__(f"{source}: {self.problems[0]}")
        else:
            listed = "".join(f"\n  - {problem}" for problem in self.problems)
            super().__init__(f"{source} has {len(self.problems)} problems:{listed}")
