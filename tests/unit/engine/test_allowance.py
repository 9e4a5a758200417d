"""What an account may enter with: sizes and caps, one entry after the other, before the intent."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import AsyncMock

import pytest
from msgspec.structs import replace
from tests.builders import START, TERMS, D
from tests.unit.engine.counsel import Counsel, Ring
from tests.unit.engine.desk import DIP, LIMITS, MAIN, SWING, Desk, account_spec, bot_spec, tick
from tests.unit.engine.fake import ETH, ETHER

from surefoot.core.errors import InvalidValue
from surefoot.core.records import BotStatusChanged, LossCapLifted, LossCapReached
from surefoot.core.sizing import Amount, Risk, Share, Size
from surefoot.core.values import Asset, BotName, Symbol
from surefoot.engine.allowance import Allowance
from surefoot.engine.limits import Caps, Limits
from surefoot.engine.specs import BotSpec
from surefoot.exchange.errors import ReadFailed
from surefoot.exchange.port import Holding
from surefoot.journal.port import Append, Change, account_stream
from surefoot.strategy import Add, Enter, Exit, Signal

USDT = Asset("USDT")
ALL = Share(fraction=D(1))
OTHER = BotName("other")
WIDE = Limits(
    order_notional=D(1_000_000),
    position_notional=D(1_000_000),
    orders_per_minute=100,
    price_band=D("0.05"),
)


class Till:
    """Bots of one account that enter when a test says so."""

    def __init__(self, desk: Desk, *bots: BotSpec, caps: Caps | None = None) -> None:
        self.desk = desk
        self.bots = bots
        self.caps = caps
        self.rings: dict[BotName, Ring] = {}
        self.prices: dict[Symbol, Decimal] = {}

    async def open(self) -> Till:
        desk = self.desk
        desk.clock.elapsed = max(desk.clock.elapsed, 60.0)
        desk.login.spec = account_spec(*self.bots, caps=self.caps)
        self.allowance = Allowance(desk.login, desk.keepers, desk.journal, self.prices.get)
        for spec in self.bots:
            if spec.bot not in desk.keepers:
                await desk.keeper(spec.bot)
            keeper = desk.keepers[spec.bot]
            self.rings[spec.bot] = Ring(desk, keeper, Counsel(), spec, self.allowance)
        return self

    async def say(self, signal: Signal, bot: BotName = DIP, price: str = "50000") -> None:
        ring = self.rings[bot]
        symbol = ring.keeper.symbol
        self.prices[symbol] = D(price)
        ring.see(tick(price, symbol=symbol))
        await ring.runner._take(signal)
        for position in ring.keeper.positions:
            self.allowance.note(position)

    async def trade(self, buy: str, sell: str, bot: BotName = DIP) -> None:
        """Enter and leave at these prices."""
        for price, signal in ((buy, Enter()), (sell, Exit())):
            self.desk.exchange.last_price = D(price)
            await self.say(signal, bot, price)
            await self.settle()

    async def settle(self) -> None:
        """Let what was written down be sent, and its fills be booked."""
        await self.desk.works.run()
        for keeper in self.desk.keepers.values():
            for fill in tuple(self.desk.exchange.trades):
                for position in keeper.positions:
                    if position.find(None, fill.exchange_order_id) is not None:
                        await keeper.tell(fill, position_id=position.position_id)
            for position in keeper.positions:
                self.allowance.note(position)
        await self.desk.works.run()

    def notional(self) -> list[Any]:
        return [order.quantity * D(50_001) for order in self.desk.exchange.sent]

    def refusals(self) -> list[str]:
        return [line["why"] for line in self.desk.log.said("signal refused")]


def bot(size: Size, name: BotName = DIP, **changes: Any) -> BotSpec:
    return bot_spec(name, **{"notional": size, "limits": WIDE} | changes)


async def till(desk: Desk, *bots: BotSpec, free: str = "1000", caps: Caps | None = None) -> Till:
    desk.exchange.holdings[USDT] = Holding(free=D(free), locked=D(0))
    return await Till(desk, *bots, caps=caps).open()


# Sizes -------------------------------------------------------------------------------------------


async def test_a_share_of_what_is_free_is_asked_for_when_it_is_spent(desk: Desk) -> None:
    here = await till(desk, bot(Share(fraction=D("0.2"))))
    await here.say(Enter())
    await here.settle()
    (spent,) = here.notional()
    assert 195 < spent <= 200


async def test_an_entry_that_waited_too_long_for_its_size_is_not_made(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prices stay fresh while the exchange hangs: a tick proves nothing about the opinion."""
    here = await till(desk, bot(ALL))
    holding = desk.exchange.holding

    async def slow(asset: Asset) -> Holding:
        desk.clock.elapsed += 40.0
        here.rings[DIP].see(tick("49000"))
        return await holding(asset)

    monkeypatch.setattr(desk.exchange, "holding", slow)
    await here.say(Enter())
    await here.settle()
    assert here.notional() == []
    assert "waited too long" in here.refusals()[0]


