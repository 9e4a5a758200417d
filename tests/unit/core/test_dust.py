"""What is too little to trade: it stays its bot's, at cost, until an exit can sell it."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace
from tests.builders import PROTECTED, REPLACING, TERMS, D, Life, fill, replay, report

from surefoot.core.account_records import Coins
from surefoot.core.coins import held_of
from surefoot.core.deadlines import overdue
from surefoot.core.evidence import Belief, Evidence, FindingKind
from surefoot.core.order import Role
from surefoot.core.outside import weigh
from surefoot.core.position import Dust, State
from surefoot.core.reconcile import Reconciliation
from surefoot.core.records import DustLost
from surefoot.core.reports import Doubt, Grounds, PriceSeen, Refusal, TimePassed
from surefoot.core.signals import AddSignal, Close, ExitSignal, Flatten, Freeze
from surefoot.core.terms import Terms
from surefoot.core.values import Asset

BASE = Asset("BTC")
DUST = Dust(quantity=D("0.0000084"), cost=D("0.42"))


def round_trip(life: Life, *, price: str = "50000", fee: str = "0.0000016") -> Life:
    """Enter and leave at one price, with the entry's fee kept back from what was bought."""
    order = life.enter("0.00160")
    life.tell(
        report(order, "FILLED", order.quantity),
        fill(order, price, trade="1", fee=fee, asset="BTC"),
    )
    life.tell(ExitSignal())
    out = life.order
    life.tell(report(out, "FILLED", out.quantity), fill(out, price, trade="2"))
    assert life.position.state is State.CLOSED
    assert replay(life.records) == life.position
    return life


def test_dust_joins_what_the_next_position_buys_and_is_sold_with_it() -> None:
    life = Life(carried=DUST)
    assert (life.position.quantity, life.position.claim) == (0, DUST.quantity)
    order = life.enter("0.00160")
    assert life.position.quantity == 0, "nothing is held before the first fill"
    life.tell(report(order, "FILLED", order.quantity))
    life.tell(fill(order, "50000", trade="1", fee="0.0000016", asset="BTC"))
    assert life.position.quantity == D("0.0016068")
    assert life.position.entry_price == D(50000), "levels follow from what this entry paid"
    assert life.position.held_cost == D("80.42")
    life.tell(ExitSignal())
    assert life.order.quantity == D("0.00160"), "0.00159 without the dust"


def test_no_cent_gets_lost_between_positions() -> None:
    """S22: 22 round trips at one price lose their fees, and nothing else, to the last digit."""
    positions, dust = [], Dust()
    for number in range(1, 23):
        position = round_trip(Life(number=number, carried=dust)).position
        positions.append(position)
        dust = position.left
    cash = sum(p.exit_proceeds - p.entry_cost for p in positions)
    assert sum(p.realized_pnl for p in positions) - dust.cost == cash
    coins = sum(p.entered - p.exited - p.base_fees for p in positions)
    assert coins == dust.quantity < TERMS.instrument.lot


def test_a_position_that_is_dust_itself_goes_on_several_times() -> None:
    """Under the venue's minimum nothing can be sold: it adds up until it can."""
    dust, sold = Dust(), []
    for number in range(1, 5):
        life = Life(number=number, carried=dust)
        order = life.enter("0.00160")
        part = D("0.00006")
        life.tell(fill(order, "50000", part, trade="1"), report(order, "CANCELED", part))
        if life.position.state is State.OPEN:
            life.tell(ExitSignal())
            sold.append(life.order.quantity)
            life.tell(report(life.order, "FILLED", sold[-1]), fill(life.order, "50000", trade="2"))
        assert life.position.state is State.CLOSED
        dust = life.position.left
    assert sold == [D("0.00012"), D("0.00012")]
    assert dust == Dust()


def test_a_healthy_bot_keeps_its_dust_and_an_operator_can_write_it_off() -> None:
    life = Life(carried=DUST)
    life.tell(Freeze(reason="look"))
    life.tell(Flatten(by="ann"))
    assert life.position.claim == 0
    assert life.position.realized_pnl == -DUST.cost


# Beside the coins of others ----------------------------------------------------------------------


class Purse:
    """Several bots' positions in one asset, and the account that they share with its owner."""

    def __init__(self, *lives: Life, coins: str = "1") -> None:
        self.lives = lives
        self.there = sum((held_of(life.position) for life in lives), D(coins))
        self.others: dict[Asset, Coins] = {}
        self.missing: frozenset[Asset] = frozenset()
        self.weigh()

    def weigh(self) -> Reconciliation:
        now = max(life.now for life in self.lives) + timedelta(seconds=10)
        positions = tuple(life.position for life in self.lives)
        evidence = Evidence(
            started_at=now,
            versions={each.position_id: each.version for each in positions},
            balances={BASE: self.there},
            missing=self.missing,
        )
        belief = Belief(
            positions=positions,
            terms={each.bot: self.lives[0].terms for each in positions},
            is_ours=lambda name: name.startswith("sf"),
            exclusive=False,
            others=self.others,
        )
        outcome = weigh(belief, evidence, now)
        for life in self.lives:
            life.now = now
            decision = outcome.decisions.get(life.position.position_id)
            if decision is not None:
                life.follow(decision)
        self.others |= outcome.others
        self.missing = outcome.short
        return outcome


