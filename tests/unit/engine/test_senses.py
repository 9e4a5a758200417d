"""What is noticed of an account, and what is not made of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.builders import BTC, START
from tests.unit.engine.fake import ETH

from surefoot.core.evidence import Evidence
from surefoot.engine.gathered import Gathered
from surefoot.engine.senses import Senses


class Hand:
    """A time that the test sets."""

    now = START


def senses() -> tuple[Senses, Hand]:
    hand = Hand()
    return Senses(lambda: hand.now), hand


def in_vain(began: datetime) -> Gathered:
    """Return a round of one symbol of which nothing was answered."""
    evidence = Evidence(started_at=began, versions={})
    return Gathered(
        evidence=evidence, watermarks={}, failures=("time-out",), unread=frozenset({ETH})
    )


def test_what_hung_while_others_were_answered_is_no_silence() -> None:
    """A symbol's reads hang for ten seconds: the account is reached all the same."""
    noticed, hand = senses()
    hand.now += timedelta(seconds=1)
    noticed.answer()
    hand.now += timedelta(seconds=9)
    noticed.gather(in_vain(START), whole=ETH)
    assert noticed.circumstances(None, ()).silent is None
    assert noticed.circumstances(None, ()).unproven == {ETH: hand.now}
    noticed.gather(in_vain(hand.now), whole=ETH)
    silent = noticed.circumstances(None, ()).silent
    assert silent is not None
    assert (silent.since, silent.why) == (hand.now, "time-out")


def test_trades_that_are_read_later_on_purpose_are_no_failed_read() -> None:
    """An entry was in doubt: one lost answer, and every read since counted as not whole."""
    noticed, hand = senses()
    noticed.gather(in_vain(START), whole=None)
    assert noticed.circumstances(None, ()).unproven == {ETH: START}
    hand.now += timedelta(seconds=30)
    seen = Evidence(started_at=hand.now, versions={}, balances={})
    noticed.gather(Gathered(evidence=seen, watermarks={}, failures=()), whole=ETH)
    assert noticed.circumstances(None, ()).unproven == {}


def test_the_first_reason_and_the_beginning_are_kept() -> None:
    noticed, hand = senses()
    noticed.fail("502")
    hand.now += timedelta(minutes=1)
    noticed.fail("another word for it", attempt=3, next_try=hand.now)
    silent = noticed.circumstances(None, ()).silent
    assert silent is not None
    assert (silent.since, silent.why, noticed.attempt) == (START, "502", 3)
    noticed.answer()
    assert noticed.circumstances(None, ()).silent is None
    assert (noticed.attempt, noticed.next_try) == (0, None)


def test_a_price_is_missed_since_the_stream_broke_and_not_while_it_is_quiet() -> None:
    noticed, hand = senses()
    noticed.regain("market")
    noticed.price(BTC)
    hand.now += timedelta(hours=1)
    assert noticed.unpriced([BTC]) == {}
    noticed.lose("market", "reset")
    assert noticed.unpriced([BTC]) == {BTC: hand.now}
    noticed.regain("market")
    assert noticed.unpriced([BTC]) == {BTC: hand.now}  # Nothing was told since.
    noticed.price(BTC)
    assert noticed.unpriced([BTC]) == {}


def test_a_symbol_is_not_thought_alive_because_the_clock_went_back() -> None:
    """A socket that stood still was not noticed for as long as that."""
    noticed, hand = senses()
    noticed.regain("market")
    noticed.price(BTC)
    assert noticed.quiet([BTC], timedelta(seconds=30)) == {}
    hand.now -= timedelta(hours=1)
    assert noticed.quiet([BTC], timedelta(seconds=30)) == {BTC: START}
    noticed.price(BTC)
    assert noticed.quiet([BTC], timedelta(seconds=30)) == {}


def test_a_price_that_was_asked_for_is_good_for_its_moment() -> None:
    noticed, hand = senses()
    noticed.lose("market", "reset")
    hand.now += timedelta(seconds=30)
    noticed.price(BTC, told=False)
    assert noticed.unpriced([BTC]) == {BTC: hand.now}
