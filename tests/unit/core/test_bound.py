"""Coins of a bot that orders of others lock: what is free is sold and protected, the rest is said.

Broken on purpose, and red here: an exit that goes on asking for all of it; others' own coins that
count as the bot's; what lacks, called locked; a lock that never ends; coins that nothing of ours
locked, called guarded.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.builders import BTC, PROTECTED, TERMS, D, Life, fill, report
from tests.unit.core.test_outside import BASE, Owner

from surefoot.core.coins import bound_by_others, ebb_beside
from surefoot.core.deadlines import PATIENCE, overdue
from surefoot.core.order import Order, OrderStatus, ReportedStatus, Role
from surefoot.core.outside import weigh
from surefoot.core.position import State
from surefoot.core.protection import Place, covers, protection
from surefoot.core.reconcile import reconcile
from surefoot.core.records import CoinsBound
from surefoot.core.reports import Grounds, OrderReport, Refusal, TimePassed
from surefoot.core.signals import Close, ExitSignal
from surefoot.core.stuck import StuckKind
from surefoot.core.terms import Terms
from surefoot.core.values import ClientOrderId, ExchangeOrderId, Side

MOMENT = timedelta(seconds=1)


def by_hand(quantity: str, name: str) -> OrderReport:
    return OrderReport(
        symbol=BTC,
        exchange_order_id=ExchangeOrderId("77"),
        client_order_id=ClientOrderId(name),
        status=ReportedStatus.OPEN,
        side=Side.SELL,
        quantity=D(quantity),
        filled=D(0),
        limit=D(90000),
    )


class Locked(Owner):
    """An owner whose own resting order locks coins."""

    def __init__(
        self, terms: Terms = TERMS, *, coins: str = "0", locked: str, name: str = "web_1"
    ) -> None:
        super().__init__(terms, coins=coins)
        self.locked = D(locked)
        self.name = name

    def refused(self) -> Order:
        """Let what was just written be refused, because the coins are not free; look once."""
        order = self.life.order
        name, message = order.client_order_id, "insufficient balance"
        refusal = Refusal(
            client_order_id=name, code="-2010", message=message, grounds=Grounds.FUNDS
        )
        self.life.tell(refusal)
        self.look()
        return order

    def look(self) -> None:
        """Compare once, with what the account says of its coins."""
        self.life.now += MOMENT
        orders = [] if not self.locked else [by_hand(str(self.locked), self.name)]
        for compare in (reconcile, weigh):
            evidence = replace(
                self.evidence(),
                open_orders=tuple(orders),
                free={BASE: self.there - self.locked},
                locked={BASE: self.locked},
            )
            outcome = compare(self.belief(), evidence, self.life.now)
            for decision in outcome.decisions.values():
                self.life.follow(decision)
            self.others |= outcome.others


@pytest.mark.parametrize(
    ("coins", "locked", "sells"),
    [
        ("0", "0.0006", "0.0010"),
        ("0.0004", "0.0006", "0.0014"),  # his own coins first
        ("1", "0.0006", "0.0016"),
    ],
)
def test_an_exit_sells_what_is_free(coins: str, locked: str, sells: str) -> None:
    """It asked for all of it, and was refused for ever."""
    owner = Locked(coins=coins, locked=locked)
    owner.life.tell(Close(by="ann"))
    first = owner.refused()
    assert first.quantity == owner.held
    owner.life.tell(TimePassed(), after=MOMENT)
    again = owner.life.order
    assert (again.role, again.quantity) == (Role.EXIT, D(sells))
    owner.life.tell(report(again, "FILLED", again.quantity), fill(again, "50000", trade="9"))
    left = owner.held - D(sells)
    assert owner.life.position.quantity == left
    if left:
        assert owner.life.position.state is State.OPEN
        owner.locked = D(0)
        owner.look()
        assert (owner.life.order.role, owner.life.order.quantity) == (Role.EXIT, left)


def test_a_stop_covers_what_is_free_and_all_of_it_when_the_lock_ends() -> None:
    owner = Locked(PROTECTED, locked="0.0006")
    owner.cancels_stop()
    owner.refused()
    owner.life.tell(TimePassed(), after=MOMENT)
    stop = owner.life.order
    assert (stop.role, stop.quantity) == (Role.STOP, D("0.0010"))
    assert not covers(owner.life.position)
    owner.life.tell(report(stop, "OPEN", exchange_id="stop-2"))
    assert not covers(owner.life.position), "what others lock is not protected, and is said so"
    assert protection(owner.life.position, watched=True).rest is Place.HERE
    owner.locked = D(0)
    owner.look()
    assert owner.life.position.bound is None
    owner.life.tell(report(stop, "CANCELED", exchange_id="stop-2"))
    assert owner.life.order.quantity == owner.held


@pytest.mark.parametrize("name", ["web_1", "sf0123"])
def test_what_locks_how_much_is_a_finding_after_a_minute(name: str) -> None:
    """Also if its name is of ours, of another folder's journal: it is on no other symbol."""
    owner = Locked(locked="0.0016", name=name)
    owner.life.tell(ExitSignal())
    owner.refused()
    position, terms = owner.life.position, {owner.life.position.bot: owner.life.terms}
    assert position.available == 0
    begun = owner.life.now - MOMENT
    assert StuckKind.COINS_BOUND not in {
        s.kind for s in overdue([position], terms, begun + PATIENCE)
    }
    found = overdue([position], terms, begun + PATIENCE + MOMENT)
    (stuck,) = [each for each in found if each.kind is StuckKind.COINS_BOUND]
    assert stuck.true == "others lock 0.0016 BTC of it: 0.0016 in order 77"
    assert stuck.believed == "0.0016 BTC can be sold, at the stop or when it is left"


