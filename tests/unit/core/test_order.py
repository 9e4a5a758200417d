"""The pair of belief and report: every one of the 35 pairs has its lesson."""

from __future__ import annotations

import itertools

import pytest

from surefoot.core.order import Lesson, OrderStatus, ReportedStatus, compare

O, R = OrderStatus, ReportedStatus  # noqa: E741
EXPECTED = {
    (O.INTENDED, R.OPEN): Lesson.ADOPT,
    (O.WORKING, R.OPEN): Lesson.REFRESH,
    **{(b, r): Lesson.CONCLUDE for b in (O.INTENDED, O.WORKING) for r in R if r is not R.OPEN},
    **{(b, R.OPEN): Lesson.STALE for b in (O.FILLED, O.CANCELED, O.EXPIRED)},
    **{(b, r): Lesson.LATE for b in (O.NEVER, O.REJECTED) for r in R if r is not R.REJECTED},
    (O.NEVER, R.REJECTED): Lesson.STALE,
    (O.REJECTED, R.REJECTED): Lesson.STALE,
    (O.FILLED, R.FILLED): Lesson.STALE,
    (O.CANCELED, R.CANCELED): Lesson.STALE,
    (O.CANCELED, R.EXPIRED): Lesson.STALE,
    (O.EXPIRED, R.CANCELED): Lesson.STALE,
    (O.EXPIRED, R.EXPIRED): Lesson.STALE,
}


@pytest.mark.parametrize(("believed", "reported"), list(itertools.product(O, R)))
def test_every_pair_has_its_lesson(believed: OrderStatus, reported: ReportedStatus) -> None:
    assert compare(believed, reported) is EXPECTED.get((believed, reported), Lesson.CONFLICT)


def test_unknown_is_not_failure() -> None:
    """Nothing that the exchange can report turns an unanswered intent into a failed one."""
    assert all(compare(O.INTENDED, r) in {Lesson.ADOPT, Lesson.CONCLUDE} for r in R)
