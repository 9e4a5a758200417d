"""What a round of questions brings: only what was answered, and how far fills are proven read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.builders import BTC, START, TERMS, D
from tests.unit.engine.desk import ENTER, Desk, of_a_lost_journal
from tests.unit.engine.fake import ETH, Ask
from tests.unit.engine.test_books import concluded

from surefoot.core.evidence import Evidence
from surefoot.core.order import OrderStatus
from surefoot.core.signals import ExitSignal
from surefoot.core.values import Side, Symbol, TradeId
from surefoot.engine.enquiry import LOOK_UPS_MAX
from surefoot.engine.gathered import Gathered, Shared
from surefoot.engine.keeper import Keeper
from surefoot.exchange.errors import Banned, NotSent, ReadFailed, Unknown

NONE = frozenset[str]()


def marked(trade: str) -> Gathered:
    """Return a round that saw nothing but how far fills are read."""
    evidence = Evidence(started_at=START, versions={})
    return Gathered(evidence=evidence, watermarks={BTC: TradeId(trade)}, failures=())


async def everything(desk: Desk, *symbols: Symbol, lookback: timedelta | None = None) -> Gathered:
    return await desk.read(*(symbols or (BTC,)), lookback=lookback)


async def in_doubt(desk: Desk, *, accepted: bool = False) -> Keeper:
    """Leave a bot with an entry of which nobody knows whether it was accepted."""
    keeper = await desk.keeper()
    desk.exchange.answer(Unknown("time-out"), accepted=accepted)
    await keeper.tell(ENTER)
    await desk.works.run()
    return keeper


# What was not answered is not there --------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "listed", "unread"),
    [
        ("open_orders", "open orders of BTC/USDT: no answer", {BTC}),
        ("order", "no answer", {BTC}),
        ("fills", "fills of BTC/USDT: no answer", {BTC}),
        ("balances", "balances: no answer", set()),
    ],
)
async def test_a_failed_read_is_left_out_and_listed(
    desk: Desk, verb: str, listed: str, unread: set[Symbol]
) -> None:
    """Catches a failed question that leaves an empty answer behind, from which absence follows."""
    keeper = await in_doubt(desk)
    desk.exchange.fail(verb, ReadFailed("no answer"))
    gathered = await everything(desk)
    name = keeper.position.orders[0].client_order_id
    assert len(gathered.failures) == 1
    assert listed in gathered.failures[0]
    assert gathered.unread == unread
    evidence = gathered.evidence
    assert (name in evidence.looked_up) == (verb != "order")
    assert (BTC in evidence.windows) == (verb != "fills")
    assert (evidence.balances is None) == (verb == "balances")
    assert gathered.watermarks == {}


@pytest.mark.parametrize("verb", ["open_orders", "order", "fills", "balances"])
async def test_a_ban_ends_the_round(desk: Desk, verb: str) -> None:
    """Everything else would fail too, and every further question makes a ban longer."""
    await in_doubt(desk)
    desk.exchange.fail(verb, Banned(desk.exchange.now(), "too many requests"))
    with pytest.raises(Banned):
        await everything(desk)
    assert desk.exchange.asked[-1].verb == verb


async def test_a_failure_on_one_symbol_leaves_the_others_their_evidence(desk: Desk) -> None:
    await desk.opened(await desk.keeper())
    await desk.ether()
    desk.exchange.fail("fills", ReadFailed("no answer"), about=BTC)
    gathered = await everything(desk, BTC, ETH)
    assert set(gathered.evidence.windows) == {ETH}
    assert gathered.unread == {BTC}


async def test_what_the_exchange_really_said_is_there(desk: Desk) -> None:
    keeper = await in_doubt(desk)
    gathered = await everything(desk)
    name = keeper.position.orders[0].client_order_id
    assert gathered.evidence.looked_up == {name: None}
    assert gathered.evidence.windows[BTC].complete
    assert gathered.evidence.started_at == desk.exchange.now()
    assert gathered.evidence.versions == {keeper.position.position_id: keeper.position.version}
    assert (gathered.failures, gathered.unread) == ((), NONE)


async def test_orders_are_asked_before_fills(desk: Desk) -> None:
    """The order is part of the proof: a fill that comes in between is seen, not missed."""
    await in_doubt(desk)
    await everything(desk)
    verbs = [ask.verb for ask in desk.exchange.asked]
    assert verbs == ["balances", "open_orders", "order", "fills"]


@pytest.mark.parametrize(("symbols", "lists"), [(13, 13), (14, 1)])
async def test_open_orders_are_listed_in_whichever_way_costs_less(
    desk: Desk, symbols: int, lists: int
) -> None:
    names = [Symbol(f"C{number}/USDT") for number in range(symbols)]
    await desk.read(*names)
    assert desk.exchange.count("open_orders") == lists
    assert desk.exchange.count("balances") == 1


async def test_without_the_list_of_all_orders_each_symbol_is_listed(desk: Desk) -> None:
    """Catches a list that did not come and is taken for an empty one."""
    names = [Symbol(f"C{number}/USDT") for number in range(14)]
    desk.exchange.fail("open_orders", ReadFailed("no answer"), times=1)
    await desk.read(*names)
    assert desk.exchange.count("open_orders") == 15


# Fills and the watermark -------------------------------------------------------------------------


async def test_the_watermark_moves_to_the_last_fill_of_a_complete_window(desk: Desk) -> None:
    await desk.keeper()
    desk.exchange.trade(Side.BUY, "1")
    last = desk.exchange.trade(Side.SELL, "1")
    assert (await everything(desk)).watermarks == {BTC: last.trade_id}


async def test_the_watermark_stays_behind_an_incomplete_window(desk: Desk) -> None:
    """Catches a watermark that jumps a page that was never read."""
    await desk.opened(await desk.keeper())
    desk.exchange.complete = False
    gathered = await everything(desk)
    assert gathered.watermarks == {}
    assert not gathered.evidence.windows[BTC].complete
    assert len(gathered.evidence.windows[BTC].fills) == 1


async def test_the_watermark_waits_for_an_open_intent(desk: Desk) -> None:
    """Catches a watermark that passes the very fill which would have named the intent."""
    await in_doubt(desk, accepted=True)
    gathered = await everything(desk)
    assert gathered.watermarks == {}
    assert len(gathered.evidence.windows[BTC].fills) == 1


async def test_an_intent_on_one_symbol_does_not_hold_another_back(desk: Desk) -> None:
    await in_doubt(desk)
    await desk.ether()
    trade = desk.exchange.trade(Side.BUY, "1", symbol=ETH)
    assert (await everything(desk, BTC, ETH)).watermarks == {ETH: trade.trade_id}


async def test_reading_starts_at_the_watermark_or_where_it_stood_a_day_ago(desk: Desk) -> None:
    await desk.keeper()
    for trade in ("1", "2"):
        await concluded(desk, marked(trade))
        desk.clock.elapsed += 20 * 3600
    desk.exchange.asked.clear()
    await everything(desk)
    await everything(desk, lookback=timedelta(hours=24))
    await everything(desk, lookback=timedelta(hours=96))
    asked = [ask.about for ask in desk.exchange.asked if ask.verb == "fills"]
    assert asked == ["BTC/USDT,after 2", "BTC/USDT,after 1", "BTC/USDT,after 1"]


async def test_an_exchange_that_started_over_is_said_and_teaches_nothing(desk: Desk) -> None:
    await desk.opened(await desk.keeper())
    desk.exchange.reset = True
    gathered = await everything(desk)
    assert gathered.reset is not None
    assert "is this the right account" in gathered.reset
    assert (gathered.watermarks, gathered.evidence.windows) == ({}, {})


async def test_fills_of_settled_positions_are_left_out_and_kept_ones_are_not(desk: Desk) -> None:
    """A fill that is booked on a position no longer kept is not somebody else's trade."""
    keeper = await desk.keeper()
    await desk.opened(keeper)
    assert len((await everything(desk)).evidence.windows[BTC].fills) == 1
    await keeper.tell(ExitSignal())
    await desk.works.run()
    await keeper.tell(desk.exchange.trades[-1], position_id=keeper.positions[0].position_id)
    keeper.forget_settled()
    assert (await everything(desk)).evidence.windows[BTC].fills == ()


