"""An entry and a sale of one asset in doubt at once: the balance shows only the sum of both."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.builders import START, D, Life

from surefoot.core.account_records import Coins
from surefoot.core.coins import contradiction
from surefoot.core.evidence import Belief, Evidence
from surefoot.core.order import Order
from surefoot.core.signals import ExitSignal
from surefoot.core.values import Asset, Side

BASE = Asset("BTC")
OTHERS = D(2)


class Two:
    """A bot that sells what it holds, and another one that enters, on one account."""

    def __init__(self) -> None:
        self.leaving, self.entering = Life(), Life(bot="other")
        self.leaving.opened()
        self.leaving.tell(ExitSignal())
        self.sale: Order = self.leaving.order
        self.entry: Order = self.entering.enter("0.36970")
        lives = (self.leaving, self.entering)
        self.belief = Belief(
            positions=tuple(life.position for life in lives),
            terms={life.position.bot: life.terms for life in lives},
            is_ours=lambda name: name.startswith("sf"),
            exclusive=False,
            others={BASE: Coins(amount=OTHERS, at=START)},
        )

    def evidence(self, change: str) -> Evidence:
        there = OTHERS + self.leaving.position.quantity + D(change)
        at = START + timedelta(minutes=2)
        return Evidence(started_at=at, versions={}, balances={BASE: there})


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize(
    ("change", "speaks"),
    [
        ("0.3277", True),  # a larger entry was filled, and the sale as well
        ("-0.0011", True),  # the sale was filled, and of the entry a smaller part
        ("-0.00160", True),  # the sale alone, it seems: of the entry a later round can tell
        ("0", False),  # neither, or as much of both: no balance could tell
    ],
)
def test_what_one_did_may_hide_what_the_other_did(
    change: str, *, speaks: bool, elsewhere: bool
) -> None:
    """A hidden entry covered a hidden stop: it was called NEVER, and others' coins were sold.

    `elsewhere`: each sees the other as one on another symbol of the same asset.
    """
    two = Two()
    evidence, of_sale, of_entry = two.evidence(change), two.belief, two.belief
    leaving, entering = two.belief.positions
    if elsewhere:
        held = {BASE: leaving.quantity}
        of_sale = replace(of_sale, positions=(leaving,), doubted={BASE: frozenset({Side.BUY})})
        of_entry = replace(
            of_entry, positions=(entering,), beside=held, doubted={BASE: frozenset({Side.SELL})}
        )
    assert (contradiction(of_sale, evidence, leaving, two.sale) is not None) == speaks
    assert (contradiction(of_entry, evidence, entering, two.entry) is not None) == speaks


def test_a_surplus_says_nothing_of_a_sale_while_no_entry_is_in_doubt() -> None:
    """Somebody brings coins: the doubt of a sale ends all the same."""
    two = Two()
    leaving = two.leaving.position
    belief = replace(two.belief, positions=(leaving,), doubted={BASE: frozenset({Side.SELL})})
    assert contradiction(belief, two.evidence("1"), leaving, two.sale) is None