async def test_two_bots_at_once_do_not_both_take_all_that_is_free(desk: Desk) -> None:
    """The exchange has not said a word of the first when the second is sized."""
    here = await till(desk, bot(ALL), bot(ALL, OTHER))
    await asyncio.gather(here.say(Enter()), here.say(Enter(), OTHER))
    await here.settle()
    assert sum(here.notional()) <= 1000
    assert len(here.notional()) == 1
    assert "is free" in here.refusals()[0] or "minimum" in here.refusals()[0]


async def test_a_bot_with_an_amount_is_not_forgotten_by_one_with_a_share(desk: Desk) -> None:
    here = await till(desk, bot(Amount(notional=D(700))), bot(ALL, OTHER))
    await asyncio.gather(here.say(Enter()), here.say(Enter(), OTHER))
    await here.settle()
    assert len(here.notional()) == 2
    assert sum(here.notional()) <= 1000


async def test_a_risk_is_what_the_stop_may_cost(desk: Desk) -> None:
    """1 % of 1000 to a stop 2 % away is 500."""
    here = await till(desk, bot(Risk(fraction=D("0.01"))))
    await here.say(Enter(stop_loss="2%"))
    await here.settle()
    (spent,) = here.notional()
    assert 495 < spent <= 500


async def test_a_share_grows_up_to_the_cap_and_a_figure_over_it_is_refused(desk: Desk) -> None:
    here = await till(desk, bot(ALL, limits=LIMITS), free="5000")
    await here.say(Enter(notional=2000))
    assert "an order worth" in here.refusals()[0]
    await here.say(Enter())
    await here.settle()
    assert 990 < here.notional()[0] <= 1000


async def test_a_signal_may_say_how_large(desk: Desk) -> None:
    here = await till(desk, bot(Amount(notional=D(100))))
    await here.say(Enter(notional="50%"))
    await here.settle()
    assert 495 < here.notional()[0] <= 500


async def test_no_answer_is_no_entry(desk: Desk) -> None:
    here = await till(desk, bot(ALL))
    desk.exchange.fail("holding", ReadFailed("no answer"))
    await here.say(Enter())
    assert here.refusals() == ["what is free is not known: no answer"]
    assert desk.exchange.sent == []


# Slippage ----------------------------------------------------------------------------------------


async def test_an_entry_pays_no_more_than_its_slippage(desk: Desk) -> None:
    """A limit order that is filled at once or given up. Catches a market order in a thin book."""
    spec = bot(Amount(notional=D(100)), max_slippage=D("0.002"))
    here = await till(desk, spec)
    await here.say(Enter(time_to_live="10s"))
    await desk.works.run()
    (order,) = desk.exchange.sent
    assert order.limit == D("50101.00")  # 0.2 % over the ask of 50001, on the grid
    assert (order.immediate, order.expires_at) == (True, None)
    assert order.quantity * order.limit <= 100


async def test_a_limit_of_the_strategy_is_its_own_business(desk: Desk) -> None:
    spec = bot(Amount(notional=D(100)), max_slippage=D("0.002"))
    here = await till(desk, spec)
    await here.say(Enter(limit=49_999))
    await desk.works.run()
    (order,) = desk.exchange.sent
    assert (order.limit, order.immediate) == (D(49_999), False)


