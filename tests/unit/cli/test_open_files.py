"""How many files may be open: taken as far as the system allows, and said when it is too few."""

from __future__ import annotations

import resource
from types import SimpleNamespace
from typing import Any

import pytest

from surefoot.cli import open_files

SETTINGS: Any = SimpleNamespace(accounts={"a": 1, "b": 2}, bots=range(1_000))


def test_the_whole_of_what_is_allowed_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_024, 4_096))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: taken.append(limits))
    open_files.raise_limit()
    assert taken == [(4_096, 4_096)]


@pytest.mark.parametrize(
    ("hard", "enough"), [(199, False), (200, True), (resource.RLIM_INFINITY, True)]
)
def test_too_few_are_said_by_account(
    monkeypatch: pytest.MonkeyPatch, hard: int, enough: bool
) -> None:
    """A thousand bots more need none more."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, hard))
    assert (open_files.too_few(SETTINGS) is None) == enough


def test_a_system_that_refuses_leaves_it_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_what: int, _limits: tuple[int, int]) -> None:
        raise ValueError

    monkeypatch.setattr(resource, "setrlimit", refuse)
    open_files.raise_limit()