def test_dust_is_the_bots_and_the_rest_is_the_owner_s() -> None:
    """Two bots on one symbol: what one leaves is neither the other's nor the owner's."""
    one, other = Life(PROTECTED, bot="one", carried=DUST), Life(PROTECTED, bot="other")
    other.opened()
    other.tell(report(other.order, "OPEN"))
    purse = Purse(one, other)
    assert purse.others[BASE].amount == 1
    round_trip(one)
    one.position = Life(PROTECTED, bot="one", number=2, carried=one.position.left).position
    purse.there = held_of(one.position) + other.position.claim + 1
    assert not purse.weigh().findings
    assert purse.others[BASE].amount == 1


def test_the_owner_s_own_trades_freeze_no_bot_that_has_only_dust() -> None:
    purse = Purse(Life(PROTECTED, carried=DUST))
    purse.there -= D("0.5")
    purse.weigh()
    assert purse.others[BASE].amount == D("0.5")
    assert purse.lives[0].position.frozen is None


def test_dust_that_is_gone_is_written_off_and_asked_of_no_exit() -> None:
    """An exchange turns dust into its own coin at a click: the next exit must not count on it."""
    bare, held = Life(PROTECTED, bot="bare", carried=DUST), Life(PROTECTED, bot="held")
    held.opened(quantity="0.00160")
    held.tell(report(held.order, "OPEN"))
    purse = Purse(bare, held, coins="0")
    purse.there -= DUST.quantity
    assert not purse.weigh().decisions, "once is no proof: a fill may not be visible yet"
    outcome = purse.weigh()
    assert [each.kind for each in outcome.findings] == [FindingKind.HOLDING_MISSING]
    assert isinstance(bare.records[-1], DustLost)
    assert (bare.position.claim, bare.position.realized_pnl) == (0, -DUST.cost)
    assert bare.position.frozen is None
    assert held.position.frozen is None
    assert not purse.weigh().decisions


def test_more_than_dust_is_missing_is_somebody_s_question() -> None:
    """The holding is frozen for what it lacks itself; the dust goes without a question."""
    bare, held = Life(PROTECTED, bot="bare", carried=DUST), Life(PROTECTED, bot="held")
    held.opened(quantity="0.00160")
    held.tell(report(held.order, "OPEN"))
    purse = Purse(bare, held, coins="0")
    purse.there -= DUST.quantity + D("0.0005")
    for _ in range(3):
        purse.weigh()
    assert held.position.frozen is not None
    assert held.position.missing == D("0.0005")
    assert bare.position.frozen is None
    assert bare.position.claim == 0


def refused(life: Life) -> list[str]:
    """Let the exchange find the newest order too small at the market's price."""
    name, why = life.order.client_order_id, "Filter failure: NOTIONAL"
    return life.tell(
        Refusal(client_order_id=name, code="-1013", message=why, grounds=Grounds.TOO_SMALL)
    )


def fallen(quantity: str, terms: Terms = TERMS, *, stop: bool = False, wait: bool = False) -> Life:
    """Return a life that bought at 50000, and whose exit is out when its price has collapsed."""
    life = Life(terms)
    order = life.enter(quantity)
    life.tell(report(order, "FILLED", order.quantity), fill(order, "50000", trade="1"))
    if stop:
        life.tell(report(life.order, "OPEN"))
    if not wait:
        life.tell(PriceSeen(price=D(20000)))
    return life


def test_what_a_fallen_price_made_too_small_to_sell_is_dust_when_the_exchange_says_so() -> None:
    """It was sent, refused and missed for ever: two findings came and went every half minute."""
    life = fallen("0.00016")
    assert life.position.state is State.CLOSING, "who knows what the exchange holds it against"
    assert refused(life)[1:] == ["dust-left", "state-changed"]
    position = life.position
    assert (position.state, position.frozen, position.exit_wish) == (State.CLOSED, None, None)
    assert position.left == Dust(quantity=D("0.00016"), cost=D(8))
    assert replay(life.records) == position
    assert overdue((position,), {life.position.bot: TERMS}, life.now + timedelta(hours=1)) == ()


def test_what_is_worth_more_than_a_few_minimums_is_for_a_person() -> None:
    """A minimum that the exchange has raised is no reason to watch a large holding no more."""
    life = fallen("0.00160")
    for _ in range(3):
        refused(life)
        assert life.position.state is State.OPEN
        life.tell(PriceSeen(price=D(20000)), after=timedelta(minutes=1))
    assert "the exchange refused 3 exits in a row" in str(life.position.frozen)