# Whose an unknown order is -----------------------------------------------------------------------


async def test_a_fill_of_an_unknown_order_gets_the_name_that_the_order_carries(desk: Desk) -> None:
    """Catches absence that is concluded although a fill of that very order is in the window."""
    keeper = await in_doubt(desk, accepted=True)
    gathered = await everything(desk)
    name = keeper.position.orders[0].client_order_id
    assert [fill.client_order_id for fill in gathered.evidence.windows[BTC].fills] == [name]
    assert Ask("order_by_exchange_id", "BTC/USDT,1") in desk.exchange.asked


async def test_whose_an_order_is_is_asked_once(desk: Desk) -> None:
    await in_doubt(desk, accepted=True)
    await everything(desk)
    await everything(desk)
    assert desk.exchange.count("order_by_exchange_id") == 1


async def test_while_no_intent_is_open_only_the_newest_are_asked_about(desk: Desk) -> None:
    """One of ours may be among them; nothing is proven by it, so a busy account is no failure."""
    await desk.keeper()
    for number in range(LOOK_UPS_MAX + 1):
        desk.exchange.trade(Side.BUY, "1", f"theirs-{number}")
    assert (await everything(desk)).failures == ()
    about = [ask.about for ask in desk.exchange.asked if ask.verb == "order_by_exchange_id"]
    assert len(about) == LOOK_UPS_MAX
    assert "BTC/USDT,theirs-0" not in about