# Caps of the account -----------------------------------------------------------------------------


async def test_the_bots_of_an_account_have_no_more_on_than_its_exposure(desk: Desk) -> None:
    """Also when they enter at once, before anything is filled."""
    hundred = Amount(notional=D(100))
    here = await till(desk, bot(hundred), bot(hundred, OTHER), caps=Caps(exposure=D(150)))
    await asyncio.gather(here.say(Enter()), here.say(Enter(), OTHER))
    await here.settle()
    assert len(desk.exchange.sent) == 1
    assert "the cap exposure is 150" in here.refusals()[0]


async def test_no_more_positions_are_on_than_the_cap_and_a_closed_one_makes_room(
    desk: Desk,
) -> None:
    hundred = Amount(notional=D(100))
    here = await till(desk, bot(hundred), bot(hundred, OTHER), caps=Caps(positions=1))
    await here.say(Enter())
    await here.settle()
    await here.say(Enter(), OTHER)
    assert "the cap positions is 1" in here.refusals()[0]
    await here.say(Exit())
    await here.settle()
    await here.say(Enter(), OTHER)
    await here.settle()
    assert len(desk.exchange.sent) == 3


async def test_another_quote_asset_is_counted_by_itself(desk: Desk) -> None:
    desk.exchange.instruments[ETH] = replace(ETHER, quote=Asset("EUR"))
    here = await till(desk, bot(Amount(notional=D(100))), caps=Caps(exposure=D(150)))
    assert here.allowance._standing(Asset("EUR")).exposure == 0


# The loss of a day -------------------------------------------------------------------------------

LOSING = Caps(daily_loss=D(5))


async def records(desk: Desk) -> list[Any]:
    return [entry.record for entry in await desk.journal.entries(stream=account_stream(MAIN))]


async def lost(desk: Desk) -> Till:
    """Return bots that have lost about ten today."""
    here = await till(desk, bot(Amount(notional=D(100))), caps=LOSING)
    await here.trade("50000", "45000")
    return here


async def test_a_day_that_lost_its_most_takes_no_more_entries(desk: Desk) -> None:
    here = await lost(desk)
    before = len(desk.exchange.sent)
    for _ in range(2):
        await here.say(Enter())
    assert len(desk.exchange.sent) == before
    assert "cap daily_loss 5" in here.refusals()[0]
    (reached,) = await records(desk)
    assert isinstance(reached, LossCapReached)
    assert 9 < reached.lost < 11
    assert len(desk.log.said("loss cap reached")) == 1


async def test_a_restart_forgets_no_loss(desk: Desk) -> None:
    """It follows from the positions, and the word from the journal."""
    await lost(desk)
    again = await till(desk, bot(Amount(notional=D(100))), caps=LOSING)
    await again.say(Enter())
    assert "cap daily_loss" in again.refusals()[0]
    once_more = await till(desk, bot(Amount(notional=D(100))), caps=Caps(daily_loss=D(500)))
    await once_more.say(Enter())
    assert "cap daily_loss" in once_more.refusals()[-1]  # said is said, whatever the cap is now


async def test_the_next_day_begins_anew(desk: Desk) -> None:
    here = await lost(desk)
    await here.say(Enter())
    desk.clock.elapsed += timedelta(days=1).total_seconds()
    desk.exchange.last_price = D(50_000)
    before = len(desk.exchange.sent)
    await here.say(Enter())
    await here.settle()
    assert len(desk.exchange.sent) == before + 1


async def test_a_clock_that_was_over_midnight_for_a_moment_forgets_no_loss(desk: Desk) -> None:
    """One wrong answer of the exchange about its time was a new day, and the old one was empty."""
    here = await lost(desk)
    day = timedelta(days=1).total_seconds()
    desk.clock.elapsed += day
    assert await here.allowance.lost_today(USDT) == 0
    desk.clock.elapsed -= day
    assert await here.allowance.lost_today(USDT) > 9


