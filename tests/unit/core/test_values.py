"""Words and figures as they are written for people."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import permutations

from surefoot.core.values import moment, natural


def test_names_are_read_by_their_numbers_and_no_two_sort_alike() -> None:
    """dip-3 and dip-03 had one key: which of them came first hung on where the list came from."""
    names = ["dip", "dip-03", "dip-3", "dip-3-a", "dip-13", "dips"]
    for mixed in permutations(names):
        assert sorted(mixed, key=natural) == names


def test_a_time_is_told_to_the_second_in_utc_wherever_it_was_read() -> None:
    """Evidence showed microseconds, and offsets that an operator had to subtract."""
    at = datetime(2026, 1, 31, 1, 2, 3, 987654, tzinfo=timezone(timedelta(hours=2)))
    assert moment(at) == "2026-01-30 23:02:03 UTC"