@pytest.mark.parametrize("known", [False, True])
async def test_a_fill_of_a_lost_journal_freezes(desk: Desk, *, known: bool) -> None:
    """A new journal bought again beside what the deleted one held; one that is in use as well.

    Red when fills were looked up only while something was in doubt.
    """
    keeper = await desk.keeper()
    if known:
        await desk.opened(keeper)
        await concluded(desk, await everything(desk))
    desk.exchange.place(of_a_lost_journal())
    await concluded(desk, await everything(desk))
    assert "carries our mark, but the journal has no such order" in str(keeper.position.frozen)


async def test_an_untold_balance_is_no_empty_one(desk: Desk) -> None:
    """Of a symbol that is new, trades are left out only where the exchange said: not a coin."""
    await desk.keeper()
    desk.exchange.fail("balances", ReadFailed("no answer"))
    await everything(desk)
    assert desk.exchange.count("newest_fills") == 1


async def test_what_the_balance_showed_before_is_no_newer_than_that(desk: Desk) -> None:
    """Told 30 s before the orders were asked, it cannot show what an order has brought since."""
    keeper = await in_doubt(desk, accepted=True)
    (order,) = keeper.position.orders
    desk.exchange.hidden.add(order.client_order_id)
    desk.exchange.hide_trades = True
    told = desk.clock.now() + TERMS.request_lifetime + TERMS.visibility
    desk.clock.elapsed += (told - desk.clock.now()).total_seconds() + 30
    shared = Shared(told=told, balances={})
    gathered = await desk.sweep.symbol(desk.books.belief([BTC]), BTC, shared)
    assert gathered.evidence.started_at == told
    await concluded(desk, gathered)
    assert keeper.position.orders[0].status is OrderStatus.INTENDED


async def test_fills_from_long_before_the_intent_are_not_asked_about(desk: Desk) -> None:
    desk.exchange.trade(Side.BUY, "1")
    desk.clock.elapsed += 61
    await in_doubt(desk)
    await everything(desk)
    assert desk.exchange.count("order_by_exchange_id") == 0


async def test_a_busy_account_takes_several_rounds_and_proves_nothing_before(desk: Desk) -> None:
    """Catches a bound on questions that quietly leaves the rest unattributed."""
    await in_doubt(desk)
    for number in range(LOOK_UPS_MAX + 1):
        desk.exchange.trade(Side.BUY, "1", f"theirs-{number}")
    gathered = await everything(desk)
    assert gathered.failures == ("fills of BTC/USDT: 1 orders on BTC/USDT are not known yet",)
    assert BTC not in gathered.evidence.windows
    assert (await everything(desk)).failures == ()
    assert desk.exchange.count("order_by_exchange_id") == LOOK_UPS_MAX + 1