async def test_an_operator_lets_as_much_be_lost_once_more(desk: Desk) -> None:
    here = await lost(desk)
    with pytest.raises(InvalidValue, match="has not reached"):
        await here.allowance.lift("ann")
    await here.say(Enter())
    assert "let pass" in await here.allowance.lift("ann")
    await here.trade("50000", "45000")
    desk.clock.elapsed += 61.0  # the same refusal is not said again before
    await here.say(Enter())
    assert "has lost 1" in here.refusals()[-1] or "has lost 2" in here.refusals()[-1]
    kinds = [type(each) for each in await records(desk)]
    assert kinds == [LossCapReached, LossCapLifted, LossCapReached]


async def test_a_win_pays_for_a_loss(desk: Desk) -> None:
    here = await till(desk, bot(Amount(notional=D(100))), caps=Caps(daily_loss=D(15)))
    await here.trade("50000", "45000")
    await here.trade("50000", "60000")
    assert await here.allowance.lost_today(USDT) < 0
    assert SWING not in here.rings


# Additions ---------------------------------------------------------------------------------------


async def test_an_addition_is_sized_and_sent_and_the_caps_count_what_is_held(desk: Desk) -> None:
    """Catches a position that grows past its caps one order at a time."""
    limits = replace(WIDE, position_notional=D(250))
    here = await till(desk, bot(Amount(notional=D(100)), limits=limits))
    await here.say(Enter())
    await here.settle()
    await here.say(Add())
    await here.settle()
    (keeper,) = desk.keepers.values()
    assert keeper.position.entries == len(desk.exchange.sent) == 2
    assert 195 < keeper.position.held_cost <= 200
    await here.say(Add())
    assert "the cap position_notional 250" in here.refusals()[0]
    await here.say(Add(notional=40))
    await here.settle()
    assert len(desk.exchange.sent) == 3


async def test_an_addition_counts_in_the_account_s_exposure_and_is_no_further_position(
    desk: Desk,
) -> None:
    hundred = Amount(notional=D(100))
    here = await till(desk, bot(hundred), caps=Caps(exposure=D(250), positions=1))
    for signal in (Enter(), Add(), Add()):
        await here.say(signal)
        await here.settle()
    assert len(desk.exchange.sent) == 2
    assert "the cap exposure is 250" in here.refusals()[0]


async def test_a_share_is_cut_to_what_the_position_may_still_grow(desk: Desk) -> None:
    limits = replace(WIDE, position_notional=D(250))
    here = await till(desk, bot(Amount(notional=D(100)), limits=limits))
    await here.say(Enter())
    await here.settle()
    await here.say(Add(notional="50%"))
    await here.settle()
    assert 245 < sum(here.notional()) <= 250


async def test_the_risk_of_an_addition_is_to_the_stop_as_it_stands(desk: Desk) -> None:
    """2 % to the stop of an entry at 50000; 1 % is left at 49490, so twice as much is bought."""
    here = await till(desk, bot(Amount(notional=D(100))), free="900")
    await here.say(Enter(stop_loss="2%"))
    await here.settle()
    await here.say(Add(notional="risk 0.1%"), price="49490")
    await here.settle()
    assert len(desk.exchange.sent) == 2
    assert 95 < desk.exchange.sent[1].quantity * D(49_491) < 105
    await here.say(Add(limit=48_900), price="49490")
    assert "beyond its stop at 49000" in here.refusals()[0]


async def test_an_addition_without_a_position_is_refused(desk: Desk) -> None:
    here = await till(desk, bot(Amount(notional=D(100))))
    await here.say(Add())
    assert here.refusals() == ["nothing is added while the position is FLAT"]


EUR = Asset("EUR")


async def two_quotes(desk: Desk) -> Till:
    """Return two bots, paid with two assets, that have both lost their most of a day."""
    desk.exchange.instruments[ETH] = replace(ETHER, quote=EUR)
    hundred = Amount(notional=D(100))
    await desk.keeper(SWING, terms=replace(TERMS, instrument=replace(ETHER, quote=EUR)))
    here = await till(desk, bot(hundred), bot(hundred, SWING, symbol=ETH), caps=LOSING)
    for name in (DIP, SWING):
        await here.trade("50000", "45000", name)
    return here


