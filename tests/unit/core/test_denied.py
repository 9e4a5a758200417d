"""Coins that the exchange refused to sell: nothing of them is sold before the account is weighed.

What lacked when it was refused may have been bought by somebody since: then it is theirs.

Broken on purpose, and red here: a try a minute, whatever is known; a balance from before the
refusal that releases it; coins that came after others sold the bot's, taken for the bot's; what a
stop locks that rests, given up; a word of an operator that changes nothing; an entry that rests and
keeps an exit waiting.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.builders import PROTECTED, REPLACING, TERMS, D, Life, fill, report
from tests.unit.core.test_outside import BASE, Owner

from surefoot.core.deadlines import PATIENCE, overdue
from surefoot.core.errors import InvariantViolated, SignalRefused
from surefoot.core.evidence import Belief, Evidence
from surefoot.core.invariants import check
from surefoot.core.order import Role
from surefoot.core.outside import weigh
from surefoot.core.position import State
from surefoot.core.protection import Place, protection
from surefoot.core.reports import Grounds, Refusal, TimePassed
from surefoot.core.signals import AddSignal, Adopt, Close, ExitSignal, Freeze
from surefoot.core.stuck import StuckKind
from surefoot.core.terms import Terms
from surefoot.core.values import Asset

MOMENT = timedelta(seconds=1)


class Denied(Owner):
    """A position whose exit was just refused, because the coins are not free."""

    def __init__(self, *, coins: str = "0", beside: Life | None = None) -> None:
        self.beside = beside
        super().__init__(TERMS, coins=coins)
        self.life.tell(Close(by="ann"))
        self.deny()

    def deny(self) -> None:
        """Let what was just written be refused."""
        name, grounds = self.life.order.client_order_id, Grounds.FUNDS
        self.life.now += MOMENT
        refusal = Refusal(client_order_id=name, code="-2010", message="no", grounds=grounds)
        self.life.tell(refusal)

    def belief(self) -> Belief:
        """Return what is believed, with another bot's position beside it."""
        belief, beside = super().belief(), self.beside
        if beside is None:
            return belief
        positions = (beside.position, *belief.positions)
        return replace(
            belief,
            positions=positions,
            terms={each.bot: TERMS for each in positions},
        )

    def evidence(self) -> Evidence:
        """Return what is shown, read of both."""
        evidence, beside = super().evidence(), self.beside
        if beside is None:
            return evidence
        versions = {**evidence.versions, beside.position.position_id: beside.position.version}
        return replace(evidence, versions=versions)

    @property
    def tries(self) -> int:
        """Return how many orders it has written."""
        return self.life.position.attempts

    def waits(self, minutes: int = 5) -> None:
        """Let time pass, as the engine does."""
        for _ in range(60 * minutes):
            self.life.tell(TimePassed(), after=MOMENT)


def test_it_is_not_tried_again_before_the_account_is_weighed() -> None:
    """It was tried once a minute; what the owner bought meanwhile was sold."""
    owner = Denied()
    tried = owner.tries
    owner.waits()
    assert owner.tries == tried
    assert owner.life.position.available == 0
    owner.weigh()
    owner.life.tell(TimePassed())
    assert (owner.life.order.role, owner.life.order.quantity) == (Role.EXIT, owner.held)
    assert owner.tries == tried + 1


def test_it_waits_for_as_long_as_another_bot_s_sale_of_the_asset_is_in_doubt() -> None:
    """Whose coins lie there nobody knows till then: those are the owner's."""
    other = Life(bot="other")
    other.opened()
    other.tell(ExitSignal())
    owner = Denied(beside=other)
    tried = owner.tries
    owner.there += other.position.quantity
    owner.buys("0.5")
    owner.weigh()
    owner.waits()
    assert owner.tries == tried
    other.tell(report(other.order, "FILLED", other.order.quantity))
    other.tell(fill(other.order, "50000", trade="9"))
    assert other.position.state is State.CLOSED
    owner.weigh()
    owner.life.tell(TimePassed())
    assert owner.tries == tried + 1, (
        "it is weighed now: the bot's coins are there, and half one more"
    )


def test_its_stop_is_not_said_to_be_watched_here() -> None:
    """It was shown as one that works as long as the server runs: nothing is sold at it."""
    owner = Denied()
    assert protection(owner.life.position, watched=True).stop is Place.NONE
    owner.weigh()
    assert protection(owner.life.position, watched=True).stop is Place.HERE


def test_nothing_is_added_to_it() -> None:
    owner = Owner(TERMS)
    owner.life.position = replace(owner.life.position, denied_at=owner.life.now)
    with pytest.raises(SignalRefused, match="nothing is added"):
        owner.life.tell(AddSignal(quantity=D("0.0016")))