async def test_the_same_number_on_another_symbol_is_another_order(desk: Desk) -> None:
    """Order 1 on BTC is ours; order 1 on ETH, which an ETH intent waits for, is not."""
    await desk.opened(await desk.keeper())
    ether = await desk.ether()
    desk.exchange.answer(Unknown("time-out"), accepted=False)
    await ether.tell(ENTER)
    await desk.works.run()
    desk.exchange.trade(Side.BUY, "1", "1", symbol=ETH)
    gathered = await everything(desk, BTC, ETH)
    assert [fill.client_order_id for fill in gathered.evidence.windows[ETH].fills] == ["web_1"]


# Orders by id ------------------------------------------------------------------------------------


async def test_an_order_that_the_list_shows_is_not_asked_about(desk: Desk) -> None:
    keeper = await desk.keeper()
    await keeper.tell(replace(ENTER, limit=D(49000)))
    await desk.works.run()
    gathered = await everything(desk)
    assert desk.exchange.count("order") == 0
    assert len(gathered.evidence.open_orders) == 1


async def test_a_listed_order_that_is_over_here_is_asked_about(desk: Desk) -> None:
    """Before it is called an orphan: the list may be old."""
    keeper = await desk.keeper()
    desk.exchange.answer(NotSent("no route"), accepted=True)  # it lies
    await keeper.tell(replace(ENTER, limit=D(49000)))
    await desk.works.run()
    assert keeper.position.orders[0].finished
    gathered = await everything(desk)
    assert len(gathered.evidence.looked_up) == 1


async def test_an_order_with_uncounted_fills_brings_its_trades(desk: Desk) -> None:
    keeper = await in_doubt(desk, accepted=True)
    gathered = await desk.sweep.some(
        desk.books.belief([BTC]), [keeper.position.orders[0].client_order_id]
    )
    assert [ask.verb for ask in desk.exchange.asked] == ["order", "fills_of"]
    window = gathered.evidence.windows[BTC]
    assert (len(window.fills), window.complete) == (1, False)
    assert gathered.watermarks == {}


async def test_a_few_orders_are_asked_about_without_reading_everything(desk: Desk) -> None:
    keeper = await in_doubt(desk)
    name = keeper.position.orders[0].client_order_id
    await desk.sweep.some(desk.books.belief([BTC]), [name])
    assert [ask.verb for ask in desk.exchange.asked] == ["order"]


async def test_the_window_is_read_once_absence_could_be_proven(desk: Desk) -> None:
    keeper = await in_doubt(desk)
    order = keeper.position.orders[0]
    wait = TERMS.request_lifetime + TERMS.visibility
    proof = ["order", "balances", "fills"]  # a balance may speak against it
    for late, verbs in ((timedelta(0), ["order"]), (timedelta(seconds=1), proof)):
        desk.clock.elapsed = (wait + late).total_seconds()
        desk.exchange.asked.clear()
        await desk.sweep.some(desk.books.belief([BTC]), [order.client_order_id])
        assert [ask.verb for ask in desk.exchange.asked] == verbs


# Balances ----------------------------------------------------------------------------------------


async def test_a_short_balance_is_explained_from_the_entry_on(desk: Desk) -> None:
    """The sale lies behind the watermark: it is found because the reading goes back."""
    keeper = await desk.keeper()
    position = await desk.opened(keeper)
    sale = desk.exchange.trade(Side.SELL, position.quantity)
    known = frozenset(order.client_order_id for order in position.orders)
    await concluded(desk, replace(marked(sale.trade_id), known=known))
    gathered = await desk.sweep.holdings(desk.books.belief([BTC]), NONE)
    assert [(ask.verb, ask.about) for ask in desk.exchange.asked] == [
        ("fills", "BTC/USDT,after 1"),
        ("order_by_exchange_id", "BTC/USDT,foreign"),
        ("balances", ""),
    ]
    theirs = replace(sale, client_order_id="web_foreign")
    assert theirs in gathered.evidence.windows[BTC].fills
