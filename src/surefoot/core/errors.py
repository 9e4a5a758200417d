"""What the core refuses, and why.

SurefootError
├── InvalidValue          input that cannot mean anything
├── SignalRefused         a strategy asked for what its position does not allow; harmless
├── IllegalTransition     an edge that the state table does not have
└── InvariantViolated     a numbered promise would be broken; the position must freeze
"""

from __future__ import annotations


class SurefootError(Exception):
    """Anything Surefoot raises on purpose."""


class InvalidValue(SurefootError):
    """A value was refused at the edge; the message says which and what would do."""


class SignalRefused(SurefootError):
    """A signal was not taken; nothing was recorded and nothing was sent."""


class IllegalTransition(SurefootError):
    """The state table has no such edge; the position is unchanged."""


class InvariantViolated(SurefootError):
    """A numbered invariant does not hold; the records that break it must not be committed."""

    def __init__(self, number: str, message: str) -> None:
        super().__init__(f"{number}: {message}")
        self.number = number