def test_it_is_an_alarm_after_a_minute() -> None:
    owner = Denied()
    position = owner.life.position
    found = overdue([position], {position.bot: TERMS}, owner.life.now + PATIENCE + MOMENT)
    assert StuckKind.EXIT_STUCK in {each.kind for each in found}


@pytest.mark.parametrize("early", [True, False])
def test_a_balance_from_before_it_says_nothing(*, early: bool) -> None:
    owner = Denied()
    denied = owner.life.position.denied_at
    assert denied is not None
    at = denied - MOMENT if early else denied
    evidence = replace(owner.evidence(), balances_at=at)
    outcome = weigh(owner.belief(), evidence, owner.life.now)
    assert bool(outcome.decisions) is not early


def test_what_was_bought_after_it_was_sold_by_hand_is_not_sold() -> None:
    owner = Denied()
    tried = owner.tries
    owner.sells(str(owner.held))
    owner.buys(str(owner.held))
    owner.weigh()
    owner.waits()
    assert owner.tries == tried
    assert owner.life.position.state is State.CLOSED


def test_nor_if_another_bot_has_bought_since() -> None:
    """Trades were weighed from when the first bot of a list had bought: not those before it."""
    owner = Denied()
    tried = owner.tries
    owner.sells(str(owner.held))
    owner.buys(str(owner.held))
    other = Life(bot="other")
    owner.life.now += MOMENT
    other.position = replace(other.opened(), opened_at=owner.life.now)
    owner.there += other.position.quantity
    owner.beside, owner.missing = other, frozenset({BASE})
    owner.weigh()
    owner.waits()
    assert owner.tries == tried
    assert owner.life.position.missing == owner.held


def test_nor_what_was_bought_after_it_went_by_no_trade() -> None:
    """The next look took what lay there for what had lain there before."""
    owner = Denied()
    tried = owner.tries
    owner.there -= owner.held
    owner.buys(str(owner.held))
    for waited in (frozenset[Asset](), *[frozenset({BASE})] * 3):
        owner.missing = waited
        owner.weigh()
        owner.waits()
    assert owner.life.position.missing == owner.held
    assert "what is there came after it" in (owner.life.position.frozen or "")
    assert owner.tries == tried
    owner.life.tell(Adopt(by="ann"))
    assert owner.tries == tried + 1, "somebody has said it"


def test_an_entry_of_another_bot_that_rests_keeps_nothing_waiting() -> None:
    """It may rest for days; what it buys would only be more."""
    other = Life(bot="other")
    entry = other.enter()
    other.tell(report(entry, "OPEN"))
    owner = Denied(beside=other)
    tried = owner.tries
    owner.weigh()
    owner.life.tell(TimePassed())
    assert owner.tries == tried + 1


def test_what_a_stop_locks_that_rests_is_there() -> None:
    """It is sold in the place of the stop, and no more than that."""
    owner = Owner(REPLACING)
    stop = owner.life.order
    half = replace(stop, quantity=D("0.0008"))
    position = replace(owner.life.position, orders=(half,), denied_at=owner.life.now)
    owner.life.position = position
    owner.life.tell(Close(by="ann"))
    order = owner.life.order
    assert (order.role, order.replaces) == (Role.EXIT, stop.client_order_id)
    assert order.quantity == D("0.0008")


def test_an_order_that_would_sell_more_breaks_a_promise() -> None:
    life = Life()
    life.opened()
    before = replace(life.position, denied_at=life.now)
    life.tell(Close(by="ann"))
    after = replace(life.position, denied_at=life.now)
    with pytest.raises(InvariantViolated, match="S22"):
        check(before, after)


def test_a_frozen_position_waits_as_well() -> None:
    owner = Denied()
    owner.life.tell(Freeze(reason="somebody has to look", lacking=True))
    tried = owner.tries
    owner.waits()
    assert owner.tries == tried
    owner.weigh()
    owner.life.tell(TimePassed())
    assert owner.tries == tried + 1


@pytest.mark.parametrize("terms", [PROTECTED, REPLACING])
def test_the_stop_that_rests_makes_way_for_nothing(terms: Terms) -> None:
    """Without it nothing could be sold: what it locks is all that is known to be there."""
    owner = Owner(terms)
    stop = owner.life.order
    owner.life.position = replace(owner.life.position, denied_at=owner.life.now)
    owner.life.tell(Close(by="ann"))
    if terms is REPLACING:
        name, grounds = owner.life.order.client_order_id, Grounds.OTHER
        refusal = Refusal(client_order_id=name, code="-2010", message="no", grounds=grounds)
        owner.life.tell(refusal)
    for _ in range(60):
        owner.life.tell(TimePassed(), after=MOMENT)
    kept = owner.life.position.find(stop.client_order_id)
    assert kept is not None
    assert kept.cancel_at is None
