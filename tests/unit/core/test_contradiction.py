"""What a balance says against the absence of an order, and what it does not.

Broken on purpose, and red here: trades of others that keep a doubt for ever; one whose order nobody
knows, or one among trades of which some are not shown, taken for others'; what is booked as sold by
hand told of once more.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.builders import BTC, START, TERMS, D, Life
from tests.unit.core.test_outside import BASE, Owner

from surefoot.core.account_records import Coins
from surefoot.core.coins import contradiction
from surefoot.core.evidence import Belief, Evidence, Window
from surefoot.core.order import OrderStatus
from surefoot.core.outside import weigh
from surefoot.core.position import State
from surefoot.core.reconcile import reconcile
from surefoot.core.signals import ExitSignal
from surefoot.core.values import Asset, Side


@pytest.mark.parametrize(
    ("surplus", "quote", "status"),
    [
        ("0", "100", "NEVER"),
        ("0.0016", "100", "INTENDED"),
        ("0.00000999", "100", "INTENDED"),  # one lot, and its fee was kept back
        ("0.0016", "20", "INTENDED"),
        ("0", "20", "NEVER"),  # spent elsewhere, or what it bought has left: nothing is held
    ],
)
def test_absence_is_not_concluded_while_the_balance_shows_the_coins(
    surplus: str, quote: str, status: str
) -> None:
    """An order that stayed hidden for longer than V was bought twice."""
    life = Life()
    order = life.enter()
    life.now += timedelta(seconds=66)
    belief = Belief(
        positions=(life.position,),
        terms={life.position.bot: life.terms},
        is_ours=lambda name: name.startswith("sf"),
        exclusive=False,
        others={BASE: Coins(amount=D(2), at=START)},
    )
    evidence = Evidence(
        started_at=life.now,
        versions={life.position.position_id: life.position.version},
        looked_up={order.client_order_id: None},
        windows={BTC: Window(fills=(), complete=True)},
        balances={BASE: D(2) + D(surplus), Asset("USDT"): D(quote)},
    )
    why = contradiction(belief, evidence, life.position, order)
    assert (why is None) == (status == "NEVER")
    outcome = reconcile(belief, evidence, life.now)
    decision = outcome.decisions.get(life.position.position_id)
    after = life.position if decision is None else decision.position
    assert after.orders[0].status is OrderStatus(status)


@pytest.mark.parametrize(("fees", "speaks"), [("0", True), ("0.5", True), ("1", False)])
def test_what_our_fees_took_says_nothing_of_a_sale_in_doubt(fees: str, *, speaks: bool) -> None:
    """Fees of other bots are paid in the asset: the doubt of a sale never ended."""
    owner = Owner(coins="2")
    owner.life.tell(ExitSignal())
    owner.there -= 1
    belief = replace(owner.belief(), fees={BASE: D(fees)})
    evidence = Evidence(started_at=owner.life.now, versions={}, balances={BASE: owner.there})
    why = contradiction(belief, evidence, owner.life.position, owner.life.order)
    assert (why is not None) == speaks


@pytest.mark.parametrize(
    ("side", "there", "named", "complete", "speaks"),
    [
        (Side.SELL, "1", True, True, False),  # his sale took what lacks
        (Side.SELL, "1", False, True, True),  # whose it was nobody knows: perhaps the bot's own
        (Side.SELL, "1", True, False, True),  # another trade may not be shown
        (Side.SELL, "0.9", True, True, True),  # he sold, and something else went as well
        (Side.BUY, "2", True, True, True),  # he bought, and what should be there is not
        (Side.BUY, "3", True, True, False),
    ],
)
def test_what_others_traded_says_nothing_of_a_sale_in_doubt(
    side: Side, there: str, *, named: bool, complete: bool, speaks: bool
) -> None:
    """The owner sold coins of his own meanwhile: the exit was in doubt for ever, and held on."""
    owner = Owner(TERMS, coins="2")
    owner.life.tell(ExitSignal())
    owner.trades(side, "1", "51000")
    owner.there = owner.held + D(there)
    if not named:
        owner.fills = [replace(each, client_order_id=None) for each in owner.fills]
    window = Window(fills=tuple(owner.fills), complete=complete)
    evidence = replace(owner.evidence(), windows={BTC: window})
    why = contradiction(owner.belief(), evidence, owner.life.position, owner.life.order)
    assert (why is not None) == speaks


@pytest.mark.parametrize(("bought", "speaks"), [("1", False), ("0.9984", True)])
def test_what_others_bought_says_nothing_of_an_entry_in_doubt(bought: str, *, speaks: bool) -> None:
    """He bought meanwhile: no doubt of an entry ended on an account that he trades on."""
    owner = Owner(TERMS, coins="2")
    other = Life(bot="other")
    entry = other.enter()
    owner.trades(Side.BUY, bought, "51000")
    owner.there += 1
    belief = owner.belief()
    positions = (*belief.positions, other.position)
    belief = replace(belief, positions=positions, terms={each.bot: TERMS for each in positions})
    why = contradiction(belief, owner.evidence(), other.position, entry)
    assert (why is not None) == speaks


@pytest.mark.parametrize("meanwhile", [False, True])
def test_a_sale_by_hand_that_is_booked_explains_nothing_more(*, meanwhile: bool) -> None:
    """It hid that the exit had sold; also if it came while the account was being read."""
    owner = Owner(TERMS)
    half, began = owner.held / 2, owner.life.now
    owner.sells(str(half))
    evidence = replace(owner.evidence(), balances_at=owner.life.now)
    if meanwhile:
        evidence = replace(evidence, started_at=began)
    outcome = weigh(owner.belief(), evidence, owner.life.now)
    (decision,) = outcome.decisions.values()
    owner.life.position, owner.others = decision.position, outcome.others
    owner.life.tell(ExitSignal())
    assert (owner.life.position.quantity, owner.life.order.quantity) == (half, half)
    owner.there -= half
    why = contradiction(owner.belief(), owner.evidence(), owner.life.position, owner.life.order)
    assert "nothing else explains it" in str(why)


def test_nor_does_it_speak_for_an_entry_of_the_next_position() -> None:
    """What had been sold of the one before kept it in doubt for ever."""
    owner = Owner(TERMS)
    owner.sells(str(owner.held))
    owner.weigh()
    assert owner.life.position.state is State.CLOSED
    after = Life(TERMS, bot="other")
    entry = after.enter()
    terms = {after.position.bot: TERMS}
    belief = replace(owner.belief(), positions=(after.position,), terms=terms)
    assert contradiction(belief, owner.evidence(), after.position, entry) is None
