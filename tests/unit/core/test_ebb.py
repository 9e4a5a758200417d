"""What others sold of the bots' coins and bought again: the balance is as before, the trades tell.

Broken on purpose, and red here: an absence that is concluded on the balance alone; a course that
starts at the end only; a lot that is taken for a trade.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace
from tests.builders import BTC, TERMS, D
from tests.unit.core.test_outside import BASE, Owner

from surefoot.core.coins import trades_of_others
from surefoot.core.ebb import Ebb, ebb
from surefoot.core.order import OrderStatus, Role
from surefoot.core.position import State
from surefoot.core.reconcile import reconcile
from surefoot.core.reports import Doubt, TimePassed
from surefoot.core.signals import Close


def sure(amount: str) -> Ebb:
    return Ebb(certain=D(amount), possible=D(amount))


@pytest.mark.parametrize(
    ("before", "now", "moves", "found"),
    [
        ("2", "2", [], sure("0")),
        ("2", "1", ["-1"], sure("0")),
        ("0", "-1", ["-1"], sure("1")),
        ("0", "0", ["-1", "1"], sure("1")),
        ("0", "0", ["1", "-1"], sure("0")),
        ("1", "4", ["-2", "5"], sure("1")),
        ("0", "-1", [], sure("1")),  # withdrawn: the balance says it by itself
        ("0", "9", ["-9", "18"], sure("3")),  # no more than is held
        ("0", "0", ["-0.001", "0.001"], sure("0")),  # under a lot: rounding
        # coins came or went by no trade: before those, or after?
        ("0", "0", ["-1"], Ebb(certain=D(0), possible=D(1))),
        ("0", "0", ["-2", "1"], Ebb(certain=D(0), possible=D(2))),
        ("0", "-0.5", ["-1", "1"], Ebb(certain=D("0.5"), possible=D("1.5"))),
        ("5", "1", ["-1"], sure("0")),  # whenever it was: there was always enough
        ("0", "-3", ["-3", "5"], sure("3")),  # all is gone, whenever it went
    ],
)
def test_how_low(before: str, now: str, moves: list[str], found: Ebb) -> None:
    """Of three that are held."""
    path = [D(each) for each in moves]
    assert ebb(D(before), D(now), D(3), path, lot=D("0.01")) == found


def test_what_our_fees_took_is_no_withdrawal() -> None:
    found = ebb(D(1), D("0.8"), D(3), [D(-1), D(1)], lot=D("0.01"), fees=D("0.2"))
    assert found == sure("0")


# An exit in doubt --------------------------------------------------------------------------------


class Leaving(Owner):
    """A bot whose exit was sent, and whose answer was lost; nothing locks what it holds."""

    def __init__(self, *, lacks: str = "0") -> None:
        super().__init__(TERMS)
        self.there -= D(lacks)
        self.missing = frozenset({BASE})
        self.weigh()
        self.life.now += timedelta(seconds=30)
        self.life.tell(Close(by="ann"))
        self.exit = self.life.order
        assert self.exit.role is Role.EXIT
        self.life.tell(Doubt(client_order_id=self.exit.client_order_id, reason="no answer"))

    def is_looked_for(self, after: timedelta) -> None:
        """Look for it in vain after so long, and believe what follows."""
        self.life.now += after
        evidence = replace(
            self.evidence(),
            looked_up={self.exit.client_order_id: None},
            balances_at=self.life.now,
        )
        outcome = reconcile(self.belief(), evidence, self.life.now)
        for decision in outcome.decisions.values():
            self.life.follow(decision)

    @property
    def sold_again(self) -> Decimal:
        """Return what the next exit would sell."""
        self.life.tell(TimePassed(), after=timedelta(seconds=5))
        last = self.life.order
        return D(0) if last is self.life.position.find(self.exit.client_order_id) else last.quantity


LATE = timedelta(seconds=70)


def test_what_the_owner_bought_after_he_sold_the_bots_is_not_sold_by_its_next_exit() -> None:
    """The balance was as before, the exit NEVER, and the next one sold what was the owner's."""
    bot = Leaving()
    bot.sells(str(bot.held))
    bot.buys(str(bot.held))
    bot.is_looked_for(LATE)
    assert bot.life.orders[bot.exit.client_order_id].status is OrderStatus.NEVER
    assert bot.life.position.available == 0
    assert "bot" not in str(bot.life.position.frozen)
    assert "others sold 0.0016 BTC of what it holds while" in str(bot.life.position.frozen)
    assert bot.sold_again == 0
    bot.weigh()
    assert bot.state == (State.CLOSED, D(0), None), "their trades prove what became of it"
    assert bot.others[BASE].amount == bot.there


def test_of_a_part_the_rest_is_sold() -> None:
    bot = Leaving()
    bot.sells("0.0006")
    bot.buys("0.0006")
    bot.is_looked_for(LATE)
    assert bot.sold_again == D("0.0010")


def test_what_lacked_before_goes_on_lacking() -> None:
    """It was forgotten for what was sold since, and the next exit sold as much of the owner's."""
    bot = Leaving(lacks="0.0006")
    assert bot.exit.quantity == D("0.0010")
    bot.sells("0.0004")
    bot.buys("0.0004")
    bot.is_looked_for(LATE)
    assert bot.life.position.missing == D("0.0010")
    assert bot.sold_again == D("0.0006")


def test_where_nobody_else_traded_the_next_exit_sells_it_all() -> None:
    bot = Leaving()
    bot.is_looked_for(LATE)
    assert bot.life.position.frozen is None
    assert bot.sold_again == bot.held


def test_what_he_bought_first_and_sold_then_was_his() -> None:
    bot = Leaving()
    bot.buys("5")
    bot.sells("5")
    bot.is_looked_for(LATE)
    assert bot.life.position.frozen is None
    assert bot.sold_again == bot.held


def test_where_coins_came_by_no_trade_somebody_is_asked() -> None:
    """He sold as many as the bot has, and as many came, nobody knows when."""
    bot = Leaving()
    bot.sells(str(bot.held))
    bot.there += bot.held
    bot.is_looked_for(LATE)
    assert "coins came or went by no trade" in str(bot.life.position.frozen)


def test_nor_is_an_exit_given_up_in_seconds_where_others_traded_meanwhile() -> None:
    """That the exchange refuses to sell coins twice holds for those that nobody buys again."""
    for trades, shut in ((False, True), (True, False)):
        bot = Leaving()
        if trades:
            bot.sells(str(bot.held))
            bot.buys(str(bot.held))
        bot.is_looked_for(timedelta(seconds=12))
        assert bot.life.orders[bot.exit.client_order_id].shut is shut


def test_what_was_traded_after_the_balance_was_told_says_nothing_of_it() -> None:
    bot = Owner(TERMS)
    bot.sells("0.0006")
    later = replace(bot.evidence(), balances_at=bot.life.now - timedelta(seconds=2))
    assert trades_of_others(bot.belief(), bot.evidence(), [BTC], None) == bot.fills
    assert trades_of_others(bot.belief(), later, [BTC], None) == []


def test_what_others_bring_makes_no_shortage_smaller_when_somebody_is_asked_again() -> None:
    """Found by simulation: what lacked was forgotten with the next question, and an exit sold his.

    Red: nothing was missing any more.
    """
    bot = Owner(TERMS)
    bot.missing = frozenset({BASE})
    bot.there -= D("0.001")
    bot.weigh()
    assert bot.life.position.missing == D("0.001")
    bot.sells("0.0005")
    bot.there += 5
    asked = bot.weigh().findings
    assert "coins came or went by no trade" in asked[-1].evidence
    assert bot.life.position.missing == D("0.001")
