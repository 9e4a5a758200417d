"""Words and figures as they are written for people."""

from __future__ import annotations

from itertools import permutations

from surefoot.core.values import natural


def test_names_are_read_by_their_numbers_and_no_two_sort_alike() -> None:
    """dip-3 and dip-03 had one key: which of them came first hung on where the list came from."""
    names = ["dip", "dip-03", "dip-3", "dip-3-a", "dip-13", "dips"]
    for mixed in permutations(names):
        assert sorted(mixed, key=natural) == names
