"""What a round asks: as little as proves it, and what it costs follows from what has changed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from decimal import Decimal
from types import FrameType
from typing import Any

import pytest
from msgspec.structs import replace
from tests.builders import BTC, START, TERMS, Life, report
from tests.unit.engine.clock import HandClock, turns
from tests.unit.engine.desk import (
    DIP,
    ENTER,
    SWING,
    Desk,
    Floor,
    PoisonableJournal,
    account_spec,
    bot_spec,
    of_a_lost_journal,
    opened,
)
from tests.unit.engine.fake import ETH, FakeExchange
from typing_extensions import override

from surefoot.core.position import State
from surefoot.core.values import Asset, BotName, Side, Symbol
from surefoot.engine.enquiry import LOOK_UPS_MAX
from surefoot.engine.inspection import Inspection
from surefoot.engine.marks import NAMES_MAX, Marks
from surefoot.engine.questions import RESTING_SHARE, Questions
from surefoot.exchange.errors import ReadFailed, Unknown
from surefoot.exchange.port import Identity

TWO = account_spec(bot_spec(native_stop=True), bot_spec(SWING, ETH))


class RestoredJournal(PoisonableJournal):
    """A journal of which an older copy was put back, once the test says so."""

    restored = False

    @property
    @override
    def epochs(self) -> tuple[str, ...]:
        return (*super().epochs, "former") if self.restored else super().epochs


async def first_life(exchange: FakeExchange, journal: PoisonableJournal) -> None:
    """Let one bot buy and its stop rest, and everything be compared."""
    async with opened(TWO, exchange=exchange, journal=journal) as floor:
        await floor.account.recovery.patiently()
        keeper = floor.account.roster.keepers[DIP]
        await keeper.tell(ENTER)
        await turns()
        await keeper.tell(exchange.trades[-1])
        await turns()
        await floor.account.rounds.inspection.everything()


async def asked_at_a_start(exchange: FakeExchange, journal: PoisonableJournal) -> list[str]:
    exchange.asked.clear()
    async with opened(TWO, exchange=exchange, journal=journal) as floor:
        await floor.account.recovery.patiently()
        await turns()
        assert floor.account.roster.refusal(DIP) is None
    return [f"{e.verb} {e.about}".strip() for e in exchange.asked if e.verb not in EVERY_START]


EVERY_START = {"connect", "identify", "market", "ticks"}
LISTS = ["balances", "open_orders BTC/USDT", "open_orders ETH/USDT"]


@pytest.fixture
def exchange() -> FakeExchange:
    made = FakeExchange(HandClock())
    made.clock.hurried = True
    return made


async def test_a_start_reads_no_trades_where_nothing_has_changed(exchange: FakeExchange) -> None:
    """Two reads of trades for each symbol, one after the other: 128 s for a thousand bots."""
    journal = PoisonableJournal()
    await first_life(exchange, journal)
    assert await asked_at_a_start(exchange, journal) == LISTS


async def test_a_start_reads_the_trades_of_what_has_changed(exchange: FakeExchange) -> None:
    """The balance of one, the orders of the other."""
    journal = PoisonableJournal()
    await first_life(exchange, journal)
    exchange.trade(Side.BUY, "1", symbol=ETH)
    asked = await asked_at_a_start(exchange, journal)
    assert [each for each in asked if "fills" in each or "newest" in each] == [
        "newest_fills ETH/USDT"
    ]
    stop = exchange.orders[-1]
    exchange.execute(stop.exchange_order_id, stop.quantity)
    asked = await asked_at_a_start(exchange, journal)
    assert [each for each in asked if "fills" in each] == [
        f"fills_of BTC/USDT,{stop.exchange_order_id}"
    ]


async def test_what_a_fill_does_not_explain_is_looked_for_among_all_orders(
    exchange: FakeExchange,
) -> None:
    """Catches a stop that filled, taken for all there was: somebody sold beside it."""
    journal = PoisonableJournal()
    await first_life(exchange, journal)
    stop = exchange.orders[-1]
    exchange.execute(stop.exchange_order_id, stop.quantity)
    exchange.trade(Side.BUY, "1")
    asked = await asked_at_a_start(exchange, journal)
    assert f"newest_orders {BTC}" in asked
    (position, *_) = await journal.positions()
    assert position.state is State.CLOSED


@pytest.mark.parametrize("side", Side)
async def test_others_trades_cost_one_list_of_orders_however_many(
    exchange: FakeExchange, side: Side
) -> None:
    """One read of trades, and then whose each of them was: 24 of weight, and 44 for six."""
    exchange.trade(Side.BUY, "5", "long-ago")
    journal = PoisonableJournal()
    await first_life(exchange, journal)
    exchange.clock.elapsed += 15
    for number in range(6):
        exchange.trade(side, "0.5", f"by-hand-{number}")
    asked = await asked_at_a_start(exchange, journal)
    assert sorted(asked) == sorted([*LISTS, f"newest_orders {BTC}"])
    seen = await journal.last("account/main", "others-seen")
    assert seen is not None
    assert seen.record.coins[Asset("BTC")].amount == (8 if side is Side.BUY else 2)


async def test_a_stop_that_sold_among_others_is_no_sale_of_theirs(exchange: FakeExchange) -> None:
    """The list of live orders may be of before; catches coins of ours noted as gone with theirs."""
    exchange.trade(Side.BUY, "5", "long-ago")
    journal = PoisonableJournal()
    await first_life(exchange, journal)
    stop = exchange.orders[-1]
    exchange.late = {stop.client_order_id: stop}
    exchange.execute(stop.exchange_order_id, stop.quantity / 2)
    exchange.trade(Side.BUY, "1", "by-hand")
    asked = await asked_at_a_start(exchange, journal)
    assert f"newest_orders {BTC}" in asked
    assert any(each.startswith(f"fills {BTC}") for each in asked)
    (position, _) = await journal.positions()
    assert position.quantity == stop.quantity / 2


async def test_an_order_with_our_mark_among_theirs_freezes(exchange: FakeExchange) -> None:
    """However many others came after it: only the newest twenty of them were looked up."""
    journal = PoisonableJournal()
    await first_life(exchange, journal)
    exchange.place(of_a_lost_journal())
    for number in range(LOOK_UPS_MAX + 1):
        exchange.trade(Side.BUY, "1", f"by-hand-{number}")
    async with opened(TWO, exchange=exchange, journal=journal) as floor:
        await floor.account.recovery.patiently()
        assert "carries our mark" in str(floor.account.roster.keepers[DIP].position.frozen)


async def test_an_order_with_our_mark_behind_a_full_page_freezes(exchange: FakeExchange) -> None:
    """Catches a page of newer orders that is taken for all since the coins were weighed."""
    journal = PoisonableJournal()
    await first_life(exchange, journal)
    exchange.place(of_a_lost_journal())
    for number in range(60):
        exchange.trade(Side.BUY, "1", f"by-hand-{number}")
    exchange.newest = 10
    async with opened(TWO, exchange=exchange, journal=journal) as floor:
        await floor.account.recovery.patiently()
        assert "carries our mark" in str(floor.account.roster.keepers[DIP].position.frozen)


async def test_names_are_bounded_and_what_a_question_is_about_is_kept(
    exchange: FakeExchange,
) -> None:
    """Up to a thousand names a round were kept for the life of the process."""
    marks = Marks(exchange)
    for number in range(NAMES_MAX + 50):
        exchange.trade(Side.BUY, "1", f"by-hand-{number}")
    fills = await exchange.newest_fills(BTC)
    for _ in range(3):  # more than is remembered: a proof still comes to an end
        with suppress(ReadFailed):
            await marks.ask(BTC, fills, since=START, every=True, most=NAMES_MAX)
    assert all(fill.client_order_id for fill in marks.on(BTC, fills))
    assert exchange.count("order_by_exchange_id") == NAMES_MAX + 50
    await marks.ask(BTC, fills[-1:], since=None, every=False, most=1)
    known = [fill for fill in marks.on(BTC, fills) if fill.client_order_id]
    assert len(known) == NAMES_MAX
    assert known[-1] == replace(fills[-1], client_order_id=known[-1].client_order_id)


async def test_trades_are_read_where_nobody_tells_whose_the_orders_were(
    exchange: FakeExchange,
) -> None:
    journal = PoisonableJournal()
    await first_life(exchange, journal)
    exchange.trade(Side.BUY, "1", "by-hand")
    exchange.fail("newest_orders", ReadFailed("no answer"))
    asked = await asked_at_a_start(exchange, journal)
    assert any(each.startswith(f"fills {BTC}") for each in asked)
    assert f"order_by_exchange_id {BTC},by-hand" in asked


async def sold_by_hand(exchange: FakeExchange, journal: PoisonableJournal, ago: float) -> list[str]:
    """Return what a start asks of fills and balances after somebody sold so long ago.

    The list of orders shows the sale as not over yet, so that its trades must tell.
    """
    exchange.unfinished.add("foreign")
    async with opened(TWO, exchange=exchange, journal=journal) as floor:
        await floor.account.recovery.patiently()
        keeper = floor.account.roster.keepers[SWING]
        await keeper.tell(ENTER)
        await turns()
        await keeper.tell(exchange.trades[-1])
        await floor.account.rounds.inspection.everything()
    exchange.clock.elapsed += 100
    exchange.trade(Side.SELL, ENTER.quantity, symbol=ETH)
    exchange.clock.elapsed += ago
    asked = await asked_at_a_start(exchange, journal)
    assert (await journal.positions())[1].state is State.CLOSED
    return [each for each in asked if "fills" in each or "balances" in each]


async def test_one_read_of_trades_explains_a_holding(exchange: FakeExchange) -> None:
    """Twice of trades and once of balances for each symbol: 64 of weight, and 24 are enough."""
    asked = await sold_by_hand(exchange, PoisonableJournal(), 100)
    assert asked == ["balances", "fills ETH/USDT,since the account is ours"]


async def test_a_balance_that_a_trade_may_not_show_in_yet_is_asked_for_again(
    exchange: FakeExchange,
) -> None:
    """Catches a sale of a moment ago, weighed against the coins that were there before it."""
    asked = await sold_by_hand(exchange, PoisonableJournal(), 45)
    assert asked == ["balances", "fills ETH/USDT,since the account is ours", "balances"]


class TellingOnce(FakeExchange):
    """Answers with the balances that it told when it was asked whose the keys are."""

    told: dict[Asset, Decimal]

    @override
    async def identify(self) -> Identity:
        self.told = await super().balances()
        return await super().identify()

    @override
    async def balances(self, *, since: datetime | None = None) -> dict[Asset, Decimal]:
        return await super().balances() if since is None else self.told


async def test_a_balance_told_before_a_stop_filled_is_not_that_of_now() -> None:
    """Coins that were sold became somebody else's: the next holding was short of them, and froze.

    An operator asks for a recovery, and the stream tells of the fill while it begins.
    """
    exchange, journal = TellingOnce(HandClock()), PoisonableJournal()
    exchange.clock.hurried = True
    await first_life(exchange, journal)
    async with opened(TWO, exchange=exchange, journal=journal) as floor:
        await floor.account.recovery.patiently()
        stop = exchange.orders[-1]
        exchange.execute(stop.exchange_order_id, stop.quantity)
        for told in (exchange.trades[-1], exchange.orders[-1]):
            await floor.account.roster.keepers[DIP].tell(told)
        await floor.account.rounds.inspection.everything(since=floor.account.login.serving)
    seen = await journal.last("account/main", "others-seen")
    assert seen is not None
    assert seen.record.coins[BTC.split("/")[0]].amount == 0


async def test_a_restored_journal_reads_everything(exchange: FakeExchange) -> None:
    """What it does not know may be anywhere, and the balance that it has is not that of now."""
    journal = RestoredJournal()
    await first_life(exchange, journal)
    journal.restored = True
    asked = await asked_at_a_start(exchange, journal)
    assert sum("fills" in each for each in asked) >= 2


async def test_fresh_bots_cost_no_read_of_trades(exchange: FakeExchange) -> None:
    """20 of weight each: a thousand took five minutes. Nothing of ours can have traded there."""
    async with crowd(exchange, 40) as floor:
        assert [e.verb for e in exchange.asked if "fills" in e.verb] == []
        exchange.asked.clear()
        await floor.account.rounds.inspection.everything()
        assert [e.verb for e in exchange.asked] == ["open_orders", "balances"]


async def test_fresh_bots_look_where_coins_lie_and_no_second_time(exchange: FakeExchange) -> None:
    """They may be of a journal that is lost."""
    exchange.trade(Side.BUY, "1", symbol=ETH)
    async with opened(TWO, exchange=exchange, journal=PoisonableJournal()) as floor:
        for asked in (["newest_fills ETH/USDT"], []):
            exchange.asked.clear()
            await floor.account.recovery.patiently()
            found = [f"{e.verb} {e.about}" for e in exchange.asked if "fills" in e.verb]
            assert found == asked


async def test_what_a_lost_journal_buys_after_the_start_is_noticed(exchange: FakeExchange) -> None:
    """Catches a symbol that was empty once and is never looked at again."""
    async with crowd(exchange, 1) as floor:
        keeper = floor.account.roster.keepers[BotName("bot-0")]
        exchange.place(of_a_lost_journal(), keeper.symbol)
        await floor.account.rounds.inspection.everything()
        assert "carries our mark" in str(keeper.position.frozen)


async def test_a_first_order_is_looked_for_since_the_journal_is_the_account_s(
    exchange: FakeExchange,
) -> None:
    """Catches a proof of absence that reads every trade that the account ever had there."""
    async with opened(TWO, exchange=exchange, journal=PoisonableJournal()) as floor:
        await floor.account.recovery.patiently()
        exchange.answer(Unknown("time-out"), accepted=False)
        keeper = floor.account.roster.keepers[DIP]
        await keeper.tell(ENTER)
        await turns()
        exchange.clock.elapsed += 70
        exchange.asked.clear()
        await floor.account.rounds.inspection.everything()
        assert keeper.position.state is State.FLAT
    found = [f"{e.verb} {e.about}" for e in exchange.asked if "fills" in e.verb]
    assert found == ["fills BTC/USDT,since the account is ours"]


async def test_a_stop_in_doubt_is_looked_for_among_the_trades_before_it_is_withdrawn(
    exchange: FakeExchange,
) -> None:
    """While it may still come no trade proves anything; then one may say that it has sold.

    Catches trades that are left unread until V has passed: a missed stop is concluded upon earlier.
    """
    async with opened(TWO, exchange=exchange, journal=PoisonableJournal()) as floor:
        await floor.account.recovery.patiently()
        keeper = floor.account.roster.keepers[DIP]
        await keeper.tell(ENTER)
        await turns()
        exchange.answer(Unknown("time-out"), accepted=False)
        await keeper.tell(exchange.trades[-1])
        await turns()
        for seconds, reads in ((2, 0), (10, 1)):
            exchange.clock.elapsed += seconds
            exchange.asked.clear()
            await floor.account.rounds.inspection.everything()
            assert exchange.count("fills") == reads


def test_a_thousand_resting_stops_are_asked_about_within_their_share(desk: Desk) -> None:
    """24 of weight a minute for each: 250 of them used up the address."""
    questions = Questions.within(desk.exchange)
    life = Life(replace(TERMS, native_stop=True))
    life.opened()
    life.tell(report(life.order, "OPEN"))
    orders = [replace(life.order, client_order_id=f"stop-{n}") for n in range(1_000)]
    asked = 0
    for step in range(60 * 10):
        asked += len(questions.due(orders, 100.0 + step))
    limit = desk.exchange.venue.weight.limit
    assert 4 * asked / 10 <= RESTING_SHARE * limit * 1.02
    assert asked >= 1_000  # and each of them is asked about


# Many --------------------------------------------------------------------------------------------


def crowd(exchange: FakeExchange, count: int, *, symbols: int = 0) -> Any:
    """Start so many bots, each on a symbol of its own or on so many together."""
    names = [Symbol(f"C{number}/USDT") for number in range(symbols or count)]
    for name in names:
        exchange.instruments[name] = replace(
            exchange.instruments[BTC], symbol=name, base=Asset(name[:-5])
        )
    bots = [bot_spec(BotName(f"bot-{n}"), names[n % len(names)]) for n in range(count)]
    return _Crowd(exchange, account_spec(*bots))


class _Crowd:
    def __init__(self, exchange: FakeExchange, spec: Any) -> None:
        self._opened = opened(spec, exchange=exchange)

    async def __aenter__(self) -> Floor:
        floor = await self._opened.__aenter__()
        await floor.account.recovery.patiently()
        await turns()
        return floor

    async def __aexit__(self, *why: object) -> None:
        await self._opened.__aexit__(*why)


@contextmanager
def counted() -> Iterator[list[int]]:
    """Count the calls of functions: what the work is, whatever the machine."""
    calls = [0]

    def look(_frame: FrameType, event: str, _argument: object) -> None:
        calls[0] += event == "call"

    sys.setprofile(look)
    try:
        yield calls
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize(("most", "symbols"), [(3_000, 60), (600, 0)])
async def test_comparing_grows_with_bots_and_not_with_their_square(most: int, symbols: int) -> None:
    """651 ms at 3,000: every position was held against every order of every other."""
    each: list[float] = []
    for count in (most // 6, most):
        exchange = FakeExchange(HandClock())
        exchange.clock.hurried = True
        async with crowd(exchange, count, symbols=symbols) as floor:
            inspection: Inspection = floor.account.rounds.inspection
            with counted() as calls:
                await inspection.everything()
            each.append(calls[0] / count)
    assert each[1] < each[0] * 1.5
