"""What the exchange says of orders that have left their position: booked once, and in any state."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.builders import BTC, D
from tests.unit.engine.desk import DIP, ENTER, Desk
from tests.unit.engine.fake import Ask
from tests.unit.engine.test_feed import hearing
from tests.unit.engine.test_sweep import everything

from surefoot.core.evidence import Evidence, Window
from surefoot.core.order import Order, ReportedStatus
from surefoot.core.position import State
from surefoot.core.reports import Fill, Refusal
from surefoot.core.signals import ExitSignal
from surefoot.core.values import BotName, ExchangeOrderId, Side, TradeId
from surefoot.engine.gathered import Gathered
from surefoot.engine.keeper import Keeper


async def refused(desk: Desk, keeper: Keeper, times: int = 2) -> Order:
    """Have entries refused until the first of them has left; return that one."""
    first: Order | None = None
    for _ in range(times):
        await keeper.tell(ENTER)
        desk.works.drop()
        order = keeper.position.orders[-1]
        first = first or order
        refusal = Refusal(client_order_id=order.client_order_id, code="-2010", message="no")
        await keeper.tell(refusal)
        desk.clock.elapsed += 61
    assert first is not None
    assert keeper.position.find(first.client_order_id) is None
    return first


def bought(order: Order, trade: str = "900") -> Fill:
    return Fill(
        symbol=BTC,
        trade_id=TradeId(trade),
        exchange_order_id=ExchangeOrderId("77"),
        client_order_id=order.client_order_id,
        side=Side.BUY,
        price=D(50000),
        quantity=order.quantity,
        at=order.signed_at,
    )


async def test_a_fill_of_an_order_that_has_left_is_booked_once(desk: Desk) -> None:
    """It was refused, it left, and it has filled all the same: frozen, and counted."""
    keeper = await desk.keeper()
    order = await refused(desk, keeper)
    async with hearing(desk) as heard:
        await heard.account(bought(order), bought(order))
    assert keeper.position.quantity == order.quantity
    assert "came after" in (keeper.position.frozen or "")
    kinds = await desk.kinds()
    assert kinds.count("fill-booked") == kinds.count("order-recalled") == 1
    assert desk.log.said("foreign event") == []


async def test_what_is_said_again_of_an_order_that_has_left_is_no_news(desk: Desk) -> None:
    """An exit sold a part and ended: its trade and its ending arrive once more, by number."""
    keeper = await desk.keeper()
    await desk.opened(keeper)
    await keeper.tell(ExitSignal(limit=D(60000)))
    await desk.works.run()
    out = keeper.position.orders[-1]
    part = replace(bought(out), side=Side.SELL, quantity=D("0.0006"), client_order_id=None)
    part = replace(part, exchange_order_id=out.exchange_order_id)
    over = replace(desk.exchange.orders[-1], status=ReportedStatus.CANCELED, filled=D("0.0006"))
    await keeper.tell(part)
    await keeper.tell(over)
    await keeper.tell(ExitSignal())
    desk.works.drop()
    assert keeper.position.find(out.client_order_id) is None
    records = await desk.journal.records()
    async with hearing(desk) as heard:
        await heard.account(part, over, replace(over, client_order_id=None), part)
    assert await desk.journal.records() == records
    assert keeper.position.exited == D("0.0006")


async def settled(desk: Desk) -> tuple[Keeper, Order]:
    """Have a position closed that had a cancelled entry before, and let it go."""
    keeper = await desk.keeper()
    await keeper.tell(replace(ENTER, limit=D(49000)))
    await desk.works.run()
    order = keeper.position.orders[-1]
    await keeper.tell(desk.exchange.end("1", "CANCELED"))
    await desk.opened(keeper)
    assert keeper.position.find(order.client_order_id) is None
    await keeper.tell(ExitSignal())
    await desk.works.run()
    await keeper.tell(desk.exchange.trades[-1], position_id=keeper.positions[0].position_id)
    keeper.forget_settled()
    assert [position.number for position in keeper.positions] == [2]
    return keeper, order


def is_booked_late(keeper: Keeper, order: Order) -> bool:
    old, current = keeper.positions
    assert (old.number, current.number) == (1, 2)
    assert keeper.position is current
    assert old.frozen is not None
    return (old.state, old.quantity) == (State.CLOSED, order.quantity)


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_closed_position_learns_of_a_late_fill(desk: Desk, *, restarted: bool) -> None:
    """Facts apply in any state, for ever: whose it is, the journal knows, at any age."""
    keeper, order = await settled(desk)
    if restarted:
        desk.keepers[DIP] = keeper = desk.keep(DIP, await desk.journal.positions(bot=DIP))
        keeper.forget_settled()
    late = desk.exchange.trade(Side.BUY, order.quantity, "1")
    async with hearing(desk) as heard:
        await heard.account(late, late)
    assert is_booked_late(keeper, order)
    assert (await desk.kinds()).count("fill-booked") == 3


async def test_a_comparison_finds_the_late_fill_of_a_closed_position(desk: Desk) -> None:
    """Also when no stream told of it, and with the exchange's number alone."""
    keeper, order = await settled(desk)
    desk.exchange.trade(Side.BUY, order.quantity, "1")
    for _ in range(2):
        gathered = await everything(desk)
        await desk.books.conclude([BTC], gathered, desk.comparing.compare)
        assert is_booked_late(keeper, order)
    assert (await desk.kinds()).count("fill-booked") == 3