async def test_each_quote_asset_has_a_word_of_its_own(desk: Desk) -> None:
    """The second to reach its cap took the word of the first, and a lift of one undid the other's.

    Every entry that was refused left a record then.
    """
    here = await two_quotes(desk)
    for _ in range(3):
        await here.say(Enter())
        await here.say(Enter(), SWING)
    reached = await records(desk)
    assert [each.quote for each in reached] == [USDT, EUR]
    assert " and " in await here.allowance.lift("ann")
    before = len(desk.exchange.sent)
    for _ in range(2):
        await here.say(Enter())
        await here.say(Enter(), SWING)
    await here.settle()
    assert len(desk.exchange.sent) == before + 2


async def test_the_loss_of_a_bot_that_is_no_more_is_the_accounts_too(desk: Desk) -> None:
    """A losing bot that was taken out of the configuration took its loss with it."""
    here = await till(desk, bot(Amount(notional=D(100)), OTHER), caps=LOSING)
    await here.trade("50000", "45000", OTHER)
    word = BotStatusChanged(at=START, bot=OTHER, status="RUNNING", by="surefoot", reason=None)
    append = Append(stream=f"bot/{OTHER}", expected=0, records=(word,))
    await desk.journal.commit(Change(at=START, appends=(append,)))
    del desk.keepers[OTHER]
    again = await till(desk, bot(Amount(notional=D(100))), caps=LOSING)
    await again.say(Enter())
    assert "cap daily_loss" in again.refusals()[-1]


async def test_what_closes_while_the_day_is_read_counts(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal was read before it closed, and nobody listened yet when it did."""
    here = await lost(desk)
    gone = desk.keepers[DIP].positions
    closed = next(each for each in gone if each.closed_at is not None)
    again = await till(desk, bot(Amount(notional=D(100)), OTHER), caps=LOSING)
    read = desk.journal.bots

    async def slow() -> Any:
        again.allowance.note(closed)
        return await read()

    monkeypatch.setattr(desk.journal, "bots", slow)
    monkeypatch.setattr(desk.journal, "position", AsyncMock(return_value=None))
    await again.say(Enter(), OTHER)
    assert "cap daily_loss" in again.refusals()[-1]
    assert here.refusals()


async def test_what_is_open_and_under_water_may_be_lost_too(desk: Desk) -> None:
    """Catches one entry after the other into a market that falls, with nothing closed yet."""
    hundred = Amount(notional=D(100))
    here = await till(desk, bot(hundred), bot(hundred, OTHER), caps=LOSING)
    await here.say(Enter())
    await here.settle()
    await here.say(Enter(), OTHER, price="47000")
    assert "more would be lost by what is open" in here.refusals()[-1]
    assert await records(desk) == []
    await here.say(Enter(), OTHER, price="49000")
    await here.settle()
    assert len(desk.exchange.sent) == 2


async def test_what_is_open_and_wins_pays_for_no_loss(desk: Desk) -> None:
    hundred = Amount(notional=D(100))
    here = await till(desk, bot(hundred), bot(hundred, OTHER), caps=LOSING)
    await here.say(Enter())
    await here.settle()
    await here.trade("50000", "45000", OTHER)
    await here.say(Enter(), OTHER, price="90000")
    assert "has lost" in here.refusals()[-1]


async def test_the_same_refusal_with_other_figures_is_said_once(desk: Desk) -> None:
    """Figures move with every price: a strategy that asks at each one filled the log."""
    hundred = Amount(notional=D(100))
    here = await till(desk, bot(hundred, limits=LIMITS), caps=Caps(exposure=D(50)))
    for price in ("50000", "50001.5", "49990"):
        await here.say(Enter(), price=price)
        await here.say(Enter(notional=5000), price=price)  # two that alternate are two
    assert len(here.refusals()) == 2
