"""What goes wrong with a strategy, sorted by when.

SurefootError
├── StrategyNotLoaded     there is no such strategy, or it cannot be made: nothing has started
│   └── InvalidParameters `params` does not fit the class; every problem is listed
└── StrategyFailed        a hook raised, returned nonsense or blocked: nothing of it was taken
"""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.core.errors import SurefootError


class StrategyNotLoaded(SurefootError):
    """A configured strategy cannot be used; the message says why and where."""


class InvalidParameters(StrategyNotLoaded):
    """The parameters do not fit; `problems` has one sentence for each, without a full stop."""

    def __init__(self, strategy: str, problems: Sequence[str]) -> None:
        super().__init__(f"{strategy}: {'; '.join(problems)}")
        self.problems = tuple(problems)


class StrategyFailed(SurefootError):
    """One call failed. Its memory changes are discarded and no signal was taken.

    `reason` is one line; `details` is the traceback, or empty if there is none. `blocked` tells
    that the call never came back, so that this caller refuses every later one.
    """

    def __init__(
        self, strategy: str, hook: str, reason: str, *, details: str = "", blocked: bool = False
    ) -> None:
        super().__init__(f"{strategy}.{hook}: {reason}")
        self.strategy = strategy
        self.hook = hook
        self.reason = reason
        self.details = details
        self.blocked = blocked