async def test_a_fill_and_the_comparison_that_saw_it_too_are_one_fact(desk: Desk) -> None:
    """The read is older than what the stream told meanwhile, and the order has left again."""
    keeper, order = await settled(desk)
    late = desk.exchange.trade(Side.BUY, order.quantity, "1")
    gathered = await everything(desk)
    async with hearing(desk) as heard:
        await heard.account(late)
    old = keeper.positions[0]
    assert old.find(order.client_order_id) is not None
    await desk.books.conclude([BTC], gathered, desk.comparing.compare)
    assert (await desk.kinds()).count("fill-booked") == 3


async def test_one_trade_between_two_orders_of_ours_is_two_fills(desk: Desk) -> None:
    """A self-trade has one number and two sides; neither side is taken for the other."""
    keeper = await desk.keeper()
    await keeper.tell(ENTER)
    await desk.works.run()
    bought = desk.exchange.trades[-1]
    await keeper.tell(bought)
    await keeper.tell(replace(ExitSignal(), limit=D(60000)))
    await desk.works.run()
    out = keeper.position.orders[-1]
    desk.exchange.trades.append(
        replace(bought, side=Side.SELL, exchange_order_id=out.exchange_order_id)
    )
    window = (await everything(desk)).evidence.windows[BTC]
    assert [fill.side for fill in window.fills] == [Side.BUY, Side.SELL]


async def test_an_order_of_ours_that_left_and_is_live_is_an_orphan(desk: Desk) -> None:
    """It is looked at by its name first; what protects nothing and is over here is cancelled."""
    keeper = await desk.keeper()
    await keeper.tell(replace(ENTER, limit=D(49000)))
    await desk.works.run()
    order = keeper.position.orders[-1]
    alive = desk.exchange.orders[0]
    await keeper.tell(replace(alive, status=ReportedStatus.CANCELED))
    await desk.opened(keeper)
    assert keeper.position.find(order.client_order_id) is None
    gathered = await everything(desk)
    outcome, _ = await desk.books.conclude([BTC], gathered, desk.comparing.compare)
    assert [orphan.reason for orphan in outcome.orphans] == ["dip-btc-1 has it as CANCELED"]
    assert Ask("order", f"{BTC},{order.client_order_id}") in desk.exchange.asked


async def test_a_late_fill_of_a_bot_that_is_gone_is_said(desk: Desk) -> None:
    """Its bot is configured no more: nobody can book it, so a person has to hear of it."""
    _, order = await settled(desk)
    del desk.keepers[DIP]
    await desk.keeper(BotName("other"))
    late = desk.exchange.trade(Side.BUY, order.quantity, "1")
    async with hearing(desk) as heard:
        await heard.account(late)
    window = Window(fills=(late,), complete=True)
    read = Evidence(started_at=desk.exchange.now(), versions={}, windows={BTC: window})
    gathered = Gathered(evidence=read, watermarks={}, failures=())
    await desk.books.conclude([BTC], gathered, desk.comparing.compare)
    said = desk.log.said("fill of a position that nobody keeps")
    assert [line["position"] for line in said] == ["dip-btc-1", "dip-btc-1"]
    assert desk.log.said("foreign event") == []