def test_a_minimum_that_was_raised_makes_no_dust_of_what_was_bought_before() -> None:
    """A watched position that had cost 80, and was worth more, was let go with the next price."""
    life = Life()
    life.opened()
    life.terms = replace(TERMS, instrument=replace(TERMS.instrument, notional_min=D(100)))
    life.tell(PriceSeen(price=D(51000)), after=timedelta(seconds=5))
    assert life.position.state is State.OPEN
    life.tell(ExitSignal())
    assert life.order.quantity == D("0.0016"), "only the exchange knows whether it sells it"
    for _ in range(3):
        refused(life)
        life.tell(ExitSignal(), after=timedelta(minutes=1))
    assert "the exchange refused 3 exits in a row" in str(life.position.frozen)
    assert life.position.state is not State.CLOSED


def test_a_part_that_is_too_small_is_not_all_that_is_held() -> None:
    life = Life()
    order = life.enter("0.00030")
    life.tell(report(order, "FILLED", order.quantity), fill(order, "50000", trade="1"))
    life.tell(ExitSignal(fraction=D("0.4")))
    assert life.order.quantity == D("0.00012")
    refused(life)
    assert (life.position.state, life.position.quantity) == (State.OPEN, D("0.00030"))
    life.tell(ExitSignal(fraction=D("0.6")), after=timedelta(seconds=5))
    out = life.order
    life.tell(report(out, "FILLED", out.quantity), fill(out, "60000", trade="2"))
    assert life.position.quantity == D("0.00012")
    assert life.position.state is State.OPEN, "it is old word about another price"


def test_a_refused_stop_says_nothing_of_an_exit() -> None:
    """What it may be sold for at the market is another price than the stop's."""
    life = Life(PROTECTED)
    order = life.enter("0.00016")
    life.tell(report(order, "FILLED", order.quantity), fill(order, "50000", trade="1"))
    refused(life)
    assert (life.position.state, life.position.quantity) == (State.OPEN, D("0.00016"))


def test_what_is_too_small_to_sell_is_not_let_go_while_a_stop_rests() -> None:
    """The exit that was to take its place is refused: the stop is what still can sell it."""
    life = fallen("0.00016", REPLACING, stop=True)
    stop = next(each for each in life.position.orders if each.role is Role.STOP)
    assert life.order.replaces == stop.client_order_id
    refused(life)
    assert life.position.state is State.OPEN
    assert life.position.left == Dust()
    assert (life.position.quantity, life.position.frozen) == (D("0.00016"), None)
    life.tell(report(stop, "FILLED", stop.quantity), fill(stop, "20000", trade="2"))
    assert life.position.state is State.CLOSED
    assert (life.position.quantity, life.position.left) == (0, Dust())


def raise_minimum(life: Life, to: int) -> None:
    """Let the exchange trade nothing any more that is worth less than this."""
    life.terms = replace(life.terms, instrument=replace(life.terms.instrument, notional_min=D(to)))


def test_a_small_holding_that_a_raised_minimum_outlaws_is_not_let_go() -> None:
    """It had cost 16, its price had not moved, and it was forgotten as dust."""
    life = fallen("0.00032", wait=True)
    raise_minimum(life, 50)
    for _ in range(3):
        life.tell(ExitSignal(), after=timedelta(minutes=1))
        refused(life)
    assert (life.position.state, life.position.left) == (State.OPEN, Dust())
    assert "the exchange refused 3 exits in a row" in str(life.position.frozen)


def test_a_stop_from_before_a_raised_minimum_makes_way_for_nothing() -> None:
    """It was cancelled for an exit that the exchange refuses, and could not be set again."""
    life = fallen("0.00160", REPLACING, stop=True, wait=True)
    stop = life.order
    raise_minimum(life, 200)
    life.tell(Close(by="operator"))
    for _ in range(4):
        assert life.order.replaces == stop.client_order_id
        refused(life)
        life.tell(TimePassed(), after=timedelta(minutes=2))
    resting = life.position.find(stop.client_order_id)
    assert resting is not None
    assert (resting.cancel_at, resting.finished) == (None, False)
    life.tell(report(stop, "FILLED", stop.quantity), fill(stop, "49000", trade="2"))
    assert life.position.quantity == 0


def test_what_is_too_small_to_sell_is_not_let_go_while_an_addition_is_in_doubt() -> None:
    """What it may have bought would be nobody's."""
    life = fallen("0.00016", wait=True)
    life.tell(AddSignal(quantity=D("0.00016")))
    more = life.order
    life.tell(Doubt(client_order_id=more.client_order_id, reason="no answer"))
    life.tell(PriceSeen(price=D(20000)))
    assert life.order == life.position.find(more.client_order_id), "no exit beside it"
    life.tell(report(more, "FILLED", more.quantity), fill(more, "20000", trade="2"))
    assert life.order.quantity == D("0.00032")
    refused(life)
    assert (life.position.state, life.position.left.quantity) == (State.CLOSED, D("0.00032"))