def test_what_is_not_there_at_all_is_not_called_locked() -> None:
    """It was sold by hand: weighing says so, and nothing is bound."""
    owner = Locked(locked="0")
    owner.sells("0.0006")
    owner.life.tell(ExitSignal())
    owner.refused()
    assert owner.life.position.bound is None
    bound = [each for each in owner.life.records if isinstance(each, CoinsBound)]
    assert [each.quantity for each in bound] == [0]


def test_it_freezes_nobody_and_is_written_once() -> None:
    owner = Locked(locked="0.0016")
    owner.life.tell(Close(by="ann"))
    owner.refused()
    for _ in range(9):
        owner.life.tell(TimePassed(), after=timedelta(minutes=1))
        owner.look()
    assert owner.life.position.frozen is None
    bound = [each for each in owner.life.records if isinstance(each, CoinsBound)]
    assert [each.quantity for each in bound] == [owner.held]
    assert owner.life.order.attempt == 2, "nothing more is sent that would be refused"


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("stop", ["of what was free", "of all of it"])
def test_what_others_sold_of_it_is_not_made_up_for_by_what_they_buy(
    stop: str, *, quick: bool
) -> None:
    """A stop of what was free was taken for one of all of it: the next sold the owner's coins.

    He cancelled the stop to sell, or his order was there before the first one.
    """
    owner = Locked(PROTECTED, locked="0.0006")
    if quick:
        now, owner.life = owner.life.now, Life(PROTECTED)
        owner.life.now = now
        owner.life.opened()
    else:
        owner.cancels_stop()
    owner.refused()
    owner.life.tell(TimePassed(), after=MOMENT)
    free = owner.life.order
    owner.life.tell(report(free, "OPEN", exchange_id="stop-2"))
    owner.locked = D(0)
    owner.sells("0.0006")
    owner.buys("0.0007")
    assert ebb_beside(owner.belief(), owner.evidence(), owner.life.position).certain == D("0.0006")
    if stop == "of all of it":
        owner.look()
        owner.life.tell(report(free, "CANCELED", exchange_id="stop-2"))
        owner.life.tell(report(owner.life.order, "OPEN", exchange_id="stop-3"))
        assert owner.life.order.quantity == owner.held
    owner.missing = frozenset({BASE})
    owner.weigh()
    assert owner.life.position.quantity == D("0.0010")
    assert owner.others[BASE].amount == D("0.0007")


def test_what_an_order_of_ours_in_doubt_may_lock_is_not_called_others() -> None:
    """The exchange had the stop, and did not show it yet: nothing was left to be sold."""
    owner = Locked(PROTECTED, locked="0")
    owner.cancels_stop()
    name = owner.life.order.client_order_id
    owner.life.tell(Refusal(client_order_id=name, code="-2010", message="", grounds=Grounds.FUNDS))
    owner.weigh()
    owner.life.tell(TimePassed(), after=MOMENT)
    assert (owner.life.order.role, owner.life.order.status) == (Role.STOP, OrderStatus.INTENDED)
    owner.locked = owner.held
    owner.look()
    assert owner.life.position.available == owner.held
    owner.life.tell(report(owner.life.order, "OPEN", exchange_id="stop-2"))
    owner.look()
    assert owner.life.position.bound is None


def test_nor_what_another_bot_s_on_another_symbol_may_lock() -> None:
    owner = Locked(locked="0.0016")
    told = replace(owner.evidence(), free={BASE: D(0)}, locked={BASE: owner.locked})
    belief, position = owner.belief(), owner.life.position
    assert bound_by_others(belief, told, position) == owner.held
    for sides, bound in (({Side.BUY}, owner.held), ({Side.SELL}, None)):
        beside = replace(belief, doubted={BASE: frozenset(sides)})
        assert bound_by_others(beside, told, position) == bound
