"""What may still be spent: the venue's windows, its word, and who may use how much of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from surefoot.exchange.budget import EDGE, ORDER_SHARES, WEIGHT_SHARES, Ledger, Urgency, Window

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
TEN = Window(name="10S", length=timedelta(seconds=10), limit=10)
DAY = Window(name="1D", length=timedelta(days=1), limit=100)
NOTHING: dict[str, int] = {}


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def orders() -> Ledger:
    return Ledger([TEN, DAY], ORDER_SHARES)


def sent(ledger: Ledger, number: int, seconds: float, urgency: Urgency = Urgency.PROTECTION) -> int:
    """Send as many of a number as may be, all answered without a word about the count."""
    done = 0
    for _ in range(number):
        if ledger.later(urgency, 1, at(seconds)) is None:
            ticket = ledger.spend(1, at(seconds))
            ledger.settle(ticket, cost=1, told=NOTHING, now=at(seconds))
            done += 1
    return done


def left(ledger: Ledger, now: datetime) -> int:
    """Return how much protection may still spend."""
    amounts = range(ledger.most(Urgency.PROTECTION) + 1)
    may = [n for n in amounts if ledger.later(Urgency.PROTECTION, n, now) is None]
    return max(may, default=0)


def test_a_window_begins_on_the_venues_clock_and_not_with_the_first_order() -> None:
    """Catches a sliding window, which would wait for what the venue has forgotten already."""
    ledger = orders()
    assert sent(ledger, 12, 9) == 10
    assert ledger.later(Urgency.PROTECTION, 1, at(9)) == at(10) + EDGE
    assert sent(ledger, 12, 10.2) == 10


def test_at_the_edge_two_clocks_are_not_the_same() -> None:
    """An order that is sent as the window ends by our clock may land in the full one."""
    ledger = orders()
    sent(ledger, 10, 9)
    assert ledger.later(Urgency.PROTECTION, 1, at(10)) == at(10) + EDGE
    assert ledger.later(Urgency.PROTECTION, 1, at(10) + EDGE) is None


def test_entries_leave_half_of_the_orders_to_protection() -> None:
    ledger = orders()
    assert sent(ledger, 20, 1, Urgency.ENTRY) == 5
    assert sent(ledger, 20, 1) == 5
    assert ledger.later(Urgency.ENTRY, 1, at(1)) == at(10) + EDGE


@pytest.mark.parametrize("urgency", [Urgency.COMPARING, Urgency.ENTRY])
def test_periodic_questions_never_touch_the_reserve(urgency: Urgency) -> None:
    minute = Window(name="1M", length=timedelta(minutes=1), limit=100)
    ledger = Ledger([minute], WEIGHT_SHARES)
    ledger.spend(75, at(1))
    assert ledger.later(urgency, 1, at(1)) == at(60) + EDGE
    assert ledger.later(Urgency.PROOF, 15, at(1)) is None
    assert ledger.later(Urgency.PROOF, 16, at(1)) is not None
    assert ledger.later(Urgency.PROTECTION, 25, at(1)) is None


def test_what_is_on_its_way_counts() -> None:
    """Catches a budget that learns only from answers: two hundred leave before the first."""
    ledger = orders()
    tickets = [ledger.spend(1, at(1)) for _ in range(10)]
    assert ledger.later(Urgency.PROTECTION, 1, at(1)) is not None
    ledger.settle(tickets[0], cost=0, told=NOTHING, now=at(1))
    assert ledger.later(Urgency.PROTECTION, 1, at(1)) is None


def test_what_was_kept_and_cannot_be_sent_any_more_counts_no_longer() -> None:
    ledger = orders()
    for _ in range(10):
        ledger.spend(1, at(11), until=at(16))
    assert ledger.later(Urgency.PROTECTION, 1, at(16)) is not None
    assert ledger.later(Urgency.PROTECTION, 1, at(16.1)) is None


def test_the_venues_word_replaces_ours_also_downwards() -> None:
    """A first fill gives back, and only the venue knows how much."""
    ledger = orders()
    sent(ledger, 9, 1)
    ticket = ledger.spend(1, at(2))
    ledger.settle(ticket, cost=1, told={"10S": 3, "1D": 40}, now=at(3))
    assert left(ledger, at(3)) == 7
    sent(ledger, 7, 3)
    assert ledger.later(Urgency.PROTECTION, 1, at(3)) == at(10) + EDGE


def test_an_older_answer_does_not_take_back_what_a_newer_one_told() -> None:
    ledger = orders()
    first, second = ledger.spend(1, at(1)), ledger.spend(1, at(2))
    ledger.settle(second, cost=1, told={"10S": 9}, now=at(3))
    ledger.settle(first, cost=1, told={"10S": 2}, now=at(4))
    assert left(ledger, at(4)) == 1


def test_of_two_on_their_way_together_the_higher_figure_counts() -> None:
    """The venue may have taken them in the other order; one stop more and it is too many."""
    ledger = orders()
    stop, entry = ledger.spend(1, at(1)), ledger.spend(1, at(2))
    ledger.settle(stop, cost=1, told={"10S": 5}, now=at(3))
    ledger.settle(entry, cost=1, told={"10S": 4}, now=at(3))
    assert left(ledger, at(3)) == 5
    later = ledger.spend(1, at(4))
    ledger.settle(later, cost=1, told={"10S": 4}, now=at(4))
    assert left(ledger, at(4)) == 6


def test_a_word_about_the_window_before_is_not_taken_for_this_one() -> None:
    """Catches a stop that waits ten seconds more because a late answer said "100 used"."""
    ledger = orders()
    ticket = ledger.spend(1, at(9.9))
    ledger.settle(ticket, cost=1, told={"10S": 10}, now=at(10.5))
    assert left(ledger, at(10.5)) == 9


def test_the_longer_window_counts_too() -> None:
    ledger = orders()
    ticket = ledger.spend(1, at(1))
    ledger.settle(ticket, cost=1, told={"10S": 1, "1D": 100}, now=at(1))
    midnight = datetime(2026, 7, 2, tzinfo=UTC)
    assert ledger.later(Urgency.PROTECTION, 1, at(1)) == midnight + EDGE


@pytest.mark.parametrize(
    ("until", "then"), [(None, at(10) + EDGE), (at(4), at(4)), (at(3600), at(3600))]
)
def test_too_many_is_believed(until: datetime | None, then: datetime) -> None:
    ledger = orders()
    ledger.fill(until, at(2))
    assert ledger.later(Urgency.PROTECTION, 1, at(2)) == then
    assert left(ledger, at(2)) == 0
    assert ledger.later(Urgency.PROTECTION, 1, then) is None


def test_the_venues_own_limits_are_taken_over() -> None:
    ledger = orders()
    ledger.adopt([Window(name="10S", length=timedelta(seconds=10), limit=3)])
    assert sent(ledger, 10, 1) == 3
    assert ledger.later(Urgency.PROTECTION, 1, at(1)) == at(10) + EDGE
