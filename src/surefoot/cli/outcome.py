"""Exit codes, and which error leads to which."""

from __future__ import annotations

from typing import Final

from surefoot.config import ConfigError
from surefoot.core.errors import InvalidValue, SurefootError
from surefoot.engine.binding import WrongAccount
from surefoot.journal.errors import JournalUnusable

FINE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
REVIEW: Final = 3

_USAGE: Final = (ConfigError, JournalUnusable, InvalidValue, WrongAccount)


class Failed(SurefootError):
    """A command could not do what it was asked; the message says why."""


def code_of(error: SurefootError) -> int:
    """Return the exit code of an error: what the user can change is 2, the rest is 1."""
    return USAGE if isinstance(error, _USAGE) else FAILED


def leaf(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error of ours in a group, or the first of any kind."""
    leaves = list(_leaves(group))
    return next((each for each in leaves if isinstance(each, SurefootError)), leaves[0])


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [each for inner in error.exceptions for each in _leaves(inner)]
    return [error]
