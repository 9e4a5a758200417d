"""What others do with the coins of the account: the policy, case by case."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace
from tests.builders import BTC, PROTECTED, TERMS, D, Life, fill, report

from surefoot.core.account_records import Coins
from surefoot.core.evidence import Belief, Evidence, FindingKind, Window
from surefoot.core.lanes import Lane
from surefoot.core.order import Role
from surefoot.core.outside import only_others, weigh
from surefoot.core.position import State
from surefoot.core.reconcile import Reconciliation, reconcile
from surefoot.core.records import OrderIntended
from surefoot.core.reports import Fill, Refusal, TimePassed
from surefoot.core.signals import AddSignal, Adopt, ExitSignal
from surefoot.core.terms import Terms
from surefoot.core.values import Asset, ClientOrderId, ExchangeOrderId, Side, TradeId
from surefoot.core.whose import Early, Ours, Seen, Theirs, Unchanged, Unclear, judge

BASE = Asset("BTC")
SEEN = Seen(there=D(3), held=D(1), before=D(2))
MIXED = "and coins came or went by no trade: were they theirs?"
ASKED = "while nothing locked what the bots hold: were they theirs?"
UNEXPLAINED = Unclear("and no trades explain it", D("0.6"))
BOUGHT = Unclear("and what is there came after it", D(1))
LOST = {"held": D("0.4"), "missing": D("0.6")}


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        # nothing, and what others bring
        ({}, Unchanged()),
        ({"before": None}, Theirs(D(2))),
        ({"there": D(4)}, Theirs(D(3))),
        ({"there": D(1), "before": D(0)}, Unchanged()),
        # others take coins, and have enough of their own
        ({"there": D("1.5"), "guarded": True}, Theirs(D("0.5"))),
        ({"there": D("1.5"), "guarded": True, "sold": D("1.5")}, Theirs(D("0.5"))),
        ({"there": D("1.5"), "held": D(0), "before": D(3)}, Theirs(D("1.5"))),
        ({"there": D("1.5")}, Unclear(ASKED)),
        ({"there": D("1.5"), "fees": D("1.5")}, Theirs(D("0.5"))),
        ({"there": D("1.5"), "fees": D("1.4")}, Unclear(ASKED)),
        ({"there": D("1.5"), "sold": D("1.5")}, Unclear(ASKED)),
        # something that was ours is not there
        ({"there": D("0.4")}, Early()),
        ({"there": D("0.4"), "waited": True}, UNEXPLAINED),
        ({"there": D("0.4"), "sold": D("0.6")}, Ours(D("0.6"))),
        ({"there": D("0.4"), "sold": D("2.6")}, Ours(D("0.6"))),
        ({"there": D("0.4"), "sold": D("0.6"), "out": True}, Early()),
        ({"there": D("0.4"), "sold": D("0.6"), "known": False}, Early()),
        ({"there": D("0.4"), "sold": D("0.6"), "out": True, "waited": True}, Ours(D("0.6"))),
        ({"there": D("0.4"), "sold": D("0.5"), "waited": True}, UNEXPLAINED),
        ({"there": D("0.4"), "sold": D(1), "holders": 2, "waited": True}, UNEXPLAINED),
        # others sold it, and bought coins of their own since: those are not what lacks
        ({"sold": D(3), "kept": D(3)}, Ours(D(1))),
        ({"sold": D(3), "kept": D("2.5")}, Ours(D("0.5"))),
        ({"sold": D(3), "kept": D(3), "out": True}, Early()),
        ({"sold": D(3), "kept": D(3), "holders": 2, "waited": True}, BOUGHT),
        # others sold what may have been the bots', and coins moved by no trade
        ({"perhaps": D(1)}, Early()),
        ({"perhaps": D(1), "waited": True}, Unclear(MIXED)),
        ({"perhaps": D(1), "there": D("0.4"), "sold": D(9)}, Early()),
        ({"perhaps": D(1), "there": D("0.4"), "waited": True}, Unclear(MIXED, D("0.6"))),
        # what was missing before: trades may still show up, coins that come are not the same
        ({**LOST, "before": D("2.6")}, Unchanged()),
        ({**LOST, "before": D("2.6"), "sold": D("0.6")}, Ours(D("0.6"))),
        ({**LOST, "before": D(0), "there": D(1)}, Theirs(D("0.6"))),
    ],
)
def test_the_table(changes: dict[str, object], verdict: object) -> None:
    assert judge(replace(SEEN, **changes)) == verdict


# With positions ----------------------------------------------------------------------------------


class Owner:
    """A position of a bot on an account where somebody else trades as well."""

    def __init__(self, terms: Terms = PROTECTED, *, coins: str = "0") -> None:
        self.life = Life(terms)
        self.life.opened()
        if terms.native_stop:
            self.life.tell(report(self.life.order, "OPEN", exchange_id="stop-1"))
        self.held = self.life.position.quantity
        self.there = self.held + D(coins)
        self.others: dict[Asset, Coins] = {}
        self.fills: list[Fill] = []
        self.missing: frozenset[Asset] = frozenset()
        self.weigh()

    def weigh(self) -> Reconciliation:
        """Weigh once and believe what follows."""
        self.life.now += timedelta(seconds=10)
        outcome = weigh(self.belief(), self.evidence(), self.life.now)
        for decision in outcome.decisions.values():
            self.life.position = decision.position
            self.life.records += decision.records
        self.others |= outcome.others
        return outcome

    def evidence(self) -> Evidence:
        return Evidence(
            started_at=self.life.now,
            versions={self.life.position.position_id: self.life.position.version},
            windows={BTC: Window(fills=tuple(self.fills), complete=True)},
            balances={BASE: self.there},
            missing=self.missing,
        )

    def belief(self) -> Belief:
        position = self.life.position
        return Belief(
            positions=(position,),
            terms={position.bot: self.life.terms},
            is_ours=lambda name: name.startswith("sf"),
            exclusive=False,
            others=self.others,
        )

    def sells(self, quantity: str, *, price: str = "51000") -> None:
        """Let somebody sell by hand."""
        self.there -= D(quantity)
        self.trades(Side.SELL, quantity, price)

    def buys(self, quantity: str) -> None:
        """Let somebody buy by hand."""
        self.there += D(quantity)
        self.trades(Side.BUY, quantity, "51000")

    def trades(self, side: Side, quantity: str, price: str) -> None:
        self.life.now += timedelta(seconds=1)
        fill = Fill(
            symbol=BTC,
            trade_id=TradeId(f"by-hand-{len(self.fills)}"),
            exchange_order_id=ExchangeOrderId("by-hand"),
            client_order_id=ClientOrderId("web_1"),
            side=side,
            price=D(price),
            quantity=D(quantity),
            at=self.life.now,
        )
        self.fills.append(fill)

    def cancels_stop(self) -> None:
        """Let somebody cancel our stop; it is placed again, and the exchange refuses it."""
        stop = self.life.position.lane(Lane.PROTECTION)
        assert stop is not None
        self.life.tell(report(stop, "CANCELED", exchange_id=stop.exchange_order_id or "x"))

    def refuse(self) -> None:
        name = self.life.order.client_order_id
        message = "Account has insufficient balance for requested action."
        self.life.tell(Refusal(client_order_id=name, code="-2010", message=message))

    @property
    def state(self) -> tuple[State, Decimal, str | None]:
        position = self.life.position
        return (position.state, position.quantity, position.frozen)


def test_closed_by_hand_with_the_stop_cancelled_is_booked_at_once() -> None:
    """The stop was placed and refused three times, and the position never compared again."""
    owner = Owner()
    owner.cancels_stop()
    owner.sells(str(owner.held))
    owner.refuse()
    outcome = owner.weigh()
    assert [finding.kind for finding in outcome.findings] == [FindingKind.REDUCED_OUTSIDE]
    assert owner.state == (State.CLOSED, D(0), None)
    assert owner.life.position.exit_proceeds == owner.held * 51000


@pytest.mark.parametrize(("sold", "stops"), [("1", 0), ("0.5", 0), ("0", 1)])
def test_no_stop_is_written_for_coins_that_are_not_there(sold: str, stops: int) -> None:
    """It was sent and refused; how much it may sell is known when the sale is accounted for."""
    owner = Owner()
    stop = owner.life.position.lane(Lane.PROTECTION)
    assert stop is not None
    owner.sells(str(owner.held * D(sold)))
    cancelled = report(stop, "CANCELED", exchange_id=stop.exchange_order_id or "x")
    evidence = replace(owner.evidence(), looked_up={stop.client_order_id: cancelled})
    (decision,) = reconcile(owner.belief(), evidence, owner.life.now).decisions.values()
    written = [record for record in decision.records if isinstance(record, OrderIntended)]
    assert len(written) == stops


def test_a_frozen_position_goes_on_being_compared_and_evidence_lifts_its_freeze() -> None:
    """Later the owner bought coins of his own, and our stop sold them."""
    owner = Owner()
    owner.cancels_stop()
    for _ in range(3):
        owner.refuse()
        owner.life.tell(TimePassed(), after=timedelta(seconds=70))
    owner.refuse()
    assert "refused 3 stops in a row" in str(owner.life.position.frozen)
    owner.sells(str(owner.held))
    owner.weigh()
    assert owner.state == (State.CLOSED, D(0), None)
    owner.there += D(5)
    assert owner.weigh().others[BASE].amount == D(5)


@pytest.mark.parametrize("coins", ["0", "2"])
def test_what_the_owner_buys_after_he_closed_by_hand_is_not_sold(coins: str) -> None:
    """The server was down meanwhile: more was there than before, and our next stop took it."""
    owner = Owner(coins=coins)
    owner.cancels_stop()
    owner.sells(str(D(coins) + owner.held))
    owner.refuse()
    owner.buys("5")
    unread = replace(owner.evidence(), windows={})
    assert not only_others(owner.belief(), unread), "only his trades tell"
    outcome = owner.weigh()
    assert [finding.kind for finding in outcome.findings] == [FindingKind.REDUCED_OUTSIDE]
    assert owner.state == (State.CLOSED, D(0), None)
    assert outcome.others[BASE].amount == D(5)
    assert owner.weigh().others == {}


@pytest.mark.parametrize(
    ("brings", "sells", "buys", "withdraws"),
    [
        ("2", "2", "1", "1"),  # the holding was booked as sold, and forgotten
        ("0.0016", "0.0016", "0.0008", "0.0008"),  # half of it was
        ("0.0016", "0.0016", "0", "0"),
        ("0", "0.0016", "1", "0.1"),  # what he sold was the bot's: nobody noticed
        ("0.1", "0.0016", "1", "0"),
    ],
)
def test_where_coins_came_or_went_by_no_trade_somebody_is_asked_whose_he_sold(
    brings: str, sells: str, buys: str, withdraws: str
) -> None:
    """It was a guess, and wrong the one way or the other."""
    owner = Owner(TERMS, coins="0")
    owner.there += D(brings)
    owner.sells(sells)
    if D(buys):
        owner.buys(buys)
    owner.there -= D(withdraws)
    outcome = owner.weigh()
    assert outcome.short == {BASE}, "trades may still show up"
    assert (outcome.others, owner.life.position.frozen) == ({}, None)
    owner.missing = outcome.short
    owner.weigh()
    frozen = f"others may have sold 0.0016 BTC of the 0.0016 that its fills add up to, {MIXED}"
    assert owner.state == (State.OPEN, owner.held, frozen)
    assert owner.life.position.available == owner.held, "what is there is protected"


def test_trades_that_account_for_the_balance_after_all_are_believed() -> None:
    """They show up later than the balance does."""
    owner = Owner(TERMS, coins="0")
    owner.sells(str(owner.held))
    owner.there += 5
    assert owner.weigh().short == {BASE}
    owner.trades(Side.BUY, "5", "51000")
    owner.weigh()
    assert owner.state == (State.CLOSED, D(0), None)
    assert owner.others[BASE].amount == D(5)


def test_what_was_sold_by_hand_is_booked_also_if_what_was_bought_since_has_left() -> None:
    owner = Owner(coins="0")
    owner.cancels_stop()
    owner.sells(str(owner.held))
    owner.refuse()
    owner.buys("5")
    owner.there -= 5
    owner.weigh()
    assert owner.state == (State.CLOSED, D(0), None)


def test_what_the_owner_sells_and_buys_while_our_stop_rests_is_his() -> None:
    owner = Owner(coins="2")
    owner.sells("2")
    owner.buys("5")
    assert only_others(owner.belief(), owner.evidence())
    assert owner.weigh().others[BASE].amount == D(5)
    assert owner.state == (State.OPEN, owner.held, None)


def test_what_the_owner_sells_of_his_own_and_buys_again_is_his() -> None:
    """Nothing locks what the bot holds, but there was always enough for both."""
    owner = Owner(TERMS, coins="2")
    owner.sells("1.5")
    owner.buys("4")
    assert owner.weigh().others[BASE].amount == D("4.5")
    assert owner.state == (State.OPEN, owner.held, None)


def test_what_others_sell_while_our_stop_rests_is_theirs() -> None:
    owner = Owner(coins="2")
    owner.sells("1.5")
    outcome = owner.weigh()
    assert [finding.kind for finding in outcome.findings] == [FindingKind.OTHERS_COINS]
    assert outcome.others[BASE].amount == D("0.5")
    assert owner.state == (State.OPEN, owner.held, None)


def test_a_sale_after_somebody_cancelled_our_stop_asks_also_if_others_had_coins() -> None:
    """If it was the bot's, our next stop sells what is the owner's."""
    owner = Owner(coins="2")
    owner.cancels_stop()
    owner.sells(str(owner.held))
    owner.life.tell(report(owner.life.order, "OPEN", exchange_id="stop-2"))
    outcome = owner.weigh()
    assert outcome.findings[0].outcome == "frozen until somebody resolves it"
    assert "were they theirs?" in str(owner.life.position.frozen)
    assert owner.weigh().others == {}  # asked once
    owner.life.tell(Adopt(by="ann"))
    owner.weigh()
    assert owner.state == (State.OPEN, owner.held, None)


def test_a_sale_long_after_our_stop_was_placed_again_is_theirs() -> None:
    owner = Owner(coins="2")
    owner.cancels_stop()
    owner.life.tell(report(owner.life.order, "OPEN", exchange_id="stop-2"))
    owner.life.now += timedelta(days=1)
    owner.sells("1")
    owner.weigh()
    assert owner.life.position.frozen is None


def test_a_sale_while_the_stop_is_watched_here_asks() -> None:
    owner = Owner(TERMS, coins="2")
    owner.sells("1")
    owner.weigh()
    assert "1 BTC went, while nothing locked" in str(owner.life.position.frozen)


def test_coins_that_others_bring_are_theirs_for_ever() -> None:
    owner = Owner(TERMS)
    owner.there += D(1)
    assert owner.weigh().others[BASE].amount == D(1)
    owner.sells(str(D(1) + owner.held))
    owner.weigh()
    assert owner.state == (State.CLOSED, D(0), None)


def withdrawn(quantity: str) -> Owner:
    """Let coins leave the account without a trade, and be missed for longer than V."""
    owner = Owner(TERMS)
    owner.there -= D(quantity)
    assert owner.weigh().short == {BASE}
    assert owner.life.position.missing == 0
    owner.missing = frozenset({BASE})
    owner.weigh()
    return owner


def test_after_a_withdrawal_what_is_there_is_sold_and_what_is_missing_is_said() -> None:
    """Every exit asked for the full quantity, and was refused."""
    owner = withdrawn("0.0006")
    position = owner.life.position
    assert (position.missing, position.available) == (D("0.0006"), D("0.0010"))
    assert "holds 0.0006 BTC less than the 0.0016" in str(position.frozen)
    owner.life.tell(ExitSignal())
    assert (owner.life.order.role, owner.life.order.quantity) == (Role.EXIT, D("0.0010"))


def test_after_a_withdrawal_the_stop_covers_what_is_there() -> None:
    owner = withdrawn("0.0006")
    owner.life.terms = PROTECTED
    owner.life.tell(TimePassed())
    assert (owner.life.order.role, owner.life.order.quantity) == (Role.STOP, D("0.0010"))


def test_coins_that_come_after_a_withdrawal_are_not_sold() -> None:
    owner = withdrawn("0.0006")
    owner.there += D(1)
    owner.weigh()
    assert owner.life.position.available == D("0.0010")
    owner.life.tell(Adopt(by="ann"))
    assert owner.life.position.available == D("0.0016")


def test_trades_that_show_up_late_are_booked_and_lift_the_freeze() -> None:
    owner = withdrawn("0.0006")
    owner.sells("0.0006")
    owner.there += D("0.0006")  # it had gone from the balance before
    owner.weigh()
    assert owner.state == (State.OPEN, D("0.0010"), None)
    assert owner.life.position.missing == 0


# Absence -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_work", ["0", "0.0004"])
def test_a_lack_is_seen_also_while_an_addition_rests(at_work: str) -> None:
    """Catches hours in which nobody sees a sale by hand, because more may still be bought."""
    owner = adding(at_work)
    owner.cancels_stop()
    owner.sells("0.001")
    owner.weigh()
    assert owner.life.position.exited == D("0.001")
    entry = owner.life.position.last(Role.ENTRY)
    assert entry is not None
    assert entry.cancel_at is not None, "and nothing more is bought"


def test_what_comes_while_an_addition_rests_is_nobodys_yet() -> None:
    """Its own fills may be in the balance before they are heard of: they are not others' coins."""
    owner = adding("0")
    before = dict(owner.others)
    owner.there += D("0.0004")
    assert owner.weigh().others == {}
    assert owner.others == before
    assert owner.life.position.frozen is None


def adding(filled: str) -> Owner:
    """Return a position that more is being bought of, and so much of that is filled."""
    owner = Owner()
    owner.life.tell(AddSignal(quantity=D("0.0016"), limit=D(49000)))
    entry = owner.life.order
    owner.life.tell(report(entry, "OPEN", exchange_id="more-1"))
    if D(filled):
        known = replace(entry, attempt=0)
        more = replace(fill(known, "49000", filled, trade="m"), exchange_order_id="more-1")
        owner.life.tell(more)
        owner.there += D(filled)
    return owner
