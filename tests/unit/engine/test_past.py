"""What a comparison has learned stays good for positions that hold what they held, and no others.

Broken on purpose, and red here: a position that has traded followed like any other.
"""

from __future__ import annotations

from msgspec.structs import replace
from tests.builders import BTC, PROTECTED, START, Life, fill, report
from tests.unit.core.test_outside import BASE, Owner

from surefoot.core.evidence import Belief
from surefoot.engine.gathered import Past, begun


def believed(*lives: Life) -> Belief:
    """Return a belief in positions of several bots on one asset."""
    positions = tuple(life.position for life in lives)
    terms = {life.position.bot: life.terms for life in lives}
    return replace(Owner().belief(), positions=positions, terms=terms)


def past_of(*lives: Life) -> Past:
    past = begun(
        believed(*lives), at=START, told=START, balances={BASE: lives[0].position.quantity}
    )
    past.trades[BTC] = ()
    return past


def test_a_stop_that_was_sent_makes_no_balance_old() -> None:
    life = Life(PROTECTED)
    life.opened()
    past = past_of(life)
    life.tell(report(life.order, "OPEN"))
    assert not past.stands(believed(life))
    past.follow(believed(life).positions)
    assert past.stands(believed(life))


def test_what_another_bot_has_bought_or_sold_since_is_in_no_balance_of_before() -> None:
    life, beside = Life(PROTECTED), Life(PROTECTED, bot="swing")
    life.opened()
    entry = beside.enter()
    past = past_of(life, beside)
    assert past.stands(believed(life, beside))
    beside.tell(report(entry, "FILLED", entry.quantity), fill(entry, "50000", trade="2"))
    past.follow(believed(life, beside).positions)
    assert not past.stands(believed(life, beside))
